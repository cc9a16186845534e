//go:build unix

package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/beam-cloud/docker-credential-beta9/internal/registrytest"
)

// refusePull shows that the image cannot be had without a credential.
func refusePull(ctx context.Context, s *show) (string, error) {
	s.registry.Forget()
	err := s.client.pull(ctx, s.ref, filepath.Join(s.home.Dir(), "refused.tar"))
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case err == nil:
		return "", errors.New("the image was pulled without a credential")
	case !slices.ContainsFunc(s.registry.Requests(), func(q registrytest.Request) bool { return q.Status == 401 }):
		return "", fmt.Errorf("the pull failed, but not for lack of a credential: %w", err)
	}
	return s.client.name + " pull without a credential: the registry answers 401 Unauthorized", nil
}

func pull(ctx context.Context, s *show) (string, error) {
	s.registry.Forget()
	s.pulled = filepath.Join(s.home.Dir(), "pulled.tar")
	if err := s.client.pull(ctx, s.ref, s.pulled); err != nil {
		return "", err
	}
	for _, q := range s.registry.Requests() {
		if q.User != "" && (q.User != user || !q.Authenticated) {
			return "", fmt.Errorf("the registry saw another user: %s", q.User)
		}
	}
	got, err := tarball.ImageFromPath(s.pulled, nil)
	if err != nil {
		return "", err
	}
	id, err := got.ConfigName()
	if err != nil {
		return "", err
	}
	if want, err := s.image.ConfigName(); err != nil || id != want {
		return "", fmt.Errorf("pulled the image %s in the place of %s: %v", id, want, err)
	}
	return fmt.Sprintf("%s pull %s: got it whole, as %s, whose password the helper gave", s.client.name, s.ref, user), nil
}

// runProgram takes the program out of what was pulled and runs it.
func runProgram(ctx context.Context, s *show) (string, error) {
	img, err := tarball.ImageFromPath(s.pulled, nil)
	if err != nil {
		return "", err
	}
	files := mutate.Extract(img)
	defer files.Close()
	for archive := tar.NewReader(files); ; {
		header, err := archive.Next()
		if err != nil {
			return "", fmt.Errorf("%s in the image: %w", program, err)
		}
		if header.Name != program {
			continue
		}
		path := filepath.Join(s.home.Dir(), program)
		if err := unpack(path, archive); err != nil {
			return "", err
		}
		out, err := s.home.Command(ctx, path, "version").Output()
		if err != nil {
			return "", fmt.Errorf("%s out of the image: %w", program, err)
		}
		return "the program out of the image runs: " + string(bytes.TrimSpace(out)), nil
	}
}

func unpack(path string, from io.Reader) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o700)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, from); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
