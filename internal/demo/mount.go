//go:build unix

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/beam-cloud/clip/pkg/clip"
	"github.com/beam-cloud/clip/pkg/storage"

	"github.com/beam-cloud/docker-credential-beta9/internal/needs"
	"github.com/beam-cloud/docker-credential-beta9/provider"
)

// mountBoth indexes and mounts both images of the tenant and runs a program of each.
func mountBoth(ctx context.Context, s *show) (string, error) {
	if _, err := s.use(ctx, s.tenant.worker, s.tenant.base); err != nil {
		return "", err
	}
	said, err := s.use(ctx, s.tenant.worker, s.tenant.tools)
	if err != nil {
		return "", err
	}
	return "CLIP indexed both images through the provider; of the second one: " + said, nil
}

// use indexes an image, and runs a program of it out of a mount; without FUSE it reads the program through CLIP's storage.
func (s *show) use(ctx context.Context, p *provider.Provider, ref string) (string, error) {
	archive, err := s.index(ctx, p, ref)
	if err != nil {
		return "", err
	}
	if why := needs.NoFUSE(); why != "" {
		n, err := s.readFile(p, archive, "/usr/bin/app")
		return fmt.Sprintf("read %d bytes of its program through CLIP's storage (no mount: %s)", n, why), err
	}
	var said string
	err = s.mounted(p, archive, func(dir string) error {
		text, err := os.ReadFile(filepath.Join(dir, "etc/motd"))
		if err != nil || string(text) != motd {
			return fmt.Errorf("/etc/motd of the mount: %q, %w", text, err)
		}
		// By way of a shell: this process serves the mount, and Go's fork and exec of a program in it would wait for
		// this very process while the thread that forked keeps the runtime from stopping the world.
		out, err := s.home.Command(ctx, "/bin/sh", "-c", `exec "$0" version`, filepath.Join(dir, "usr/bin/app")).Output()
		said = "mounted, and its program runs: " + firstWord(out)
		return err
	})
	return said, err
}

// index makes CLIP's index of an image and returns its path.
func (s *show) index(ctx context.Context, p *provider.Provider, ref string) (string, error) {
	dir, err := os.MkdirTemp(s.home.Dir(), "index-")
	if err != nil {
		return "", err
	}
	archive := filepath.Join(dir, "image.clip")
	return archive, clip.CreateFromOCIImage(ctx, clip.CreateFromOCIImageOptions{ImageRef: ref, OutputPath: archive, CredProvider: p})
}

// mounted mounts an index while f runs.
func (s *show) mounted(p *provider.Provider, archive string, f func(dir string) error) (err error) {
	dir := filepath.Join(filepath.Dir(archive), "mnt")
	start, failed, server, err := clip.MountArchive(clip.MountOptions{
		ArchivePath: archive, MountPoint: dir, CachePath: filepath.Join(filepath.Dir(archive), "cache"), RegistryCredProvider: p,
	})
	if err != nil {
		return err
	}
	if err := start(); err != nil {
		return err
	}
	if err := server.WaitMount(); err != nil {
		return err
	}
	defer func() {
		if out, end := exec.Command("fusermount3", "-u", dir).CombinedOutput(); end != nil && err == nil {
			err = fmt.Errorf("fusermount3: %w: %s", end, out)
			return
		}
		for end := range failed { // closed when the server has ended
			if err == nil {
				err = end
			}
		}
	}()
	return f(dir)
}

// readFile reads a file of an index through CLIP's storage, as its file system does.
func (s *show) readFile(p *provider.Provider, archive, path string) (int, error) {
	metadata, err := clip.NewClipArchiver().ExtractMetadata(archive)
	if err != nil {
		return 0, err
	}
	from, err := storage.NewClipStorage(storage.ClipStorageOpts{
		ArchivePath: archive, CachePath: filepath.Dir(archive), Metadata: metadata, RegistryCredProvider: p,
	})
	if err != nil {
		return 0, err
	}
	defer from.Cleanup()
	node := metadata.Get(path)
	if node == nil {
		return 0, fmt.Errorf("the index has no %s", path)
	}
	return from.ReadFile(node, make([]byte, node.Attr.Size), 0)
}

// firstWord returns what a program that prints its version calls itself.
func firstWord(out []byte) string {
	word, _, _ := strings.Cut(string(out), " ")
	return word
}
