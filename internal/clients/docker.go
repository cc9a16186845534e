package clients

import "strings"

// dockerSettings are those of docker and of the clients that took over its configuration.
var dockerSettings = settings{file: ".docker/config.json", variable: "DOCKER_CONFIG", value: ".docker"}

var crane = kind{
	name:     "crane",
	tool:     true,
	settings: dockerSettings,
	pull: func(h Home, ref string, plain bool) []string {
		return flag(plain, "--insecure", "pull", ref, h.path("out", "crane.tar"))
	},
	login: func(_ Home, host, user string, _ bool) []string { // it stores without asking the registry
		return []string{"auth", "login", host, "-u", user, "--password-stdin"}
	},
	logout: func(_ Home, host string, _ bool) []string { return []string{"auth", "logout", host} },
}

// regctl logs in to a file of its own, .regctl/config.json, and looks there first.
var regctl = kind{
	name:     "regctl",
	tool:     true,
	settings: dockerSettings,
	pull: func(h Home, ref string, plain bool) []string {
		return append(regctlHost(hostOf(ref), plain), "image", "export", ref, h.path("out", "regctl.tar"))
	},
	login: func(_ Home, host, user string, plain bool) []string {
		return append(regctlHost(host, plain), "registry", "login", host, "-u", user, "--pass-stdin")
	},
	logout: func(_ Home, host string, plain bool) []string {
		return append(regctlHost(host, plain), "registry", "logout", host)
	},
}

func regctlHost(host string, plain bool) []string {
	if !plain {
		return nil
	}
	return []string{"--host", "reg=" + host + ",tls=disabled"}
}

var oras = kind{
	name:     "oras",
	tool:     true,
	settings: dockerSettings,
	pull: func(h Home, ref string, plain bool) []string {
		return append([]string{"copy"}, flag(plain, "--from-plain-http", "--to-oci-layout", ref, h.path("out", "oras")+":1")...)
	},
	login: func(_ Home, host, user string, plain bool) []string {
		return append([]string{"login"}, flag(plain, "--plain-http", "-u", user, "--password-stdin", host)...)
	},
	logout: func(_ Home, host string, _ bool) []string { return []string{"logout", host} },
}

// docker takes a registry on a loopback address for one that may speak plain HTTP; logging in has no option for another.
var docker = kind{
	name:     "docker",
	settings: dockerSettings,
	pull: func(_ Home, ref string, plain bool) []string {
		return append([]string{"manifest", "inspect"}, flag(plain, "--insecure", ref)...)
	},
	login: func(_ Home, host, user string, _ bool) []string {
		return append([]string{"login", "-u", user, "--password-stdin"}, dockerHost(host)...)
	},
	logout: func(_ Home, host string, _ bool) []string { return append([]string{"logout"}, dockerHost(host)...) },
}

// dockerHost leaves Docker Hub unnamed: `docker logout docker.io` does not undo `docker login docker.io`.
func dockerHost(host string) []string {
	if host == "docker.io" {
		return nil
	}
	return []string{host}
}

// flag puts the flag in front of the arguments when it is called for.
func flag(on bool, name string, args ...string) []string {
	if !on {
		return args
	}
	return append([]string{name}, args...)
}

// hostOf is the host of a reference that has one.
func hostOf(ref string) string {
	host, _, _ := strings.Cut(ref, "/")
	return host
}
