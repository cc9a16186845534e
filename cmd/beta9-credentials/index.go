//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/beam-cloud/clip/pkg/clip"
	"github.com/beam-cloud/clip/pkg/common"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/spf13/cobra"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/provider"
)

// clipCommands are the commands around CLIP, which knows no Windows.
func clipCommands(a *app) []*cobra.Command {
	return []*cobra.Command{newIndexCommand(a), newMountCommand(a), newUnmountCommand(a)}
}

func newIndexCommand(a *app) *cobra.Command {
	var material materialFlag
	cmd := &cobra.Command{
		Use:   "index REFERENCE FILE",
		Short: "Write CLIP's index of an image",
		Long: `index reads the layers of an image once and writes an index of its files, with which CLIP
mounts the image without downloading it. The index holds no file of the image and no
credential.

` + aboutMaterial,
		Example: `  beta9-credentials index ghcr.io/acme/app:1 app.clip
  beta9-credentials index --material secret.json registry.example.com/acme/app@sha256:... app.clip`,
		Args: exactly(2, "an image and the file to write"),
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := a.worker(material)
			if err != nil {
				return err
			}
			defer w.Close()
			made, err := a.index(cmd.Context(), w, args[0], args[1])
			if err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "Indexed %s: %s.\n", made.ref, made)
			return nil
		},
	}
	material.add(cmd)
	return cmd
}

// An indexed image is what index tells of it.
type indexed struct {
	ref           helpers.Reference
	files, layers int
}

func (i indexed) String() string { return fmt.Sprintf("%d files in %d layers", i.files, i.layers) }

// index writes the index of an image to a file, whole or not at all.
func (a *app) index(ctx context.Context, w worker, reference, file string) (indexed, error) {
	ref, err := helpers.ParseReference(reference)
	if err != nil {
		return indexed{}, usageError("%q: %w", withoutUser(reference), err)
	}
	found, err := w.Preflight(ctx, ref.String())
	if err != nil {
		return indexed{}, err
	}
	if found.Outcome == provider.None && found.Type != "" {
		a.hint("there is no credential for " + ref.Registry().Identity() + ", and so the image is asked for without one")
	}
	temp, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-")
	if err != nil {
		return indexed{}, unwritten(file, err)
	}
	temp.Close()
	defer os.Remove(temp.Name()) // what has become the file is no longer there
	if err := a.indexTo(ctx, w.Provider, ref, temp.Name()); err != nil {
		q := question{ref: ref, typ: found.Type, anonymous: found.Outcome == provider.None}
		return indexed{}, q.blame(ctx, err)
	}
	made, err := finish(ref, temp.Name())
	if err != nil {
		return indexed{}, unwritten(file, err)
	}
	if err := os.Rename(temp.Name(), file); err != nil {
		return indexed{}, unwritten(file, err)
	}
	return made, nil
}

func unwritten(file string, err error) error {
	return &helpers.Failure{Reason: helpers.StoreFailed, Text: "the index " + file + " cannot be written", Cause: err,
		Hint: "check that the folder is there and that you may write to it"}
}

// indexTo has CLIP make the index, and shows how far it is.
func (a *app) indexTo(ctx context.Context, p *provider.Provider, ref helpers.Reference, file string) error {
	if err := clip.SetLogLevel("disabled"); err != nil {
		return err
	}
	show, end := a.progress("indexing layers")
	defer end()
	progress := make(chan clip.OCIIndexProgress)
	shown := make(chan struct{})
	go func() {
		defer close(shown)
		for at := range progress {
			show(at.LayerIndex, at.TotalLayers)
		}
	}()
	err := clip.CreateFromOCIImage(ctx, clip.CreateFromOCIImageOptions{
		ImageRef: ref.String(), OutputPath: file, CredProvider: p, ProgressChan: progress,
	})
	close(progress)
	<-shown
	return err
}

// finish completes an index and brings it to disk. CLIP opens an image by writing a colon between the repository and what
// the index has as reference, which makes nonsense of a digest; with the algorithm moved to the repository's end it reads
// as it should.
func finish(ref helpers.Reference, file string) (indexed, error) {
	archiver := clip.NewClipArchiver()
	metadata, err := archiver.ExtractMetadata(file)
	if err != nil {
		return indexed{}, err
	}
	info, ok := metadata.StorageInfo.(common.OCIStorageInfo)
	if !ok {
		return indexed{}, errors.New("not an index of an image")
	}
	if algorithm, hex, ok := strings.Cut(ref.Digest(), ":"); ok {
		info.Repository, info.Reference = ref.Repository()+"@"+algorithm, hex
		if err := archiver.CreateRemoteArchive(&info, metadata, file); err != nil {
			return indexed{}, err
		}
	}
	f, err := os.Open(file)
	if err != nil {
		return indexed{}, err
	}
	defer f.Close()
	return indexed{ref: ref, files: metadata.Index.Len(), layers: len(info.Layers)}, f.Sync()
}

// blame says why CLIP could not index or mount an image.
func (q question) blame(ctx context.Context, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return interrupted("")
	case isAnswer(err):
		_, err = q.read(err)
		return err
	}
	return &helpers.Failure{Reason: helpers.Internal, Text: "CLIP cannot read " + q.ref.String() + ": " + err.Error(), Cause: err}
}

// isAnswer tells whether an error is what a registry said, which is not repeated, or that it said nothing.
func isAnswer(err error) bool {
	if _, ok := errors.AsType[*transport.Error](err); ok {
		return true
	}
	_, ok := errors.AsType[net.Error](err)
	return ok
}
