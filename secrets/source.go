package secrets

import (
	"context"
	"errors"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// NewSource returns the source of what one image of one workspace needs. It asks anew each time, so that a secret that
// was changed counts from the next call on.
//
// Its errors are those of [helpers.Source]: [helpers.ErrNotFound] for a registry that the image does not name or that
// the workspace has no secret for, and a [*helpers.Failure] otherwise.
func NewSource(images Images, workspace, image string) helpers.Source {
	return &source{images: images, workspace: workspace, image: image}
}

type source struct {
	images           Images
	workspace, image string
}

// Tenant names the workspace to a worker, which lets no tenant take up all of its helpers.
func (s *source) Tenant() string { return s.workspace }

func (s *source) Material(ctx context.Context, r helpers.Registry) (helpers.Material, error) {
	found, err := s.images.Find(ctx, s.workspace, s.image, r)
	if errors.Is(err, ErrNotFound) {
		helpers.LeaveSource(ctx, "store", "the image has no secret for the registry")
		return helpers.Material{}, helpers.ErrNotFound
	}
	if err != nil {
		return helpers.Material{}, err
	}
	if found.Workspace != s.workspace {
		return helpers.Material{}, helpers.Fail(helpers.WrongHost, "the store answered with a secret of another workspace", "")
	}
	if err := found.Material.Bound(found.Material.Type(), r); err != nil {
		return helpers.Material{}, err
	}
	helpers.TakeSource(ctx, "store")
	return found.Material, nil
}
