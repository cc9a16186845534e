//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/beam-cloud/clip/pkg/clip"
	"github.com/spf13/cobra"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/provider"
)

// A mount is one call of mount.
type mount struct {
	app        *app
	reference  string
	dir        string // absolute
	cache      string // absolute, or nothing for a folder that goes away with the mount
	material   materialFlag
	background bool
	detached   bool // this process is the one that mount --background leaves behind
}

func newMountCommand(a *app) *cobra.Command {
	m := mount{app: a}
	cmd := &cobra.Command{
		Use:   "mount REFERENCE DIR",
		Short: "Mount an image by CLIP",
		Long: `mount indexes an image and mounts it, read-only, on an empty folder, which it makes if it is
not there. Layers are fetched when a file in them is read. It stays until it is
interrupted, or until beta9-credentials unmount DIR, and then unmounts the image and
removes what it has made. It needs /dev/fuse and fusermount3.

` + aboutMaterial,
		Example: `  beta9-credentials mount ghcr.io/acme/app:1 /mnt/app
  beta9-credentials mount --background ghcr.io/acme/app:1 /mnt/app`,
		Args: exactly(2, "an image and a folder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			m.reference = args[0]
			if m.dir, err = filepath.Abs(args[1]); err != nil {
				return err
			}
			if m.cache != "" {
				if m.cache, err = filepath.Abs(m.cache); err != nil {
					return err
				}
			}
			if m.background {
				return m.detach(cmd.Context())
			}
			return m.run(cmd.Context())
		},
	}
	m.material.add(cmd)
	cmd.Flags().StringVar(&m.cache, "cache", "", "keep the layers that were fetched in this folder (default: they go away with the mount)")
	cmd.Flags().BoolVar(&m.background, "background", false, "return when the image is mounted, and leave a process behind that serves it")
	cmd.Flags().BoolVar(&m.detached, detachedFlag, false, "")
	_ = cmd.Flags().MarkHidden(detachedFlag) // it is there: the line above has made it
	return cmd
}

// run mounts the image and serves it until it is unmounted or the context ends.
func (m *mount) run(ctx context.Context) (err error) {
	folder, err := takeMountPoint(ctx, m.dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, folder.leave()) }() // the last thing, because unmount waits for it
	w, err := m.app.worker(m.material)
	if err != nil {
		return err
	}
	defer w.Close()
	temp, err := os.MkdirTemp("", "beta9-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	archive := filepath.Join(temp, "index")
	what, err := m.app.index(ctx, w, m.reference, archive)
	if err != nil {
		return err
	}
	cache := m.cache
	if cache == "" {
		cache = filepath.Join(temp, "layers")
	}
	return m.serve(ctx, w.Provider, what, archive, cache)
}

// serve mounts the index and waits for the end.
func (m *mount) serve(ctx context.Context, p *provider.Provider, what indexed, archive, cache string) error {
	q := question{ref: what.ref}
	if err := os.MkdirAll(cache, 0o700); err != nil { // private files come to lie there
		return err
	}
	start, ended, server, err := clip.MountArchive(clip.MountOptions{
		ArchivePath: archive, MountPoint: m.dir, CachePath: cache, RegistryCredProvider: p,
	})
	if err != nil {
		return q.blame(ctx, err)
	}
	m.app.mounted.Store(true) // from here on an interrupt is waited for
	if err := start(); err != nil {
		return err
	}
	if err := server.WaitMount(); err != nil {
		return &helpers.Failure{Reason: helpers.Internal, Text: "the image cannot be mounted on " + m.dir, Cause: err,
			Hint: "see that /dev/fuse is there and that you may use it"}
	}
	if err := m.ready(what); err != nil {
		return errors.Join(err, unmount(m.dir, true))
	}
	select {
	case err := <-ended: // somebody else has unmounted it
		return err
	case <-ctx.Done():
	}
	if err := unmount(m.dir, false); err != nil {
		// The file system lives on without a name as long as it is used, and this process with it.
		m.app.hint("something still uses " + m.dir + ": this ends when that does, or when it is interrupted once more")
		if err := unmount(m.dir, true); err != nil {
			return err
		}
	}
	return <-ended
}

// ready tells the person, or the process that waits for this one, that the image is mounted.
func (m *mount) ready(what indexed) error {
	if m.detached {
		return becomeDaemon()
	}
	fmt.Fprintf(m.app.stdout, "Mounted %s on %s: %s.\n", what.ref, m.dir, what)
	if isTerminal(m.app.stderr) {
		fmt.Fprintln(m.app.stderr, "Press Ctrl-C to unmount it.")
	}
	return nil
}
