//go:build unix

package folders

import (
	"path/filepath"

	"github.com/beam-cloud/docker-credential-beta9/internal/file"
)

// parent returns the folder that holds this project's folder of kind k. The XDG base directory specification says that
// a variable which is empty or holds a relative path is ignored.
func (f Folders) parent(k kind) (string, error) {
	if k.tokens {
		if dir := f.getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) && file.IsPrivate(dir) {
			return dir, nil
		}
	}
	if dir := f.getenv(k.xdg); filepath.IsAbs(dir) {
		return dir, nil
	}
	home := f.getenv("HOME")
	switch {
	case home == "":
		return "", &Error{"HOME"}
	case !filepath.IsAbs(home):
		return "", &RelativeError{"HOME"}
	}
	return filepath.Join(home, k.belowHome), nil
}
