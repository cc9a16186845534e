package registrytest

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"path"
	"runtime"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// File is a file of an image.
type File struct {
	Path string // in the image, from its root
	Mode os.FileMode
	Data []byte
}

// Program reads an executable of this machine to be a file of an image at the given path.
func Program(at, from string) (File, error) {
	data, err := os.ReadFile(from)
	if err != nil {
		return File{}, err
	}
	return File{Path: at, Mode: 0o755, Data: data}, nil
}

// Image makes an image for linux and this machine's architecture, with one layer for each list of files, the lowest first.
// The same files make the same image.
func Image(entrypoint []string, layers ...[]File) (v1.Image, error) {
	img := v1.Image(empty.Image)
	for _, files := range layers {
		data, err := archive(files)
		if err != nil {
			return nil, err
		}
		layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(data)), nil
		})
		if err != nil {
			return nil, fmt.Errorf("image layer: %w", err)
		}
		if img, err = mutate.AppendLayers(img, layer); err != nil {
			return nil, fmt.Errorf("image layer: %w", err)
		}
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("image configuration: %w", err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", runtime.GOARCH
	config.Config.Entrypoint = entrypoint
	if img, err = mutate.ConfigFile(img, config); err != nil {
		return nil, fmt.Errorf("image configuration: %w", err)
	}
	return img, nil
}

// archive writes files, and the folders they lie in, as a tar archive.
func archive(files []File) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	made := map[string]bool{}
	var folder func(dir string) error
	folder = func(dir string) error {
		if dir == "." || made[dir] {
			return nil
		}
		made[dir] = true
		if err := folder(path.Dir(dir)); err != nil {
			return err
		}
		return w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755})
	}
	for _, f := range files {
		at := strings.TrimPrefix(path.Clean("/"+f.Path), "/")
		if err := folder(path.Dir(at)); err != nil {
			return nil, fmt.Errorf("image file %s: %w", f.Path, err)
		}
		header := &tar.Header{Typeflag: tar.TypeReg, Name: at, Mode: int64(f.Mode.Perm()), Size: int64(len(f.Data))}
		if err := w.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("image file %s: %w", f.Path, err)
		}
		if _, err := w.Write(f.Data); err != nil {
			return nil, fmt.Errorf("image file %s: %w", f.Path, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("image layer: %w", err)
	}
	return b.Bytes(), nil
}

// Push puts an image into the registry under repository:tag, whatever access control and refusals are in force, and returns
// the reference by which clients pull it. The record does not show it.
func (r *Registry) Push(repositoryTag string, img v1.Image) (string, error) {
	options := []name.Option{}
	if r.Plain() {
		options = append(options, name.Insecure)
	}
	tag, err := name.NewTag(r.name+"/"+repositoryTag, options...)
	if err != nil {
		return "", fmt.Errorf("push: %w", err)
	}
	if err := remote.Write(tag, img, remote.WithTransport(r.direct())); err != nil {
		return "", fmt.Errorf("push %s: %w", repositoryTag, err)
	}
	return r.name + "/" + repositoryTag, nil
}
