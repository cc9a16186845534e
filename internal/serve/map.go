package serve

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/folders"
)

// MapFile returns the path of the map file: the one that MapVariable names, whether it is there or not, or the one in the
// folder of the configuration if there is one, which is not the usual case.
func (p Process) MapFile() string {
	if path := p.Getenv(MapVariable); path != "" {
		return path
	}
	folder, err := folders.New(p.Getenv).Config()
	if err != nil {
		return "" // without a home there is no map
	}
	path := filepath.Join(folder, "registries.json")
	// A home that leads through a file, such as the /dev/null of some services, is none.
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return ""
	}
	return path
}

// Map reads the map file.
func (p Process) Map() (*helpers.Map, error) {
	path := p.MapFile()
	if path == "" {
		return nil, nil
	}
	return helpers.ReadMap(path)
}
