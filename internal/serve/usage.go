package serve

import (
	"runtime/debug"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// module is what version names as the origin of the helper.
const module = "github.com/beam-cloud/docker-credential-beta9"

// usage returns the outcome of the verbs and options that need no request, and of everything that is not a verb.
func usage(name string, args []string) (o Outcome, done bool) {
	if len(args) == 1 {
		switch args[0] {
		case helpers.VerbGet, helpers.VerbStore, helpers.VerbErase, helpers.VerbList:
			return Outcome{}, false
		case helpers.VerbVersion, "--version", "-v":
			return Outcome{Stdout: []byte(name + " (" + module + ") " + Revision() + "\n")}, true
		case "--help", "-h":
			return Outcome{Stdout: usageText(name)}, true
		}
	}
	return Outcome{Stdout: usageText(name), Code: 1}, true
}

func usageText(name string) []byte {
	return []byte("usage: " + name + " get|store|erase|list|version\n\n" +
		"A credential helper: docker, podman and their relatives call it and write the request to its stdin.\n" +
		"People use beta9-credentials.\n")
}

// Revision returns the version that the binary was built from, or "(devel)" when the build did not tell.
func Revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
