package cases

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/needs"
	vendors "github.com/beam-cloud/docker-credential-beta9/internal/peers"
)

// data is where the programs are that only the benchmark runs.
const data = "./internal/bench/cases/testdata/"

// The types, by what a hit needs.
var (
	staticTypes = []string{"dockerhub", "ghcr", "ngc", "generic"}
	cloudTypes  = []string{"ecr", "gcr", "acr"}
)

// Programs are the programs that are measured.
type Programs struct {
	tree       string
	built, dir string // as the linker wrote them, and as they are installed
	// Missing says which peer is not here, and how to get it.
	Missing []string
}

// The other programs, by their names in the folder.
const (
	empty      = "empty"
	emptyTwin  = "empty-twin" // another copy
	networked  = "networked"  // empty, with net/http linked
	trivial    = "trivial"
	dispatcher = "docker-credential-beta9"
	reference  = "docker-credential-reference"
	vendorECR  = "docker-credential-ecr-login"
	vendorGCR  = "docker-credential-gcr"
	pass       = "docker-credential-pass"
)

// peers are the programs of testdata/peers, by the package that they are built from.
var peers = map[string]string{
	reference: "./reference",
	vendorECR: vendors.ECR,
	vendorGCR: vendors.GCR,
	pass:      "github.com/docker/docker-credential-helpers/pass/cmd",
}

// Build builds everything that is measured in dir: ours by make build, what ours are compared with as a floor in the same way,
// and the peers as Go builds by default. tree is the root of the sources.
func Build(ctx context.Context, tree, dir string) (*Programs, error) {
	p := &Programs{tree: tree, built: filepath.Join(dir, "built"), dir: filepath.Join(dir, "installed")}
	if err := p.buildAll(ctx); err != nil {
		return nil, err
	}
	return p, p.Install()
}

// Install copies what was built, as whoever installs it does, in the place of the copies before. What the linker writes lies
// in memory in single pages, since it maps the file; what was copied lies there in larger pieces, and starts a tenth faster.
func (p *Programs) Install() error {
	if err := os.RemoveAll(p.dir); err != nil {
		return err
	}
	if err := os.Mkdir(p.dir, 0o755); err != nil {
		return err
	}
	if err := copyFile(p.path(emptyTwin), filepath.Join(p.built, empty)); err != nil {
		return err
	}
	return filepath.WalkDir(p.built, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(p.dir, strings.TrimPrefix(path, p.built))
		if entry.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		return copyFile(target, path)
	})
}

// copyFile copies a program in the way that cp and install do.
func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// buildAll builds the programs.
func (p *Programs) buildAll(ctx context.Context) error {
	tree, dir := p.tree, p.built
	ours := exec.CommandContext(ctx, "make", "--no-print-directory", "build", "BIN="+dir, "BUILDVCS=false")
	ours.Dir = tree
	if out, err := ours.CombinedOutput(); err != nil {
		return failed(ours, out, err)
	}
	collector, err := collectorOf(ctx, tree)
	if err != nil {
		return err
	}
	if err := p.build(ctx, tree, dir+string(filepath.Separator), collector, data+"empty", data+"networked"); err != nil {
		return err
	}
	// The provider runs a helper of the table and no other, so the trivial one goes by the name of one.
	if err := p.build(ctx, tree, filepath.Join(dir, trivial, helper("ghcr")), collector, "./internal/execute/testdata/trivial"); err != nil {
		return err
	}
	if err := p.build(ctx, tree, dir+string(filepath.Separator), nil, data+"crowd"); err != nil {
		return err
	}
	for _, store := range comparedStores {
		if err := p.run(ctx, tree, nil, "test", "-c", "-trimpath", "-buildvcs=false", "-o", filepath.Join(dir, tested(store)), store); err != nil {
			return err
		}
	}
	for name, pkg := range peers {
		if err := p.build(ctx, filepath.Join(tree, "testdata", "peers"), filepath.Join(dir, name), nil, pkg); err != nil {
			p.Missing = append(p.Missing, fmt.Sprintf("%s (%v)", name, err))
		}
	}
	for _, tool := range []string{"pass", "gpg"} {
		if _, err := needs.Find(tool); err != nil {
			p.Missing = append(p.Missing, fmt.Sprintf("%s (%v)", pass, err))
			if err := os.RemoveAll(filepath.Join(dir, pass)); err != nil {
				return err
			}
		}
	}
	return nil
}

// collectorOf returns the environment with which make build builds the helpers, besides that of all builds.
func collectorOf(ctx context.Context, tree string) ([]string, error) {
	cmd := exec.CommandContext(ctx, "make", "--no-print-directory", "collector")
	cmd.Dir = tree
	out, err := cmd.Output()
	if err != nil {
		return nil, failed(cmd, out, err)
	}
	return strings.Fields(string(out)), nil
}

func (p *Programs) build(ctx context.Context, in, to string, environ []string, packages ...string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return p.run(ctx, in, environ, append([]string{"build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", to}, packages...)...)
}

// run runs the go command.
func (p *Programs) run(ctx context.Context, in string, environ []string, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = in
	cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off"), environ...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return failed(cmd, out, err)
	}
	return nil
}

// failed tells of a build by the last line that it printed.
func failed(cmd *exec.Cmd, out []byte, err error) error {
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	return fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, lines[len(lines)-1])
}

// Has tells whether a program is here.
func (p *Programs) Has(name string) bool {
	_, err := os.Stat(p.path(name))
	return err == nil
}

func (p *Programs) path(name string) string { return filepath.Join(p.dir, name) }

// helper is the file name of a type's helper.
func helper(typ string) string { return helpers.ExecutablePrefix + typ }

// trivial is the path of the trivial helper, which answers for ghcr.io.
func (p *Programs) trivial() string { return filepath.Join(p.trivialFolder(), helper("ghcr")) }

func (p *Programs) trivialFolder() string { return filepath.Join(p.dir, trivial) }

// size is a program's, in bytes.
func (p *Programs) size(name string) (float64, error) {
	info, err := os.Stat(p.path(name))
	if err != nil {
		return 0, err
	}
	return float64(info.Size()), nil
}

// Fingerprint stands for what is measured: all that was built, and this program with what it measures in itself.
func (p *Programs) Fingerprint() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	add := func(name, path string) error {
		data, err := os.ReadFile(path)
		if err == nil {
			fmt.Fprintf(h, "%s %s %d\n", runtime.Version(), name, len(data))
			h.Write(data)
		}
		return err
	}
	if err := add("", self); err != nil {
		return "", err
	}
	err = filepath.WalkDir(p.built, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		return add(strings.TrimPrefix(path, p.built), path)
	})
	return hex.EncodeToString(h.Sum(nil)[:8]), err
}
