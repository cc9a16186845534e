package ecr

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest/aws"
)

const (
	// canary stands for a secret in what a service answers.
	canary = "not-a-secret-canary"
	// plainHost is a registry like most.
	plainHost = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
)

// A world is a cloud behind a proxy, and a machine that is led through the proxy and otherwise has nothing.
type world struct {
	t     *testing.T
	cloud *aws.Cloud
	proxy *cloudtest.Proxy
	env   map[string]string
	home  string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, cloud: aws.New(), proxy: cloudtest.NewProxy(t), env: map[string]string{}, home: t.TempDir()}
	w.cloud.Behind(w.proxy, "us-east-1", "eu-west-1")
	w.env["HOME"] = w.home
	w.env["PATH"] = os.Getenv("PATH")
	w.env["AWS_EC2_METADATA_DISABLED"] = "true"
	for _, entry := range w.proxy.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		w.env[name] = value
	}
	return w
}

// set puts variables into the environment, two arguments each.
func (w *world) set(pairs ...string) {
	for i := 0; i < len(pairs); i += 2 {
		w.env[pairs[i]] = pairs[i+1]
	}
}

// setKeys puts access keys into the environment.
func (w *world) setKeys(k aws.Keys) {
	w.set(accessKeyID, k.ID, secretAccessKey, k.Secret, sessionToken, k.Session)
}

// write writes a file of the machine and returns its path.
func (w *world) write(name, content string) string {
	w.t.Helper()
	path := filepath.Join(w.home, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o700); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// machine returns the machine as it is now.
func (w *world) machine(m *helpers.Map) helpers.Machine {
	env := maps.Clone(w.env)
	var environ []string
	for name, value := range env {
		environ = append(environ, name+"="+value)
	}
	slices.Sort(environ)
	return helpers.Machine{Getenv: func(name string) string { return env[name] }, Environ: environ, Map: m}
}

// ambient returns the machine's identity. Its firmware says nothing.
func (w *world) ambient(m *helpers.Map) *ambient {
	a, _ := Ambient(w.machine(m)).(*ambient)
	a.system = w.home
	return a
}

// principal returns whom a credential is for.
func (w *world) principal(c helpers.Credential) string {
	w.t.Helper()
	token, ok := w.cloud.Issued(c.Secret())
	if !ok || c.Username() != "AWS" || !c.ExpiresAt().Truncate(time.Second).Equal(token.Expires.Truncate(time.Second)) {
		w.t.Fatalf("the credential is not one that was issued: user %q, until %v", c.Username(), c.ExpiresAt())
	}
	return token.Principal
}

// called returns the hosts that were called, without repetitions.
func (w *world) called() []string {
	var hosts []string
	for _, host := range w.proxy.Called() {
		host = strings.TrimSuffix(host, ":443")
		if !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

func registry(t *testing.T, s string) helpers.Registry {
	t.Helper()
	r, err := helpers.ParseServerURL(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func material(t *testing.T, host string, k aws.Keys) helpers.Material {
	t.Helper()
	m, err := newKeys(registry(t, host), "the test", k.ID, k.Secret, k.Session)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func parseMap(t *testing.T, s string) *helpers.Map {
	t.Helper()
	m, err := helpers.ParseMap([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// wants checks the reason of an error, and that it tells no secret.
func wants(t *testing.T, err error, want helpers.Reason) {
	t.Helper()
	if helpers.ReasonOf(err) != want || want == "" && err != nil {
		t.Fatalf("got %v, not %q", err, want)
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		if f, ok := errors.AsType[*helpers.Failure](e); ok && strings.Contains(fmt.Sprint(f.Text, f.Hint, f.Cause), "not-a-secret") {
			t.Errorf("%q tells a secret", fmt.Sprint(f.Text, f.Hint, f.Cause))
		}
	}
}

// A log hears what is traced.
type log struct {
	mu          sync.Mutex
	left, taken []string
	hints       []string
}

func (l *log) context(ctx context.Context) context.Context {
	add := func(to *[]string, s string) {
		l.mu.Lock()
		defer l.mu.Unlock()
		*to = append(*to, s)
	}
	return helpers.WithTrace(ctx, helpers.Trace{
		SourceLeft:  func(source, why string) { add(&l.left, source+": "+why) },
		SourceTaken: func(source string) { add(&l.taken, source) },
		Hint:        func(text string) { add(&l.hints, text) },
		Advice:      func(text string) { add(&l.hints, text) },
	})
}
