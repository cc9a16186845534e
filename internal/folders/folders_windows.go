package folders

import "path/filepath"

// parent returns the folder that holds this project's folder: the one part of a Windows profile that does not roam to
// other machines. It is the same for every kind.
func (f Folders) parent(kind) (string, error) {
	dir := f.getenv("LOCALAPPDATA")
	switch {
	case dir == "":
		return "", &Error{"LOCALAPPDATA"}
	case !filepath.IsAbs(dir):
		return "", &RelativeError{"LOCALAPPDATA"}
	}
	return dir, nil
}
