package secrets_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
	"github.com/beam-cloud/docker-credential-beta9/secrets/sqlite"
)

// A build attaches an image with what its environment holds; a worker that mounts the image gets the material for the
// image's registry, and for no other.
func Example() {
	if err := buildAndMount(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// ghcr.io [GITHUB_TOKEN]
	// quay.io credentials not found in native keychain
}

func buildAndMount(ctx context.Context) error {
	folder, err := os.MkdirTemp("", "example")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	key, err := secrets.NewKey()
	if err != nil {
		return err
	}
	store, err := sqlite.Open(ctx, filepath.Join(folder, "secrets.db"), secrets.NewKeyring(key))
	if err != nil {
		return err
	}
	defer store.Close()

	// The build.
	ref, err := helpers.ParseReference("ghcr.io/acme/app:1")
	if err != nil {
		return err
	}
	environment := map[string]string{"GITHUB_TOKEN": "not-a-token"}
	secret, err := secrets.FromEnvironment("w1", ref.String(), func(name string) string { return environment[name] })
	if err != nil {
		return err
	}
	image := secrets.Image{Workspace: "w1", ID: "3f2a9c1e", References: []helpers.Reference{ref}}
	if err := store.Attach(ctx, image, secret); err != nil {
		return err
	}

	// The worker.
	source := secrets.NewSource(store, "w1", "3f2a9c1e")
	m, err := source.Material(ctx, ref.Registry())
	if err != nil {
		return err
	}
	fmt.Println(m.Registry(), m.Keys())
	elsewhere, err := helpers.ParseServerURL("quay.io")
	if err != nil {
		return err
	}
	_, err = source.Material(ctx, elsewhere)
	fmt.Println(elsewhere, err)
	return nil
}
