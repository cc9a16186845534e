package secrets

import (
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

// A Candidate is a secret that could serve a reference of an image.
type Candidate struct {
	// Repository is the one of the reference.
	Repository helpers.Scope
	// Place is where the secret is at rest.
	Place Place
}

// Choose returns the candidate that answers for the registry; see [Images]. The candidates are of the image and of
// this registry.
func (i Image) Choose(r helpers.Registry, candidates []Candidate) (Place, error) {
	asked := r.Scope()
	best := make(map[helpers.Scope]Place) // by repository
	for _, c := range candidates {
		if c.Place.Registry != r.Identity() || !asked.Covers(c.Repository) ||
			!c.Place.Scope.Covers(c.Repository) || asked != "" && !c.Place.Scope.Covers(asked) {
			continue
		}
		if p, ok := best[c.Repository]; !ok || len(c.Place.Scope) > len(p.Scope) {
			best[c.Repository] = c.Place
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
