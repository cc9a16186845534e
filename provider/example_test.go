//go:build unix

package provider_test

import (
	"context"
	"errors"
	"os"
	"os/exec"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/provider"
)

// A worker that pulls with go-containerregistry tries once more when the registry says that the token has ended. How it
// mounts with CLIP is shown at the top of this page.
func ExampleProvider_Refused() {
	pull := func(ctx context.Context, worker *provider.Provider, tenant helpers.Source, image name.Reference) (*remote.Descriptor, error) {
		p, err := worker.For(tenant)
		if err != nil {
			return nil, err
		}
		defer p.Close()

		registry, repository := image.Context().RegistryStr(), image.Context().RepositoryStr()
		for tried := false; ; tried = true {
			config, err := p.GetCredentials(ctx, registry, repository)
			if err != nil {
				return nil, err
			}
			found, err := remote.Get(image, remote.WithContext(ctx), remote.WithAuth(authn.FromConfig(*config)))
			refusal, refused := errors.AsType[*transport.Error](err)
			if !refused || tried || !p.Refused(registry, *config, refusal.StatusCode, []byte(refusal.Error())) {
				return found, err
			}
		}
	}
	_ = pull
}

// A build gets an environment whose programs pull through the helpers.
func ExampleProvider_BuildEnvironment() {
	build := func(ctx context.Context, p *provider.Provider, folder string) error {
		b, err := p.BuildEnvironment(ctx, "ghcr.io/acme/base:1", "registry.example.com/acme/tools:1")
		if err != nil {
			return err
		}
		defer b.Close()

		cmd := exec.CommandContext(ctx, "buildah", "bud", "--tag", "app", folder)
		cmd.Env = b.Environ(os.Environ())
		return cmd.Run()
	}
	_ = build
}
