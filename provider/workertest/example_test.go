//go:build unix

package workertest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/beam-cloud/clip/pkg/clip"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/provider"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
	"github.com/beam-cloud/docker-credential-beta9/secrets/sqlite"
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

// A worker makes its provider when it starts. Tenants have what is in the store, and the worker itself has nothing.
func Example_start() {
	start := func(folder string) (*provider.Provider, error) {
		worker, err := provider.New(provider.Options{
			Folder: folder,               // where the helpers are installed, as an absolute path
			Source: provider.Materials{}, // nothing: a tenant's is given to For
		})
		return worker, err
	}
	open := func(ctx context.Context, path, keys string) (*sqlite.Store, error) {
		keyring, err := secrets.LoadKeyring(ctx, func(context.Context) ([]byte, error) { return os.ReadFile(keys) }, nil)
		if err != nil {
			return nil, err
		}
		store, err := sqlite.Open(ctx, path, keyring)
		return store, err
	}
	find := func(ctx context.Context, folder, state string) (provider.Finding, error) {
		worker, err := start(folder)
		if err != nil {
			return provider.Finding{}, err
		}
		defer worker.Close()
		store, err := open(ctx, filepath.Join(state, "secrets.db"), filepath.Join(state, "secrets.db.keys"))
		if err != nil {
			return provider.Finding{}, err
		}
		defer store.Close()
		p, err := worker.For(secrets.NewSource(store, "w1", "3f2a9c1e"))
		if err != nil {
			return provider.Finding{}, err
		}
		defer p.Close()
		return p.Preflight(ctx, "ghcr.io/acme/app:1")
	}

	ctx := context.Background()
	state, err := os.MkdirTemp("", "example")
	if err == nil {
		defer os.RemoveAll(state)
		err = newKeyring(ctx, filepath.Join(state, "secrets.db.keys"))
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	found, err := find(ctx, state, state)
	fmt.Println(found.Outcome, found.Registry, err)
	// Output: none ghcr.io/acme/app <nil>
}

// newKeyring makes what beta9-credentials key new makes.
func newKeyring(ctx context.Context, path string) error {
	key, err := secrets.NewKey()
	if err != nil {
		return err
	}
	document, err := secrets.AppendKeys(ctx, nil, []secrets.Key{key}, nil)
	if err != nil {
		return err
	}
	return os.WriteFile(path, document, 0o600)
}
