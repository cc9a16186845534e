package secrets

import (
	"cmp"
	"slices"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// An Image is an image of a workspace and what it is made of: the references that have to be pulled for it.
type Image struct {
	Workspace, ID string
	References    []helpers.Reference
}

// String names the image for people.
func (i Image) String() string { return "image " + i.ID + " of workspace " + i.Workspace }

// Check checks the names of the image. The error is a [*helpers.Failure] with [helpers.BadRequest].
func (i Image) Check() error {
	if err := CheckName("workspace", i.Workspace); err != nil {
		return err
	}
	return CheckName("image", i.ID)
}

// Order returns the secrets in the order in which every caller of [Images.Attach] writes them, so that no two wait for
// each other. The error is a [*helpers.Failure] with [helpers.BadRequest] when one is not of the image's workspace.
func (i Image) Order(with []Secret) ([]Secret, error) {
	for _, s := range with {
		if s.Workspace != i.Workspace {
			return nil, helpers.Fail(helpers.BadRequest, "a secret of another workspace cannot be attached to "+i.String(), "")
		}
	}
	return slices.SortedFunc(slices.Values(with), func(a, b Secret) int { return cmp.Compare(a.Name, b.Name) }), nil
}

// WithReferences returns the image with the references that a store has for it as text. The error is [ErrNotFound] when
// there are none and [ErrSealed] when one is malformed.
func (i Image) WithReferences(texts []string) (Image, error) {
	if len(texts) == 0 {
		return i, NotFound(i)
	}
	i.References = nil
	for _, text := range texts {
		ref, err := helpers.ParseReference(text)
		if err != nil {
			return i, Sealed(i, "it has a reference that is malformed", "attach the image again")
		}
		i.References = append(i.References, ref)
	}
	return i, nil
}

// A Candidate is a secret that could serve a reference of an image.
type Candidate struct {
	// Repository is the one of the reference.
	Repository helpers.Scope
	// Place is where the secret is at rest, as the store has it: nothing of it is authenticated yet.
	Place Place
}

// bound returns what a secret is bound to that could serve a repository of the registry. Of a secret that is named by
// [Name], that is what the name says: were it what stands beside the name, then whoever changes that could have another
// secret used in its stead, or none, where opening this one fails.
func (c Candidate) bound(r helpers.Registry) (Place, bool) {
	p := c.Place
	fits := p.Registry == r.Identity() && p.Scope.Covers(c.Repository)
	if !p.named() || fits && Name(r, p.Scope) == p.Name {
		return p, fits
	}
	// It was changed, or is for something else.
	for scope := range scopes(c.Repository) {
		if Name(r, scope) == p.Name {
			p.Registry, p.Scope = r.Identity(), scope
			return p, true
		}
	}
	return p, false
}

// Choose returns the candidate that answers for the registry; see [Images]. The candidates are of the image and of
// this registry. One that is not named by [Name] is chosen only where no other one would do. The one that is chosen may
// be one that does not open: then no other takes its place.
func (i Image) Choose(r helpers.Registry, candidates []Candidate) (Place, error) {
	asked := r.Scope()
	best := make(map[helpers.Scope]Place) // by repository
	for _, c := range candidates {
		if !asked.Covers(c.Repository) {
			continue
		}
		place, ok := c.bound(r)
		if !ok || asked != "" && !place.Scope.Covers(asked) {
			continue
		}
		if p, ok := best[c.Repository]; !ok || place.before(p) {
			best[c.Repository] = place
		}
	}
	var chosen Place
	for _, p := range best {
		switch {
		case chosen.Name == "":
			chosen = p
		case chosen.Name != p.Name:
			return Place{}, helpers.Fail(helpers.BadRequest,
				i.String()+" needs more than one secret of "+r.Identity(), "ask with the repository")
		}
	}
	if chosen.Name == "" {
		return Place{}, NotFound(wanted{i, r})
	}
	return chosen, nil
}

// wanted is what [Images.Find] looks for.
type wanted struct {
	image    Image
	registry helpers.Registry
}

func (w wanted) String() string {
	return "a secret of " + w.registry.String() + " for " + w.image.String()
}
