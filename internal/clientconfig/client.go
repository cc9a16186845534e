// Package clientconfig changes the configuration of the programs that pull images so that they call this project's
// helpers, and takes exactly its own changes back again.
package clientconfig

import (
	"errors"
	"path/filepath"
)

// A Client is a program, or a family of them, with a configuration file of its own.
type Client struct {
	// Name is what people call it.
	Name string
	// Stores tells whether it knows credsStore, one helper for all registries.
	Stores bool
	path   func(getenv func(string) string) (string, error)
}

// The clients there are.
var (
	// Docker stands for docker and all that read its file: BuildKit, crane, regctl, oras, helm.
	Docker = Client{Name: "docker", Stores: true, path: dockerPath}
	// Podman stands for podman, skopeo and buildah.
	Podman = Client{Name: "podman", path: podmanPath}
)

// Clients returns all clients.
func Clients() []Client { return []Client{Docker, Podman} }

// Path returns where the client keeps its configuration for the user whose environment this is.
func (c Client) Path(getenv func(string) string) (string, error) { return c.path(getenv) }

var errNoHome = errors.New("HOME is not set, and so there is no place for a configuration")

func dockerPath(getenv func(string) string) (string, error) {
	if folder := getenv("DOCKER_CONFIG"); folder != "" {
		return filepath.Abs(filepath.Join(folder, "config.json"))
	}
	return below(getenv, ".docker", "config.json")
}

// podmanPath returns the file that outlives the session: podman's first choice lies in the runtime folder, which is
// empty after a reboot, and it looks into this one after it.
func podmanPath(getenv func(string) string) (string, error) {
	if file := getenv("REGISTRY_AUTH_FILE"); file != "" {
		return filepath.Abs(file)
	}
	if folder := getenv("XDG_CONFIG_HOME"); filepath.IsAbs(folder) {
		return filepath.Join(folder, "containers", "auth.json"), nil
	}
	return below(getenv, ".config", "containers", "auth.json")
}

func below(getenv func(string) string, elements ...string) (string, error) {
	home := getenv(homeVariable)
	if home == "" {
		return "", errNoHome
	}
	return filepath.Join(append([]string{home}, elements...)...), nil
}
