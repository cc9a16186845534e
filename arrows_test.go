// Package arrows holds who may import whom. Its test asks the go command, whose answers the test cache does not know:
// run it with -count=1.
package arrows

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/beam-cloud/docker-credential-beta9"

// An arrow says what the packages of a pattern may import, beside the standard library. A pattern is a path inside the
// module: "..." at its end stands for everything below, and "*" for one component, the same one wherever it stands in the
// row.
type arrow struct {
	from string
	to   []string // patterns inside the module
	// Packages of other modules; nil allows any.
	others []string
}

var (
	none     = []string{}
	anything []string
)

// arrows are the rows in the order in which they are matched: the first one whose pattern fits a package counts. A
// package without a row has no place in the design yet.
var arrows = []arrow{
	{"helpers", none, []string{"github.com/docker/docker-credential-helpers/credentials"}},
	{"helpers/upstream", []string{"helpers"}, anything},
	{"helpers/jwt", none, none},
	{"helpers/sigv4", none, none},
	{"helpers/*", []string{"helpers", "helpers/upstream", "helpers/jwt", "helpers/sigv4"}, anything},

	{"cmd/docker-credential-beta9", []string{"internal/..."}, none},
	{"cmd/docker-credential-beta9-*", []string{"helpers/*", "internal/..."}, none},
	{"cmd/beta9-credentials/...", []string{"..."}, anything},

	{"internal/demo/...", []string{"..."}, anything},                                         // shows all of it
	{"internal/bench/...", []string{"..."}, anything},                                        // measures all of it
	{"internal/cloudtest/...", []string{"helpers", "helpers/jwt", "internal/..."}, anything}, // stand-ins of token services, for tests
	{"internal/...", []string{"helpers", "internal/..."}, anything},

	// How a helper is executed is one thing for the worker, for the dispatcher and for the command.
	{"provider", []string{"helpers", "internal/execute", "internal/socket/listener", "internal/stack"}, []string{
		"github.com/google/go-containerregistry/pkg/authn", "github.com/google/go-containerregistry/pkg/name",
	}},

	{"secrets", []string{"helpers"}, none},
	{"secrets/secretstest", []string{"helpers", "secrets", "internal/needs", "internal/file/filetest"}, anything}, // the suite of the stores
	{"secrets/...", []string{"helpers", "secrets", "secrets/internal/..."}, anything},

	{"provider/workertest", []string{"..."}, anything}, // what a worker does, on the real CLIP

	{"conformance", []string{"helpers", "internal/needs"}, none},
	{"docs", []string{"..."}, anything}, // the test that types what the pages say
}

// ends are what imports everything and is imported by nobody but itself.
var ends = []string{"internal/bench/...", "internal/demo/...", "cmd/..."}

// light are the commands that a client waits for at every pull, and never link what opens a socket.
var light = struct{ commands, without, others []string }{
	commands: []string{
		"cmd/docker-credential-beta9", "cmd/docker-credential-beta9-dockerhub", "cmd/docker-credential-beta9-generic",
		"cmd/docker-credential-beta9-ghcr", "cmd/docker-credential-beta9-ngc", "helpers",
	},
	without: []string{"net", "net/http", "crypto/tls", "crypto/x509", "net/url", "text/template", "html/template", "regexp", "testing"},
	others:  []string{"github.com/docker/docker-credential-helpers/credentials", "golang.org/x/sys/unix", "golang.org/x/sys/windows"},
}

// A listed package is what go list tells of it.
type listed struct {
	ImportPath string
	Imports    []string
	Deps       []string
	Standard   bool
}

// list asks the go command for the packages of the module and all that they depend on, as they are built for a system.
func list(t *testing.T, goos string) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Imports,Deps,Standard", "./...")
	cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH=amd64", "CGO_ENABLED=0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	var packages []listed
	dec := json.NewDecoder(bytes.NewReader(out))
	for {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

// inside returns the path of a package inside the module.
func inside(path string) (string, bool) {
	if path == module {
		return "", true
	}
	return strings.CutPrefix(path, module+"/")
}

// match tells whether a path fits a pattern, and what the asterisk stands for; an asterisk that is already known stands
// for that alone.
func match(pattern, path, star string) (string, bool) {
	if below, ok := strings.CutSuffix(pattern, "..."); ok {
		return star, strings.HasPrefix(path+"/", below)
	}
	before, after, ok := strings.Cut(pattern, "*")
	if !ok {
		return star, pattern == path
	}
	rest, ok := strings.CutPrefix(path, before)
	if !ok {
		return "", false
	}
	middle, ok := strings.CutSuffix(rest, after)
	if !ok || middle == "" || strings.Contains(middle, "/") || star != "" && star != middle {
		return "", false
	}
	return middle, true
}

// check returns what is wrong with the imports of the packages.
func check(packages []listed) (faults []string) {
	standard := map[string]bool{"C": true, "unsafe": true}
	for _, p := range packages {
		standard[p.ImportPath] = standard[p.ImportPath] || p.Standard
	}
	for _, p := range packages {
		path, ok := inside(p.ImportPath)
		if !ok || path == "" { // another module's, or this test's
			continue
		}
		row, star, ok := rowOf(path)
		if !ok {
			faults = append(faults, path+" has no row")
			continue
		}
		for _, imported := range p.Imports {
			to, ours := inside(imported)
			switch {
			case standard[imported]:
			case ours:
				if !slices.ContainsFunc(row.to, func(pattern string) bool { _, ok := match(pattern, to, star); return ok }) || isEnd(to, path) {
					faults = append(faults, path+" imports "+to)
				}
			case row.others != nil && !slices.Contains(row.others, imported):
				faults = append(faults, path+" imports "+imported)
			}
		}
		if slices.Contains(light.commands, path) {
			for _, dep := range p.Deps {
				_, ours := inside(dep)
				if dep == "net" && slices.Contains(p.Deps, "golang.org/x/sys/windows") {
					continue // that package imports it, and there is no other to close a process or to ask for an owner
				}
				if slices.Contains(light.without, dep) || !ours && !standard[dep] && !slices.Contains(light.others, dep) {
					faults = append(faults, path+" depends on "+dep)
				}
			}
		}
	}
	return faults
}

// isEnd tells whether a package is one of the ends, and another than the one that imports it belongs to.
func isEnd(to, from string) bool {
	return slices.ContainsFunc(ends, func(pattern string) bool {
		_, is := match(pattern, to, "")
		_, same := match(pattern, from, "")
		return is && !same
	})
}

func rowOf(path string) (arrow, string, bool) {
	for _, row := range arrows {
		if star, ok := match(row.from, path, ""); ok {
			return row, star, true
		}
	}
	return arrow{}, "", false
}

func TestNobodyImportsAgainstTheArrows(t *testing.T) {
	for _, goos := range []string{"linux", "darwin", "windows"} {
		packages := list(t, goos)
		for _, fault := range check(packages) {
			t.Errorf("%s: %s", goos, fault)
		}
		for _, command := range light.commands {
			if !slices.ContainsFunc(packages, func(p listed) bool { return p.ImportPath == module+"/"+command }) {
				t.Errorf("%s: there is no %s", goos, command)
			}
		}
	}
}

func TestAnArrowTheWrongWayIsFound(t *testing.T) {
	for _, row := range []struct {
		from, imports, want string
	}{
		{"helpers", "strings", ""},
		{"helpers", "github.com/docker/docker-credential-helpers/credentials", ""},
		{"helpers", "github.com/docker/docker-credential-helpers/client", "helpers imports github.com/docker/docker-credential-helpers/client"},
		{"helpers", module + "/helpers/ecr", "helpers imports helpers/ecr"},
		{"helpers/ghcr", module + "/helpers", ""},
		{"helpers/ghcr", module + "/helpers/ngc", "helpers/ghcr imports helpers/ngc"},
		{"helpers/ghcr", module + "/internal/serve", "helpers/ghcr imports internal/serve"},
		{"helpers/ecr", "github.com/aws/aws-sdk-go-v2/aws", ""},
		{"cmd/docker-credential-beta9-ghcr", module + "/helpers/ghcr", ""},
		{"cmd/docker-credential-beta9-ghcr", module + "/helpers/ngc", "cmd/docker-credential-beta9-ghcr imports helpers/ngc"},
		{"cmd/docker-credential-beta9-ghcr", module + "/secrets", "cmd/docker-credential-beta9-ghcr imports secrets"},
		{"cmd/docker-credential-beta9", module + "/helpers/ghcr", "cmd/docker-credential-beta9 imports helpers/ghcr"},
		{"cmd/beta9-credentials", module + "/secrets/postgres", ""},
		{"internal/serve", module + "/helpers", ""},
		{"internal/serve", module + "/helpers/ghcr", "internal/serve imports helpers/ghcr"},
		{"internal/serve", module + "/provider", "internal/serve imports provider"},
		{"internal/serve", module + "/internal/bench/cases", "internal/serve imports internal/bench/cases"},
		{"internal/bench/cases", module + "/provider", ""},
		{"internal/bench", module + "/internal/bench/cases", ""},
		{"provider", module + "/internal/execute", ""},
		{"provider", module + "/internal/serve", "provider imports internal/serve"},
		{"provider", module + "/secrets", "provider imports secrets"},
		{"provider", "github.com/google/go-containerregistry/pkg/authn", ""},
		{"provider", "github.com/google/go-containerregistry/pkg/v1/remote", "provider imports github.com/google/go-containerregistry/pkg/v1/remote"},
		{"secrets", module + "/secrets/sqlite", "secrets imports secrets/sqlite"},
		{"secrets/sqlite", module + "/secrets", ""},
		{"secrets/sqlite", module + "/secrets/postgres", "secrets/sqlite imports secrets/postgres"},
		{"helpersx", "strings", "helpersx has no row"},
		{"somewhere/else", "strings", "somewhere/else has no row"},
	} {
		packages := []listed{{ImportPath: "strings", Standard: true}, {ImportPath: module + "/" + row.from, Imports: []string{row.imports}}}
		if got := strings.Join(check(packages), "; "); got != row.want {
			t.Errorf("%s importing %s: %q, want %q", row.from, row.imports, got, row.want)
		}
	}
	heavy := []listed{
		{ImportPath: "net/http", Standard: true},
		{ImportPath: module + "/cmd/docker-credential-beta9-ngc", Deps: []string{"net/http", "example.com/sdk", module + "/helpers", "golang.org/x/sys/unix"}},
	}
	if got := check(heavy); len(got) != 2 {
		t.Errorf("a helper that links net/http and an SDK: %q", got)
	}
}
