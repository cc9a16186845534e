package clients

import (
	"fmt"
	"slices"
)

// containersSettings are those of the clients that read containers-auth.json(5). They are told the file, as by a build.
var containersSettings = settings{
	file:     ".config/containers/auth.json",
	variable: "REGISTRY_AUTH_FILE",
	value:    ".config/containers/auth.json",
}

var skopeo = kind{
	name:     "skopeo",
	settings: containersSettings,
	pull: func(h Home, ref string, plain bool) []string {
		return []string{"copy", verify("src-tls-verify", plain), "docker://" + ref, "dir:" + h.path("out", "skopeo")}
	},
	login: func(_ Home, host, user string, plain bool) []string {
		return []string{"login", verify("tls-verify", plain), "-u", user, "--password-stdin", host}
	},
	logout: func(_ Home, host string, _ bool) []string { return []string{"logout", host} },
}

var buildah = storing("buildah", "pull", "--policy", "always")

var podman = storing("podman", "pull")

// storing is a client that unpacks what it pulls into containers-storage, here into a folder of the home, with the driver
// that needs nothing of the kernel.
func storing(name string, pull ...string) kind {
	command := func(h Home, args ...string) []string {
		global := []string{"--root", h.path("storage"), "--runroot", h.path("run", "storage"), "--storage-driver", "vfs"}
		if name == "podman" { // which keeps more than images
			global = append(global, "--tmpdir", h.path("run", "libpod"), "--cgroup-manager", "cgroupfs", "--events-backend", "none")
		}
		return append(global, args...)
	}
	return kind{
		name:     name,
		settings: containersSettings,
		pull: func(h Home, ref string, plain bool) []string {
			return command(h, slices.Concat(pull, []string{verify("tls-verify", plain), ref})...)
		},
		login: func(h Home, host, user string, plain bool) []string {
			return command(h, "login", verify("tls-verify", plain), "-u", user, "--password-stdin", host)
		},
		logout: func(h Home, host string, _ bool) []string { return command(h, "logout", host) },
	}
}

func verify(name string, plain bool) string { return fmt.Sprintf("--%s=%t", name, !plain) }
