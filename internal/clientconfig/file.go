package clientconfig

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/beam-cloud/docker-credential-beta9/internal/file"
)

// read returns the content of a file, nil when there is none, and its path as resolve gives it.
func read(path string) (string, []byte, error) {
	resolved, err := resolve(path)
	if err != nil {
		return "", nil, err
	}
	info, err := os.Stat(resolved) // before opening it: opening a pipe would wait for a writer
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return resolved, nil, nil
	case err != nil:
		return "", nil, err
	case !info.Mode().IsRegular():
		return "", nil, &file.Error{Path: resolved, Err: file.ErrNotFile}
	case info.Size() > maxConfig:
		return "", nil, &file.Error{Path: resolved, Err: file.ErrTooLarge}
	}
	data, err := os.ReadFile(resolved)
	if err == nil && data == nil {
		data = []byte{}
	}
	return resolved, data, err
}

// resolve returns the absolute path of a file with links resolved, as clients resolve them: a person may keep the file
// elsewhere and link to it. The way to a file that is not there yet is resolved as well, so that a file has one name in
// the journal, before it is made and after.
func resolve(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	resolved, err := filepath.EvalSymlinks(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return resolved, err
	}
	if _, err := os.Lstat(path); err == nil {
		return "", fmt.Errorf("%s is a link to a file that is not there", path)
	}
	parent := filepath.Dir(path)
	if parent == path {
		return path, nil
	}
	if parent, err = resolve(parent); err != nil {
		return "", err
	}
	return filepath.Join(parent, filepath.Base(path)), nil
}

// replace writes the file, or takes it away. The caller holds the journal's lock.
func replace(result Result) error {
	parent := filepath.Dir(result.File)
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return err
	}
	folder, err := file.OpenShared(parent)
	if err != nil {
		return err
	}
	defer folder.Close()
	name := filepath.Base(result.File)
	// What a killed writer left behind holds the logins that the file held, and would keep them after a logout.
	if err := folder.Sweep(name); err != nil {
		return err
	}
	if result.Removed {
		return folder.Remove(name)
	}
	return folder.Replace(name, result.After)
}
