//go:build unix

package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/rs/zerolog"

	"github.com/beam-cloud/docker-credential-beta9/internal/registrytest"
	"github.com/beam-cloud/docker-credential-beta9/provider"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
	"github.com/beam-cloud/docker-credential-beta9/secrets/sqlite"
)

// What the tenant's part is about: a workspace, and an image of it whose two references are in two registries.
const (
	workspace = "acme"
	stranger  = "somebody-else"
	imageID   = "3f2a9c1e"
	robot     = "robot$tools"
	motd      = "These files come from a private image.\n"
)

// A tenant is what the steps about workers and builds share.
type tenant struct {
	tokens *registrytest.Registry
	secret atomic.Pointer[string] // the password of robot, which is rotated
	base   string                 // a reference in the registry with Basic authentication
	tools  string                 // one in the registry with tokens
	store  *sqlite.Store
	worker *provider.Provider
}

// startTokens starts the second registry, and pushes an image of several layers to each.
func startTokens(_ context.Context, s *show) (string, error) {
	zerolog.SetGlobalLevel(zerolog.Disabled) // CLIP's own log is not part of this
	s.tenant.setSecret(rand.Text())
	registry, err := registrytest.New(registrytest.Options{
		Auth: registrytest.Bearer,
		Verify: func(user, password string) bool {
			return user == robot && password == *s.tenant.secret.Load()
		},
	})
	if err != nil {
		return "", err
	}
	s.tenant.tokens = registry
	s.atEnd(func() (string, error) { return "stopped the registry at " + registry.Name(), registry.Close() })
	img, err := s.layers("docker-credential-beta9-ghcr", "docker-credential-beta9-ngc")
	if err != nil {
		return "", err
	}
	if s.tenant.base, err = s.registry.Push("acme/base:1", img); err != nil {
		return "", err
	}
	if img, err = s.layers("docker-credential-beta9-generic", "docker-credential-beta9-dockerhub"); err != nil {
		return "", err
	}
	if s.tenant.tools, err = registry.Push("tools/app:1", img); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s is another private registry, which wants tokens; each has an image of three layers", registry.Name()), nil
}

func (t *tenant) setSecret(secret string) { t.secret.Store(&secret) }

// layers makes an image of a text and two of our programs, each in a layer of its own. The first one is what is run.
func (s *show) layers(first, second string) (v1.Image, error) {
	run, err := registrytest.Program("/usr/bin/app", filepath.Join(s.bin, first))
	if err != nil {
		return nil, err
	}
	other, err := registrytest.Program("/usr/bin/other", filepath.Join(s.bin, second))
	if err != nil {
		return nil, err
	}
	text := registrytest.File{Path: "/etc/motd", Mode: 0o644, Data: []byte(motd)}
	return registrytest.Image([]string{"/usr/bin/app"}, []registrytest.File{text}, []registrytest.File{run}, []registrytest.File{other})
}

// keepSecrets stores the tenant's two secrets and attaches the image, as a build does.
func keepSecrets(ctx context.Context, s *show) (string, error) {
	if err := s.putSecret(ctx, s.registry.Name(), user, s.password); err != nil {
		return "", err
	}
	if err := s.putSecret(ctx, s.tenant.tokens.Name(), robot, *s.tenant.secret.Load()); err != nil {
		return "", err
	}
	_, err := s.operator(ctx, "", "image", "attach", "--workspace", workspace, imageID, s.tenant.base, s.tenant.tools, "--check")
	if err != nil {
		return "", err
	}
	return "beta9-credentials secret put, twice, and image attach --check: both registries accept what is stored", nil
}

func (s *show) putSecret(ctx context.Context, registry, username, password string) error {
	stdin := fmt.Sprintf(`{"USERNAME":%q,"PASSWORD":%q}`, username, password)
	_, err := s.operator(ctx, stdin, "secret", "put", "--workspace", workspace, "--registry", registry)
	return err
}

// operator runs beta9-credentials on the show's store.
func (s *show) operator(ctx context.Context, stdin string, args ...string) (string, error) {
	return s.person(ctx, stdin, append(args, "--store", "sqlite:"+s.storePath(), "--keys", s.keysPath())...)
}

func (s *show) storePath() string { return filepath.Join(s.home.Dir(), "secrets.db") }

func (s *show) keysPath() string { return filepath.Join(s.home.Dir(), "secrets.keys") }

// startWorker opens the store and makes the provider that a worker makes when it starts.
func startWorker(ctx context.Context, s *show) (string, error) {
	keyring, err := secrets.LoadKeyring(ctx, func(context.Context) ([]byte, error) { return os.ReadFile(s.keysPath()) }, nil)
	if err != nil {
		return "", err
	}
	t := &s.tenant
	if t.store, err = sqlite.Open(ctx, s.storePath(), keyring); err != nil {
		return "", err
	}
	t.worker, err = provider.New(provider.Options{Folder: s.bin, Source: secrets.NewSource(t.store, workspace, imageID)})
	if err != nil {
		return "", errors.Join(err, t.store.Close())
	}
	s.atEnd(func() (string, error) {
		return "closed the worker's provider", errors.Join(t.worker.Close(), t.store.Close())
	})
	found, err := t.worker.Preflight(ctx, t.tools)
	if err != nil {
		return "", err
	}
	if found.Outcome != provider.Have {
		return "", fmt.Errorf("the provider has no credential for %s", t.tools)
	}
	return fmt.Sprintf("a provider, fed from the store, has a credential for %s; its helper got the material on a descriptor", found.Registry), nil
}

// rotate changes the password at the registry and in the store, and mounts again.
func rotate(ctx context.Context, s *show) (string, error) {
	t := &s.tenant
	old := *t.secret.Load()
	t.setSecret(rand.Text())
	if err := s.putSecret(ctx, t.tokens.Name(), robot, *t.secret.Load()); err != nil {
		return "", err
	}
	t.tokens.Forget()
	// A provider looks at a tenant's material every few seconds; a worker that was refused tells it to look now.
	t.worker.Invalidate(t.tokens.Name())
	said, err := s.use(ctx, t.worker, t.tools)
	if err != nil {
		return "", err
	}
	if t.tokens.Saw(old) || !t.tokens.Saw(*t.secret.Load()) {
		return "", errors.New("the registry was asked with the old password")
	}
	return "the password of " + robot + " is replaced at the registry and by secret put: " + said, nil
}

// refuseStranger shows that another workspace gets nothing.
func refuseStranger(ctx context.Context, s *show) (string, error) {
	t := &s.tenant
	other, err := t.worker.For(secrets.NewSource(t.store, stranger, imageID))
	if err != nil {
		return "", err
	}
	defer other.Close()
	for _, at := range []struct {
		registry *registrytest.Registry
		ref      string
	}{{s.registry, t.base}, {t.tokens, t.tools}} {
		at.registry.Forget()
		if _, err := s.index(ctx, other, at.ref); err == nil {
			return "", fmt.Errorf("another workspace has indexed %s", at.ref)
		}
		for _, q := range at.registry.Requests() {
			if q.Authenticated {
				return "", fmt.Errorf("%s answered another workspace as %s", at.registry.Name(), q.User)
			}
		}
	}
	return "the workspace " + stranger + " gets neither image: no request with a credential reached a registry", nil
}
