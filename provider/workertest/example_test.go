//go:build unix

package workertest

import (
	"context"
	"fmt"

	"github.com/beam-cloud/clip/pkg/clip"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/provider"
)

// A worker that serves many tenants makes one provider and derives each tenant's from it.
func Example() {
	mount := func(ctx context.Context, worker *provider.Provider, tenant helpers.Source, ref, archive string) error {
		p, err := worker.For(tenant)
		if err != nil {
			return err
		}
		defer p.Close()

		found, err := p.Preflight(ctx, ref)
		if err != nil {
			return err // CLIP would go on without a credential
		}
		fmt.Println(found.Outcome, found.Registry, found.ExpiresAt)

		return clip.CreateFromOCIImage(ctx, clip.CreateFromOCIImageOptions{
			ImageRef: ref, OutputPath: archive, CredProvider: p,
		})
	}
	_ = mount
}
