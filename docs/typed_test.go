package docs_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/internal/clients"
	"github.com/beam-cloud/docker-credential-beta9/internal/commands"
	"github.com/beam-cloud/docker-credential-beta9/internal/file/filetest"
	"github.com/beam-cloud/docker-credential-beta9/internal/island"
	"github.com/beam-cloud/docker-credential-beta9/internal/needs"
	"github.com/beam-cloud/docker-credential-beta9/internal/registrytest"
)

// A fixture is what a page takes for granted and what is to be known about its commands. Lines are spelled as on the page.
type fixture struct {
	environ   []string          // what the page says is set
	before    string            // brings about what the page says is there
	after     string            // checks what the page says is the outcome
	databases bool              // the page speaks of databases
	clouds    bool              // the page speaks of clouds
	exits     map[string]int    // lines that end with another exit code than 0
	elsewhere map[string]string // lines that are not run here, and who runs them
}

// fixtures are those of the pages that need one.
var fixtures = map[string]fixture{
	"README.md": {
		elsewhere: map[string]string{
			"make demo     # a private registry, an image, the helpers and real clients, from end to end": "the test of internal/demo",
			"make test     # all tests; says what it skipped and how to get it":                           "whoever runs this test",
		},
		after: "docker manifest inspect ghcr.io/acme/app:1",
	},
	"docs/at-rest.md": {
		before: `printf %s "$TOKEN" | beta9-credentials login ghcr.io -u octocat --password-stdin; mount -t tmpfs none /media; mkdir -m 700 /media/stick`,
		after:  "beta9-credentials status ghcr.io",
	},
	"docs/cloud.md": {
		clouds: true,
		before: `printf %s "$SERVICE_ACCOUNT" >key.json`,
		exits:  map[string]int{"beta9-credentials check --json " + elastic + "/acme/none:1": 4},
		after:  "docker manifest inspect " + elastic + "/acme/app:1",
	},
	"docs/developer.md": {
		exits: map[string]int{"beta9-credentials status ghcr.io": 3},
	},
	"docs/operator.md": {
		databases: true,
		before:    `mount -t tmpfs none /srv; echo '{"type":"service_account"}' >key.json`,
		after:     "beta9-credentials key list | grep '1 .*current, used for writing'",
	},
	"docs/ci.md": {
		environ: []string{"REGISTRY=registry.example.com", "REGISTRY_USERNAME=alice", "REGISTRY_PASSWORD=" + token},
	},
}

// token is what pages mean by $TOKEN: the password of every account in every registry. It can be found nowhere else.
var token = "ghp_" + rand.Text()

// hosts are the registries that pages speak of, each with an image acme/app:1.
var hosts = []string{"ghcr.io", "nvcr.io", "registry.example.com", "registry-1.docker.io", "index.docker.io", "docker.io"}

// typed finds what people type at the beginning of a command.
var typed = regexp.MustCompile(`(?m)(?:^|[|;&(])[ \t]*(?:[A-Z0-9_]+=\S* )*(beta9-credentials|docker-credential-beta9[-a-z]*|docker|podman|skopeo|buildah|crane|regctl|oras|make|git)(?: |$)`)

func TestTyped(t *testing.T) {
	t.Parallel()
	all := pages(t)
	for name := range fixtures {
		if !slices.ContainsFunc(all, func(p page) bool { return p.name == name }) {
			t.Errorf("a fixture is left of %s", name)
		}
	}
	for _, p := range all {
		if !slices.ContainsFunc(p.blocks, func(b block) bool { return b.language == "sh" }) {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			folder := programs(t, p)
			needs.Root(t) // elsewhere the folders above a helper belong to nobody that the island knows, and it is not run
			names := slices.Concat(hosts, clouds(), []string{database})
			island.Run(t, island.Config{Names: names, Environ: commands.Environ()}, func(t *testing.T, isle *island.Island) {
				o := registrytest.Options{
					TLS: isle.Authority.ServerConfig(), Auth: registrytest.Basic,
					Accounts: map[string]string{"octocat": token, "alice": token, "$oauthtoken": token},
				}
				for _, host := range hosts {
					o.Listen = append(o.Listen, host+":443")
				}
				registrytest.Start(t, o).MustPush(t, "acme/app:1", registrytest.SmallImage(t))
				f := fixtures[p.name]
				if f.databases {
					serveDatabases(t)
				}
				if f.clouds {
					f.environ = append(f.environ, serveClouds(t, isle)...)
				}
				newDesk(t, folder, f).read(t, p)
			})
		})
	}
}

// programs returns a folder with the programs that a page uses, other than the system's. Ours are among them unless the page
// installs them itself.
func programs(t *testing.T, p page) string {
	t.Helper()
	needs.Tool(t, "bash")
	folder, ours := t.TempDir(), true
	add := func(path string) {
		if err := os.Symlink(path, filepath.Join(folder, filepath.Base(path))); err != nil && !os.IsExist(err) {
			t.Fatal(err)
		}
	}
	for _, b := range p.blocks {
		if b.language != "sh" {
			continue
		}
		ours = ours && !strings.Contains(b.text, "make install")
		for _, m := range typed.FindAllStringSubmatch(b.text, -1) {
			switch name := m[1]; {
			case slices.Contains(clients.Names(), name):
				add(clients.Need(t, name).Path)
			case !strings.Contains(name, "beta9"):
				add(needs.Tool(t, name))
			}
		}
	}
	if ours {
		paths, err := filepath.Glob(filepath.Join(commands.Folder(t), "*beta9*"))
		if err != nil || len(paths) == 0 {
			t.Fatalf("no commands: %v", err)
		}
		for _, path := range paths {
			add(path)
		}
	}
	return folder
}

// A desk is where a reader sits: a shell whose variables and folder stay from one block to the next.
type desk struct {
	fixture
	home    string
	state   string // outside of home
	environ []string
}

func newDesk(t *testing.T, programs string, f fixture) *desk {
	t.Helper()
	d := &desk{fixture: f, home: clients.TempHome(t).Dir(), state: t.TempDir()}
	checkout := filepath.Join(d.home, "checkout")
	copyTree(t, checkout)
	d.environ = append([]string{
		"HOME=" + d.home,
		"XDG_RUNTIME_DIR=" + filepath.Join(d.home, "run"),
		"TMPDIR=" + filepath.Join(d.home, "tmp"),
		"PATH=" + programs + string(filepath.ListSeparator) + os.Getenv("PATH"),
		"SSL_CERT_FILE=" + os.Getenv("SSL_CERT_FILE"),
		"TOKEN=" + token,
	}, f.environ...)
	// The reader has built things before, and so has the modules, which cannot be fetched here.
	out, err := exec.Command("go", "env", "GOCACHE", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	cache, modules, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	d.environ = append(d.environ, "GOCACHE="+cache, "GOMODCACHE="+modules, "GOPROXY=off", "GOTOOLCHAIN=local")
	d.run(t, "cd "+checkout)
	return d
}

// copyTree copies the project, but for its history and what is built in it.
func copyTree(t *testing.T, to string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		switch {
		case rel == ".git" && !entry.IsDir(): // of a linked worktree
			return nil
		case rel == ".git" || rel == "bin":
			return filepath.SkipDir
		case entry.IsDir():
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		case !entry.Type().IsRegular():
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), data, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// read types every block of the page.
func (d *desk) read(t *testing.T, p page) {
	t.Helper()
	if d.before != "" {
		d.run(t, d.before)
	}
	known := map[string]bool{}
	for _, b := range p.blocks {
		if b.language != "sh" {
			continue
		}
		script := d.script(t, b.text, known)
		if !t.Run(fmt.Sprintf("line %d", b.line), func(t *testing.T) { d.run(t, script) }) {
			return // what comes after takes it for granted
		}
	}
	for line := range d.exits {
		if !known[line] {
			t.Errorf("the fixture knows a line that is not on the page: %s", line)
		}
	}
	for line := range d.elsewhere {
		if !known[line] {
			t.Errorf("the fixture knows a line that is not on the page: %s", line)
		}
	}
	if d.after != "" {
		d.run(t, d.after)
	}
	filetest.NoTrace(t, d.home, token)
}

// script is a block's text with what the fixture says of its lines, which it notes as known.
func (d *desk) script(t *testing.T, text string, known map[string]bool) string {
	t.Helper()
	var script strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if code, ok := d.exits[line]; ok {
			known[line] = true
			line = fmt.Sprintf("code=0; { %s\n} || code=$?; [ $code = %d ] || { echo exit code $code, want %d; exit 1; }", line, code, code)
		}
		if who, ok := d.elsewhere[line]; ok {
			known[line] = true
			t.Logf("not run here but by %s: %s", who, line)
			continue
		}
		script.WriteString(line + "\n")
	}
	return script.String()
}

// run runs a script in the shell.
func (d *desk) run(t *testing.T, script string) {
	t.Helper()
	variables, folder := filepath.Join(d.state, "variables"), filepath.Join(d.state, "folder")
	frame := fmt.Sprintf("if [ -e %[1]s ]; then . %[1]s; cd \"$(cat %[2]s)\"; fi\ntrap 'export -p >%[1]s; pwd >%[2]s' EXIT\n", variables, folder)
	cmd := exec.CommandContext(t.Context(), "bash", "-eu", "-c", frame+script)
	cmd.Env = d.environ
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	t.Logf("%s\n%s", strings.TrimSuffix(script, "\n"), out.Bytes())
	if err != nil {
		t.Errorf("%v", err)
	}
}
