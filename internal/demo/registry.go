//go:build unix

package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"

	"github.com/beam-cloud/docker-credential-beta9/internal/registrytest"
)

const (
	user       = "alice"
	repository = "acme/helper:1"
	// program is the static binary that the image is made of.
	program = "docker-credential-beta9-generic"
)

func startRegistry(_ context.Context, s *show) (string, error) {
	s.password = rand.Text()
	registry, err := registrytest.New(registrytest.Options{
		Auth:     registrytest.Basic,
		Accounts: map[string]string{user: s.password},
	})
	if err != nil {
		return "", err
	}
	s.registry = registry
	s.atEnd(func() (string, error) { return "stopped the registry at " + registry.Name(), registry.Close() })
	return fmt.Sprintf("%s is a private registry in this process, with an account for %s", registry.Name(), user), nil
}

func push(_ context.Context, s *show) (string, error) {
	path := filepath.Join(s.bin, program)
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	file, err := registrytest.Program("/"+program, path)
	if err != nil {
		return "", err
	}
	if s.image, err = registrytest.Image([]string{"/" + program}, []registrytest.File{file}); err != nil {
		return "", err
	}
	if s.ref, err = s.registry.Push(repository, s.image); err != nil {
		return "", err
	}
	digest, err := s.image.Digest()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s is an image of %s alone, %.1f MB, %s", s.ref, program, float64(info.Size())/1e6, short(digest.Hex)), nil
}

// short is what a person recognizes a digest by.
func short(hex string) string { return "sha256:" + hex[:12] }
