package serve

import (
	"fmt"
	"runtime/debug"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// module is what version names as the origin of the helper.
const module = "github.com/beam-cloud/docker-credential-beta9"

// usage carries out the verbs and options that need no request, and refuses everything that is not a verb.
func usage(name string, p Process) (code int, done bool) {
	if len(p.Args) == 1 {
		switch p.Args[0] {
		case helpers.VerbGet, helpers.VerbStore, helpers.VerbErase, helpers.VerbList:
			return 0, false
		case helpers.VerbVersion, "--version", "-v":
			return printed(p, name+" ("+module+") "+Revision()+"\n", 0)
		case "--help", "-h":
			return printed(p, usageText(name), 0)
		}
	}
	return printed(p, usageText(name), 1)
}

func printed(p Process, text string, code int) (int, bool) {
	if _, err := fmt.Fprint(p.Stdout, text); err != nil {
		return 1, true
	}
	return code, true
}

func usageText(name string) string {
	return "usage: " + name + " get|store|erase|list|version\n\n" +
		"A credential helper: docker, podman and their relatives call it and write the request to its stdin.\n" +
		"People use beta9-credentials.\n"
}

// Revision returns the version that the binary was built from, or "(devel)" when the build did not tell.
func Revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
