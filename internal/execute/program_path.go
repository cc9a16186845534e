//go:build !linux

package execute

import (
	"errors"
	"io/fs"
	"os"
)

// target names the helper by its path, after one more look whether that is
// still the file that was checked. Windows does not let anybody replace it
// while it is open.
func (p *program) target() (string, error) {
	opened, err := p.file.Stat()
	if err != nil {
		return "", err
	}
	named, err := os.Lstat(p.path)
	if err != nil {
		return "", err
	}
	if !os.SameFile(opened, named) {
		return "", &TrustError{Path: p.path, Rule: RuleReplaced}
	}
	return p.path, nil
}

// clear has nothing to do where the helper is executed by its path.
func (p *program) clear(*feed) error { return nil }

// startFailure leaves out the path, which the caller puts in front.
func startFailure(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
