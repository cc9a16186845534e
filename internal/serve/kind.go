package serve

import (
	"context"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// A Kind is what one helper is made of. Everything else is the same for all of them.
type Kind struct {
	// Type is the name of the helper's row in the table of types.
	Type string
	// Exchanger returns what makes credentials out of material.
	Exchanger func(helpers.Machine) helpers.Exchanger
	// Keep decides what is kept of a login that a client gives to be stored.
	Keep func(ctx context.Context, l helpers.Login, now time.Time) helpers.Kept
	// Share returns what tokens made of the material may be shared by. It is nil for a type whose credentials are not
	// computed: they are not cached.
	Share func(m *helpers.Map, r helpers.Registry, material helpers.Material) helpers.Key
	// Ambient returns the machine's own identity. It is nil for a type that has none.
	Ambient func(helpers.Machine) helpers.Keyed
	// AmbientReadsKeys says that Ambient looks at the type's environment keys itself, because other settings of the
	// machine, such as a role to assume, say what is done with them. They count by themselves only where the identity of
	// the machine is forbidden.
	AmbientReadsKeys bool
}
