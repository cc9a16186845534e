package provider

import (
	"context"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// Materials is a Source of what a caller holds in its hands: for a registry it yields the one that is bound to it, the
// one with the longest scope when there are several.
type Materials []helpers.Material

// Material returns the material that is bound to the registry and covers its scope, or [helpers.ErrNotFound]. When the
// scope of the registry is not known, material of any scope may be meant, and the one with the shortest scope is taken.
func (ms Materials) Material(_ context.Context, r helpers.Registry) (helpers.Material, error) {
	var found helpers.Material
	for _, m := range ms {
		if m.IsZero() || !covers(m, r) {
			continue
		}
		longer := len(m.Scope()) > len(found.Scope())
		if found.IsZero() || longer == (r.Scope() != "") {
			found = m
		}
	}
	if found.IsZero() {
		return helpers.Material{}, helpers.ErrNotFound
	}
	return found, nil
}

// covers tells whether the material is for the registry and, as far as that is known, for the repository.
func covers(m helpers.Material, r helpers.Registry) bool {
	return m.Registry().Identity() == r.Identity() && (r.Scope() == "" || m.Scope().Covers(r.Scope()))
}
