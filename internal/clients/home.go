package clients

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Home is a folder in which clients find everything they would look for in a person's home, and leave what they would leave
// there. Nothing of the machine's own configuration of registries reaches them.
type Home struct {
	dir string
}

// NewHome furnishes the folder, which has to exist.
func NewHome(dir string) (Home, error) {
	h := Home{dir: dir}
	for _, sub := range []string{".docker", ".config/containers", ".local/share", ".cache", "run", "tmp", "out"} {
		if err := os.MkdirAll(h.path(sub), 0o700); err != nil {
			return Home{}, fmt.Errorf("home for clients: %w", err)
		}
	}
	for name, content := range map[string]string{
		".config/containers/auth.json":       "{}\n", // a file that the environment names has to be there
		".config/containers/policy.json":     `{"default":[{"type":"insecureAcceptAnything"}]}` + "\n",
		".config/containers/registries.conf": "",
	} {
		if err := os.WriteFile(h.path(name), []byte(content), 0o600); err != nil {
			return Home{}, fmt.Errorf("home for clients: %w", err)
		}
	}
	return h, nil
}

// TempHome is [NewHome] in a folder that goes away with the test. Its path is short, unlike that of t.TempDir: podman takes no
// more than 50 characters for the place of its state.
func TempHome(t testing.TB) Home {
	t.Helper()
	dir, err := os.MkdirTemp("", "home-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// Whoever is not root cannot remove what lies in the read-only folders of an unpacked image.
		err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				err = os.Chmod(path, 0o700)
			}
			return err
		})
		if err := errors.Join(err, os.RemoveAll(dir)); err != nil {
			t.Error(err)
		}
	})
	h, err := NewHome(dir)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// Dir returns the folder.
func (h Home) Dir() string { return h.dir }

// Command returns a command of any other program, which finds this home in the place of a person's, and nothing else in its
// environment. A test may append to it.
func (h Home) Command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = h.path("out")
	cmd.Env = h.environ()
	cmd.WaitDelay = 10 * time.Second // for what a killed program has left holding its output
	return cmd
}

func (h Home) path(parts ...string) string {
	return filepath.Join(append([]string{h.dir}, parts...)...)
}

// Configure writes the client's configuration file.
func (h Home) Configure(c Client, config map[string]any) error {
	data, err := json.Marshal(config)
	if err != nil {
		return fmt.Errorf("configuration of %s: %w", c.Name, err)
	}
	return os.WriteFile(c.Config(h), data, 0o600)
}

// Auths is a configuration that holds the credentials themselves, as a login without a helper leaves it, under each of the
// hosts.
func Auths(user, password string, hosts ...string) map[string]any {
	auths := map[string]any{}
	for _, host := range hosts {
		auths[host] = map[string]string{"auth": base64.StdEncoding.EncodeToString([]byte(user + ":" + password))}
	}
	return map[string]any{"auths": auths}
}

// settings is where clients of one family keep credentials, in a home, and the variable that names it to them.
type settings struct {
	file     string
	variable string
	value    string // the file, or its folder
}

// passed are the variables that a client gets as this process has them: where programs are, and whom TLS trusts.
var passed = []string{"PATH", "SSL_CERT_FILE", "SSL_CERT_DIR"}

func (h Home) environ() []string {
	env := []string{
		"HOME=" + h.dir,
		"TMPDIR=" + h.path("tmp"),
		"XDG_CONFIG_HOME=" + h.path(".config"),
		"XDG_DATA_HOME=" + h.path(".local", "share"),
		"XDG_CACHE_HOME=" + h.path(".cache"),
		"XDG_RUNTIME_DIR=" + h.path("run"),
		"CONTAINERS_REGISTRIES_CONF=" + h.path(".config", "containers", "registries.conf"),
	}
	for _, name := range passed {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}
