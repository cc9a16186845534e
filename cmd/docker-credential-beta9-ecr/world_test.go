package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest/aws"
	"github.com/beam-cloud/docker-credential-beta9/internal/commands"
)

func TestMain(m *testing.M) { os.Exit(commands.Main(m)) }

const (
	host     = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
	notFound = "credentials not found in native keychain"
	// delay is what every call upstream takes: one that takes nothing hides those that do not wait for each other.
	delay = 100 * time.Millisecond
)

// A world is a cloud behind a proxy, and a machine on which the helper runs.
type world struct {
	t      *testing.T
	cloud  *aws.Cloud
	proxy  *cloudtest.Proxy
	helper string
	home   string
	env    map[string]string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		t: t, cloud: aws.New(), proxy: cloudtest.NewProxy(t), home: t.TempDir(),
		helper: filepath.Join(commands.Folder(t), "docker-credential-beta9-ecr"),
	}
	w.cloud.Behind(w.proxy, "us-east-1", "eu-west-1")
	w.cloud.Gate.Order(aws.ECR, cloudtest.Delay(delay))
	w.env = map[string]string{
		"HOME": w.home, "PATH": os.Getenv("PATH"), "BETA9_CREDENTIAL_HOME": w.home + "/beta9",
		"BETA9_CREDENTIAL_TIMEOUT":  "60s", // the machine may be busy
		"AWS_EC2_METADATA_DISABLED": "true",
	}
	for _, entry := range w.proxy.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		w.env[name] = value
	}
	return w
}

// keys returns the variables of access keys.
func keys(k aws.Keys) map[string]string {
	return map[string]string{"AWS_ACCESS_KEY_ID": k.ID, "AWS_SECRET_ACCESS_KEY": k.Secret, "AWS_SESSION_TOKEN": k.Session}
}

func (w *world) write(name, content string) string {
	w.t.Helper()
	path := filepath.Join(w.home, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// A result is what a run of the helper gave.
type result struct {
	code           int
	stdout, stderr string
	username       string
	secret         string
}

// run runs the helper, with variables besides the world's.
func (w *world) run(verb, stdin string, besides ...map[string]string) result {
	return w.wrapped(nil, verb, stdin, besides...)
}

// wrapped runs the helper by another program.
func (w *world) wrapped(by []string, verb, stdin string, besides ...map[string]string) result {
	env := maps.Clone(w.env)
	for _, more := range besides {
		maps.Copy(env, more)
	}
	argv := append(slices.Clone(by), w.helper, verb)
	cmd := exec.CommandContext(w.t.Context(), argv[0], argv[1:]...)
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		w.t.Error(err)
	}
	r := result{code: cmd.ProcessState.ExitCode(), stdout: strings.TrimSpace(stdout.String()), stderr: stderr.String()}
	var answer struct{ Username, Secret string }
	if r.code == 0 && verb == "get" {
		if err := json.Unmarshal(stdout.Bytes(), &answer); err != nil {
			w.t.Errorf("the answer is no JSON: %v", err)
		}
	}
	r.username, r.secret = answer.Username, answer.Secret
	return r
}

// get runs the helper and returns whom the token is for.
func (w *world) get(server string, besides ...map[string]string) string {
	w.t.Helper()
	r := w.run("get", server, besides...)
	token, ok := w.cloud.Issued(r.secret)
	if r.code != 0 || r.username != "AWS" || !ok {
		w.t.Errorf("%s: exit %d, %q, %s", server, r.code, r.stdout, r.stderr)
	}
	return token.Principal
}

// together runs f n times at once, for 0 to n-1.
func together(n int, f func(int)) {
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { f(i) })
	}
	group.Wait()
}

func (w *world) asked(service string, want int) {
	w.t.Helper()
	if got := w.cloud.Gate.Count(service); got != want {
		w.t.Errorf("%d calls of %s, not %d", got, service, want)
	}
}
