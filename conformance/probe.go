package conformance

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

const (
	// patience is how long a call may take before it is taken for hung: the longest deadline that a person waits for, with
	// room for a loaded machine.
	patience = 20 * time.Second
	// maxOutput is how much of a helper's output is kept, in bytes: an answer with the largest secret, in JSON.
	maxOutput = 8 * helpers.MaxSecret

	notFound    = "credentials not found in native keychain"
	noServerURL = "no credentials server URL"
)

// A probe is one run of one case: a home, an environment, and what was found.
type probe struct {
	Helper
	id       string
	dir      string // removed after the case
	env      []string
	adjust   func(*exec.Cmd) // of every call
	findings *[]Finding
}

func newProbe(id string, h Helper) (*probe, error) {
	h.Username = cmp.Or(h.Username, "user")
	h.Secret = cmp.Or(h.Secret, "secret")
	h.Descriptors = cmp.Or(h.Descriptors, 16)
	dir, err := os.MkdirTemp("", "conformance-"+id+"-")
	if err != nil {
		return nil, err
	}
	p := &probe{Helper: h, id: id, dir: dir, findings: new([]Finding)}
	if err := p.settle(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return p, nil
}

// settle makes the folders and the environment.
func (p *probe) settle() error {
	home, tmp := filepath.Join(p.dir, "home"), filepath.Join(p.dir, "tmp")
	p.env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + tmp, "BETA9_CREDENTIAL_HOME=" + filepath.Join(home, "credentials"),
		// A case must not reach for the identity of the machine it runs on.
		"BETA9_CREDENTIAL_AMBIENT=off", "AWS_EC2_METADATA_DISABLED=true",
	}, p.Env...)
	if root := os.Getenv("SYSTEMROOT"); root != "" {
		p.env = append(p.env, "SYSTEMROOT="+root) // without it no program starts on Windows
	}
	// Other users may pass, because some cases run the helper as one.
	return errors.Join(os.Chmod(p.dir, 0o711), os.Mkdir(home, 0o700), os.Mkdir(tmp, 0o700))
}

// apart returns a probe with folders of its own inside those of p. What it finds is found by p.
func (p *probe) apart(name string) *probe {
	q := *p
	q.dir = filepath.Join(p.dir, name)
	if err := os.Mkdir(q.dir, 0o711); err != nil {
		p.sawf("the suite cannot make a folder: %v", err)
	}
	if err := q.settle(); err != nil {
		p.sawf("the suite cannot make a folder: %v", err)
	}
	return &q
}

// sawf notes a finding.
func (p *probe) sawf(format string, args ...any) {
	*p.findings = append(*p.findings, Finding{p.id, fmt.Sprintf(format, args...)})
}

// An outcome is how a call ended.
type outcome struct {
	stdout, stderr string
	code           int  // -1 when a signal ended it
	hung           bool // it had to be killed
}

func (o outcome) String() string {
	if o.hung {
		return "does not end"
	}
	return fmt.Sprintf("exit %d, stdout %s, stderr %s", o.code, brief(o.stdout), brief(o.stderr))
}

// brief quotes as much of s as fits on a line.
func brief(s string) string {
	if len(s) > 120 {
		return fmt.Sprintf("%q... (%d bytes)", s[:120], len(s))
	}
	return fmt.Sprintf("%q", s)
}

// A call is one call of the helper; its zero fields mean what most cases want.
type call struct {
	args   []string
	stdin  io.Reader // nil: the null device
	env    []string  // added to the probe's
	adjust func(*exec.Cmd)
}

// do calls the helper and waits for its end.
func (p *probe) do(c call) outcome {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := p.command(ctx, c.args...)
	cmd.Env = append(cmd.Env, c.env...)
	cmd.Stdin = c.stdin
	stdout, stderr := &capped{}, &capped{}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	for _, adjust := range []func(*exec.Cmd){p.adjust, c.adjust} {
		if adjust != nil {
			adjust(cmd)
		}
	}
	err := cmd.Run()
	o := outcome{stdout: stdout.String(), stderr: stderr.String(), code: -1, hung: ctx.Err() != nil}
	if cmd.ProcessState != nil {
		o.code = cmd.ProcessState.ExitCode()
	} else {
		o.stderr += err.Error()
	}
	return o
}

func (p *probe) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, p.Path, args...)
	cmd.Env = append([]string{}, p.env...) // never nil, which would be the environment of the test
	cmd.Dir = p.dir
	cmd.WaitDelay = time.Second // what the helper has started itself does not hold the suite
	return cmd
}

// capped keeps the first bytes of what is written to it. It embeds no buffer, whose ReadFrom would go around the cap.
type capped struct{ b bytes.Buffer }

func (c *capped) Write(p []byte) (int, error) {
	c.b.Write(p[:min(len(p), max(0, maxOutput-c.b.Len()))])
	return len(p), nil
}

func (c *capped) String() string { return c.b.String() }

func (p *probe) get(serverURL string) outcome {
	return p.do(call{args: []string{"get"}, stdin: strings.NewReader(serverURL)})
}

func (p *probe) erase(serverURL string) outcome {
	return p.do(call{args: []string{"erase"}, stdin: strings.NewReader(serverURL)})
}

func (p *probe) list() outcome {
	return p.do(call{args: []string{"list"}, stdin: strings.NewReader("unused")})
}

func (p *probe) store(serverURL, username, secret string) outcome {
	return p.storeJSON(loginJSON(serverURL, username, secret))
}

func (p *probe) storeJSON(input string) outcome {
	return p.do(call{args: []string{"store"}, stdin: strings.NewReader(input)})
}

// loginJSON is the input of store, as docker writes it.
func loginJSON(serverURL, username, secret string) string {
	var b bytes.Buffer
	_ = json.NewEncoder(&b).Encode(map[string]string{"ServerURL": serverURL, "Username": username, "Secret": secret}) // strings always have an encoding
	return b.String()
}

// An answer is what get prints.
type answer struct{ ServerURL, Username, Secret string }

// answer reads what get printed; it reports false when that is no credential.
func (o outcome) answer() (answer, bool) {
	var a answer
	ok := o.code == 0 && json.Unmarshal([]byte(o.stdout), &a) == nil
	return a, ok
}

// stores stores a login and notes it as a finding if that fails.
func (p *probe) stores(serverURL, username, secret string) bool {
	o := p.store(serverURL, username, secret)
	if o.code != 0 || o.hung {
		p.sawf("store for %s: %s, want exit 0", brief(serverURL), o)
		return false
	}
	return true
}

// gives notes it as a finding when get does not answer with the login, and the echo of what was asked.
func (p *probe) gives(serverURL, username, secret string) {
	o := p.get(serverURL)
	if a, ok := o.answer(); !ok || a.Username != username || a.Secret != secret {
		p.sawf("get %s: %s, want the stored login of %s with a secret of %d bytes", brief(serverURL), o, brief(username), len(secret))
	}
}

// givesNothing notes it as a finding when get does not say that it has nothing, in the very words.
func (p *probe) givesNothing(serverURL string) {
	if o := p.get(serverURL); !o.isNotFound() {
		p.sawf("get %s: %s, want exit 1 and %q", brief(serverURL), o, notFound)
	}
}

func (o outcome) isNotFound() bool {
	return !o.hung && o.code == 1 && strings.TrimRight(o.stdout, "\r\n") == notFound
}

// isRefusal tells whether a call failed as it has to: exit 1, and one printable line that says why and is not taken for
// "there is no credential".
func (o outcome) isRefusal() bool {
	return !o.hung && o.code > 0 && !o.isNotFound() && isLine(o.stdout)
}

// isLine tells whether s is one printable line of at most 512 bytes.
func isLine(s string) bool {
	line := strings.TrimSuffix(strings.TrimSuffix(s, "\n"), "\r")
	return line != "" && len(line) <= 512 && utf8.ValidString(line) && !strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) })
}

// refuses notes it as a finding when a call was not refused.
func (p *probe) refuses(what string, o outcome) {
	if !o.isRefusal() {
		p.sawf("%s: %s, want exit 1 and one line that says why", what, o)
	}
}

// succeeds notes it as a finding when a call that prints nothing did not end well.
func (p *probe) succeeds(what string, o outcome) {
	if o.hung || o.code != 0 || o.stdout != "" {
		p.sawf("%s: %s, want exit 0 and nothing on stdout", what, o)
	}
}

// listed returns what list prints, and notes it as a finding when that is not an object of strings.
func (p *probe) listed() map[string]string {
	o := p.list()
	var entries map[string]string
	if o.hung || o.code != 0 || json.Unmarshal([]byte(o.stdout), &entries) != nil || entries == nil {
		p.sawf("list: %s, want exit 0 and an object of server URLs and user names", o)
	}
	return entries
}

// nowhere leaves the helper no folder: every path that its environment names goes through a file.
func (p *probe) nowhere() {
	file := filepath.Join(p.dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		p.sawf("the suite cannot make a file: %v", err)
	}
	for i, entry := range p.env {
		p.env[i] = strings.ReplaceAll(entry, filepath.Join(p.dir, "home"), filepath.Join(file, "home"))
	}
}
