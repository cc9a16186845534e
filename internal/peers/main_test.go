package peers_test

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest"
	"github.com/beam-cloud/docker-credential-beta9/internal/commands"
	"github.com/beam-cloud/docker-credential-beta9/internal/peers"
)

func TestMain(m *testing.M) {
	code := commands.Main(m)
	peers.Remove()
	os.Exit(code)
}

// notFound is what a helper prints for the outcome "none".
const notFound = "credentials not found in native keychain"

// A side is one of the two helpers of a comparison, on a machine of its own.
type side struct {
	t       *testing.T
	program string
	home    string
	env     map[string]string
	proxy   *cloudtest.Proxy
}

func newSide(t *testing.T, program string) *side {
	t.Helper()
	s := &side{t: t, program: program, home: t.TempDir(), env: map[string]string{}, proxy: cloudtest.NewProxy(t)}
	s.set("HOME", s.home, "PATH", os.Getenv("PATH"), "XDG_RUNTIME_DIR", "", "BETA9_CREDENTIAL_TIMEOUT", "60s",
		"AWS_MAX_ATTEMPTS", "2") // the peer's; ours are few
	for _, entry := range s.proxy.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		s.set(name, value)
	}
	return s
}

func (s *side) set(pairs ...string) {
	for i := 0; i < len(pairs); i += 2 {
		s.env[pairs[i]] = pairs[i+1]
	}
}

func (s *side) write(name, content string) string {
	s.t.Helper()
	path := filepath.Join(s.home, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o700)); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// command returns a call of the helper.
func (s *side) command(verb, stdin string) *exec.Cmd {
	cmd := exec.CommandContext(s.t.Context(), s.program, verb)
	cmd.Stdin = strings.NewReader(stdin)
	for _, name := range slices.Sorted(maps.Keys(s.env)) {
		cmd.Env = append(cmd.Env, name+"="+s.env[name])
	}
	return cmd
}

// run calls the helper and returns its outcome in a word: the secret of a success of get; "ok" for another verb's; "none";
// or "failed", with a reason where the helper gives one.
func (s *side) run(verb, stdin string) string {
	s.t.Helper()
	cmd := s.command(verb, stdin)
	var out bytes.Buffer
	cmd.Stdout = &out
	err := cmd.Run()
	line := strings.TrimSpace(out.String())
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		s.t.Fatal(err)
	}
	switch {
	case err == nil && verb == "get":
		var answer struct{ Secret string }
		if err := json.Unmarshal(out.Bytes(), &answer); err != nil {
			s.t.Fatalf("%s: %v", s.program, err)
		}
		return answer.Secret
	case err == nil:
		return "ok"
	case line == notFound:
		return "none"
	}
	if reason, _, ok := strings.Cut(line, ":"); ok && !strings.ContainsAny(reason, " /") {
		return "failed: " + reason
	}
	return "failed"
}

// called returns the hosts that were asked for, without repetitions.
func (s *side) called() []string {
	var hosts []string
	for _, host := range s.proxy.Called() {
		if host = strings.TrimSuffix(host, ":443"); !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// A difference is what the two helpers make of one thing, and why they need not agree: who is right, and for what reason.
type difference struct{ ours, theirs, why string }

// check compares with what was seen.
func (d difference) check(t *testing.T, ours, theirs string) {
	t.Helper()
	theirsWanted := cmp.Or(d.theirs, d.ours)
	if ours != d.ours || theirs != theirsWanted {
		t.Errorf("ours: %s, not %s; theirs: %s, not %s", ours, d.ours, theirs, theirsWanted)
	}
	if (d.ours != theirsWanted) != (d.why != "") {
		t.Errorf("a difference without a reason, or a reason without a difference: %q", d.why)
	}
}

// ours returns the path of one of our helpers.
func ours(t *testing.T, typ string) string {
	return filepath.Join(commands.Folder(t), "docker-credential-beta9-"+typ)
}

// hosts reads the first words of a table of hosts.
func hosts(t *testing.T, name string) []string {
	t.Helper()
	f, err := os.Open(filepath.Join("../../testdata/hosts", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if words := strings.Fields(lines.Text()); len(words) > 0 && !strings.HasPrefix(words[0], "#") {
			all = append(all, words[0])
		}
	}
	if len(all) == 0 {
		t.Fatal(fmt.Errorf("%s holds no hosts", name))
	}
	return all
}
