//go:build unix

package provider

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

const here = "registry.example.com"

func TestHaveNoneFailed(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "honest")
	broken := errors.New("select secret where key = " + canary)
	tenant := source(func(_ context.Context, r helpers.Registry) (helpers.Material, error) {
		switch r.Host() {
		case here:
			return material(t, here+"/acme", "swordfish"), nil
		case "elsewhere.example.com":
			return material(t, "another.example.com", "swordfish"), nil
		case "123456789012.dkr.ecr.us-east-1.amazonaws.com":
			return material(t, r.HostPort(), "swordfish"), nil // generic: not the host's type
		case "broken.example.com":
			return helpers.Material{}, broken
		case "away.example.com":
			return helpers.Material{}, helpers.Fail(helpers.Unavailable, "the store is away", "")
		case "zero.example.com":
			return helpers.Material{}, nil
		}
		return helpers.Material{}, helpers.ErrNotFound
	})
	p := f.provider(Options{Source: tenant})
	tests := []struct {
		registry, scope string
		want            string
		reason          helpers.Reason
	}{
		{here, "acme/app", "swordfish/1", ""},
		{strings.ToUpper(here) + ":443", "acme", "swordfish/1", ""},
		{here, "", "swordfish/1", ""},
		{here, "acme/app@sha256", "swordfish/1", ""},
		{here, "acmeevil/app@sha256", "", ""},
		{here, "acmeevil/app", "", ""},
		{here + ":5000", "acme/app", "", ""},
		{"none.example.com", "", "", ""},
		{"elsewhere.example.com", "", "", ""},
		{"zero.example.com", "", "", ""},
		{"mcr.microsoft.com", "dotnet/runtime", "", ""}, // public images only
		{here + ".attacker.example", "acme/app", "", ""},
		{"attacker.example/" + here, "acme/app", "", ""},
		{"123456789012.dkr.ecr.us-east-1.amazonaws.com", "x", "", helpers.WrongHost},
		{"broken.example.com", "", "", helpers.Internal},
		{"away.example.com", "", "", helpers.Unavailable},
		{"", "", "", helpers.BadRequest},
		{here + "\n.evil.example", "", "", helpers.BadRequest},
		{here, "../../etc", "", helpers.BadRequest},
		{here, "Upper/Case", "", helpers.BadRequest},
		{here, "@sha256", "", helpers.BadRequest},
		{"../../bin/sh", "", "", helpers.BadRequest},
		{"a..b", "", "", helpers.BadRequest},
	}
	for _, tt := range tests {
		config, err := p.GetCredentials(t.Context(), tt.registry, tt.scope)
		if config == nil {
			t.Fatalf("%q %q: no configuration, and so CLIP uses the machine's own login", tt.registry, tt.scope)
		}
		if config.Password != tt.want || helpers.ReasonOf(err) != tt.reason || (err == nil) != (tt.reason == "") {
			t.Errorf("%q %q: password %q, error %v; want %q, reason %q", tt.registry, tt.scope, config.Password, err, tt.want, tt.reason)
		}
		if tt.want == "" && *config != (authn.AuthConfig{}) {
			t.Errorf("%q %q: the configuration is not empty", tt.registry, tt.scope)
		}
		if err != nil && strings.Contains(err.Error(), canary) {
			t.Errorf("%q: the error quotes the source: %v", tt.registry, err)
		}
	}
	f.wantRuns(1)
}

func TestTokenIsGetCredentials(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "honest")
	p := f.isolated(here, "swordfish")
	c, err := p.Token(t.Context(), registry(t, here+"/acme"))
	if err != nil || c.Username() != "user" || c.Secret() != "swordfish/1" {
		t.Errorf("have: %v", err)
	}
	if _, err := p.Token(t.Context(), registry(t, "none.example.com")); err != helpers.ErrNotFound {
		t.Errorf("none: %v", err)
	}
}

func TestIdentityTokenHasNoUser(t *testing.T) {
	t.Parallel()
	p := newFolder(t, "identity").isolated(here, "x")
	config, err := p.GetCredentials(t.Context(), here, "")
	if err != nil || *config != (authn.AuthConfig{IdentityToken: "identity-token"}) {
		t.Errorf("got %v", err)
	}
}

func TestCallersMayChangeWhatTheyGet(t *testing.T) {
	t.Parallel()
	p := newFolder(t, "honest").isolated(here, "swordfish")
	config, err := p.GetCredentials(t.Context(), here, "")
	must(t, err)
	config.Password = "changed"
	if got := secretOf(t, p, here, ""); got != "swordfish/1" {
		t.Errorf("the next caller gets %q", got)
	}
}

// What a helper sees of the process that runs it.
func TestHelperSeesAnExplicitEnvironment(t *testing.T) {
	for _, name := range []string{"AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "BETA9_CREDENTIAL_SOCKET", "HTTPS_PROXY", "LD_PRELOAD_X"} {
		t.Setenv(name, canary)
	}
	f := newFolder(t, "honest")
	maps := filepath.Join(t.TempDir(), "registries.json")
	must(t, os.WriteFile(maps, []byte(`{"registries":[{"host":"ghe.example.com","type":"ghcr"}]}`), 0o600))
	p := f.provider(Options{
		Source:  Materials{material(t, here+"/acme", "swordfish")},
		Network: Network{HTTPProxy: "http://proxy:1", HTTPSProxy: "http://proxy:2", NoProxy: "x", CertFile: "/ca.pem", CertDir: "/ca"},
		MapFile: maps,
	})
	secretOf(t, p, here, "acme/app")
	runs := f.runs()
	if len(runs) != 1 {
		t.Fatalf("%d runs", len(runs))
	}
	if want := "docker-credential-beta9-generic get " + here; runs[0].args != want {
		t.Errorf("called as %q, want %q", runs[0].args, want)
	}
	if runs[0].wd != "/" {
		t.Errorf("working folder %q", runs[0].wd)
	}
	got := slices.DeleteFunc(slices.Clone(runs[0].environ), func(entry string) bool {
		d, ok := strings.CutPrefix(entry, "BETA9_CREDENTIAL_TIMEOUT=")
		if left, err := time.ParseDuration(d); ok && (err != nil || left <= 0 || left >= defaultDeadline) {
			t.Errorf("the helper's deadline is %s of %s", d, defaultDeadline)
		}
		return ok
	})
	slices.Sort(got)
	want := []string{
		"BETA9_CREDENTIAL_AMBIENT=off", "BETA9_CREDENTIAL_CACHE=off", "BETA9_CREDENTIAL_EXTENDED=1", "BETA9_CREDENTIAL_FD=3",
		"BETA9_CREDENTIAL_REGISTRIES=" + maps, "GOMAXPROCS=2", "HTTPS_PROXY=http://proxy:2", "HTTP_PROXY=http://proxy:1",
		"NO_PROXY=x", "SSL_CERT_DIR=/ca", "SSL_CERT_FILE=/ca.pem",
	}
	if !slices.Equal(got, want) {
		t.Errorf("environment\n%q, want\n%q", got, want)
	}
}

func TestAmbientHelperSeesWhatItIsGiven(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "honest")
	p := f.provider(Options{Policy: Ambient, Environ: []string{"HOME=/home/me", "GITHUB_TOKEN=mine"}})
	if got := secretOf(t, p, here, "acme/app"); got != "ambient/1" {
		t.Errorf("secret %q", got)
	}
	r := f.runs()[0]
	if want := "docker-credential-beta9-generic get " + here + "/acme/app"; r.args != want {
		t.Errorf("called as %q, want %q", r.args, want)
	}
	for _, entry := range []string{"HOME=/home/me", "GITHUB_TOKEN=mine", "BETA9_CREDENTIAL_EXTENDED=1"} {
		if !slices.Contains(r.environ, entry) {
			t.Errorf("%s is missing", entry)
		}
	}
	for _, entry := range r.environ {
		if strings.HasPrefix(entry, "BETA9_CREDENTIAL_CACHE=") || strings.HasPrefix(entry, "BETA9_CREDENTIAL_AMBIENT=") {
			t.Errorf("%s is there", entry)
		}
	}
}

// Everything a helper can do wrong ends in a failure that tells its kind and repeats nothing.
func TestHelpersThatMisbehave(t *testing.T) {
	t.Parallel()
	tests := map[string]helpers.Reason{
		"throttled": helpers.Throttled,
		"mute":      helpers.Internal,
		"babble":    helpers.Internal,
		"silent":    helpers.BadAnswer,
		"garbage":   helpers.BadAnswer,
		"two":       helpers.BadAnswer,
		"ended":     helpers.Unavailable,
		"liar":      helpers.BadAnswer,
		"bell":      helpers.BadAnswer,
		"no-secret": helpers.BadAnswer,
		"expired":   helpers.BadAnswer,
		"undated":   helpers.BadAnswer,
		"flood":     helpers.BadAnswer,
		"hang":      helpers.Timeout,
		"suicide":   helpers.Internal,
		"hint":      helpers.LoginRequired,
	}
	for behaviour, want := range tests {
		t.Run(behaviour, func(t *testing.T) {
			t.Parallel()
			var heard []error
			deadline := time.Minute
			if want == helpers.Timeout {
				deadline = 300 * time.Millisecond
			}
			f := newFolder(t, behaviour)
			p := f.provider(Options{
				Source: Materials{material(t, here, "swordfish")}, Deadline: deadline,
				Trace: Trace{Failed: func(_ helpers.Registry, err error) { heard = append(heard, err) }},
			})
			config, err := p.GetCredentials(t.Context(), here, "acme/app")
			if config == nil || *config != (authn.AuthConfig{}) {
				t.Error("the configuration is not an empty one")
			}
			if helpers.ReasonOf(err) != want {
				t.Fatalf("reason %q, want %q: %v", helpers.ReasonOf(err), want, err)
			}
			if _, ok := errors.AsType[*helpers.Failure](err); !ok {
				t.Errorf("%T", err)
			}
			for e := err; e != nil; e = errors.Unwrap(e) {
				if text := fmt.Sprintf("%v %+v %q", e, e, helpers.HintOf(e)); strings.Contains(text, canary) || strings.Contains(text, "swordfish") {
					t.Errorf("the error repeats what is secret: %s", text)
				}
			}
			if helpers.HintOf(err) != "" && behaviour == "hint" {
				t.Errorf("a tenant's helper gets its hint through: %q", helpers.HintOf(err))
			}
			if len(heard) != 1 || heard[0] != err {
				t.Errorf("the trace heard %v", heard)
			}
			if want != helpers.Timeout { // in its time it may not even have come to write that it runs
				f.wantRuns(1)
			}
		})
	}
}

func TestHintReachesThePersonAtTheKeyboard(t *testing.T) {
	t.Parallel()
	p := newFolder(t, "hint").provider(Options{Policy: Ambient})
	_, err := p.GetCredentials(t.Context(), here, "")
	if got, want := helpers.HintOf(err), "run aws sso login [2J"; got != want {
		t.Errorf("hint %q, want %q", got, want)
	}
}

func TestHelperThatSaysNoneIsNone(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "none")
	config, err := f.isolated(here, "swordfish").GetCredentials(t.Context(), here, "")
	if err != nil || config == nil || *config != (authn.AuthConfig{}) {
		t.Errorf("got %v", err)
	}
	f.wantRuns(1)
}

// A helper that answers and leaves a child behind has answered; the child does not outlive the call.
func TestGrandchildIsKilled(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "linger")
	path := f.pipe("alive")
	ended := make(chan error, 1)
	go func() {
		alive, err := os.Open(path) // returns once the helper has opened its end
		if err == nil {
			_, err = io.ReadAll(alive) // returns once nobody holds that end any more
			alive.Close()
		}
		ended <- err
	}()
	if got := secretOf(t, f.isolated(here, "swordfish"), here, ""); got != "swordfish/1" {
		t.Errorf("secret %q", got)
	}
	must(t, <-ended)
}

func TestFolderThatOthersCanChange(t *testing.T) {
	t.Parallel()
	o := Options{Source: Materials{material(t, here, "swordfish")}}

	f := newFolder(t, "honest")
	p := f.provider(o)
	helper := filepath.Join(f.path, "docker-credential-beta9-generic")
	ask := func() error {
		p.Invalidate(here)
		_, err := p.GetCredentials(t.Context(), here, "")
		return err
	}
	must(t, ask())

	// The helper is swapped for something else.
	must(t, os.Remove(helper))
	must(t, os.Symlink(program, helper))
	if err := ask(); helpers.ReasonOf(err) != helpers.Internal || helpers.HintOf(err) == "" {
		t.Errorf("a link: %v", err)
	}
	must(t, os.Remove(helper))
	if err := ask(); helpers.ReasonOf(err) != helpers.Internal || helpers.HintOf(err) == "" {
		t.Errorf("nothing: %v", err)
	}
	must(t, os.WriteFile(helper, []byte("#!/bin/sh\necho "+canary+"\n"), 0o755))
	must(t, os.Chmod(helper, 0o777))
	if err := ask(); helpers.ReasonOf(err) != helpers.Internal || helpers.HintOf(err) == "" {
		t.Errorf("writable by others: %v", err)
	}
	must(t, os.Chmod(f.path, 0o777))
	if err := ask(); helpers.ReasonOf(err) != helpers.Internal || helpers.HintOf(err) == "" {
		t.Errorf("a folder writable by others: %v", err)
	}
	f.wantRuns(1)

	o.Folder = f.path
	if _, err := New(o); helpers.HintOf(err) == "" {
		t.Errorf("made with a folder that is writable by others: %v", err)
	}
	o.Folder = filepath.Join(f.path, "missing")
	if _, err := New(o); helpers.HintOf(err) == "" {
		t.Errorf("made without a folder: %v", err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "honest")
	some := Materials{}
	broken := filepath.Join(t.TempDir(), "registries.json")
	must(t, os.WriteFile(broken, []byte(`{"registries":[{"host":"x.example.com","type":"../evil"}]}`), 0o600))
	loose := filepath.Join(t.TempDir(), "registries.json")
	must(t, os.WriteFile(loose, []byte(`{"registries":[]}`), 0o600))
	must(t, os.Chmod(loose, 0o666))
	tests := map[string]Options{
		"no folder":             {Source: some},
		"a relative folder":     {Folder: "helpers", Source: some},
		"no source":             {Folder: f.path},
		"unknown policy":        {Folder: f.path, Source: some, Policy: 2},
		"isolated environment":  {Folder: f.path, Source: some, Environ: []string{"HOME=/"}},
		"ambient source":        {Folder: f.path, Source: some, Policy: Ambient},
		"a relative map":        {Folder: f.path, Source: some, MapFile: "registries.json"},
		"a missing map":         {Folder: f.path, Source: some, MapFile: broken + ".not"},
		"a map with a bad type": {Folder: f.path, Source: some, MapFile: broken},
		"a map of everybody's":  {Folder: f.path, Source: some, MapFile: loose},
		"negative deadline":     {Folder: f.path, Source: some, Deadline: -1},
		"negative concurrency":  {Folder: f.path, Source: some, Concurrent: -1},
		"zero byte":             {Folder: f.path, Source: some, Network: Network{HTTPProxy: "a\x00b"}},
	}
	for name, o := range tests {
		p, err := New(o)
		if err == nil {
			p.Close()
			t.Errorf("%s: accepted", name)
		} else if _, ok := errors.AsType[*helpers.Failure](err); !ok {
			t.Errorf("%s: %T", name, err)
		} else if helpers.HintOf(err) == "" {
			t.Errorf("%s: no hint about %v", name, err)
		}
	}
	p := f.provider(Options{Source: some})
	if _, err := p.For(nil); err == nil {
		t.Error("a tenant without a source")
	}
}

func TestPinnedHostsTakeTheirType(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "honest")
	maps := filepath.Join(t.TempDir(), "registries.json")
	must(t, os.WriteFile(maps, []byte(`{"registries":[{"host":"ghe.example.com","type":"ghcr"}]}`), 0o600))
	p := f.provider(Options{Policy: Ambient, MapFile: maps})
	secretOf(t, p, "ghe.example.com", "")
	if got, want := f.runs()[0].args, "docker-credential-beta9-ghcr get ghe.example.com"; got != want {
		t.Errorf("called %q, want %q", got, want)
	}
}

func TestPreflightTellsTheOutcomesApart(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "honest")
	f.write("life", "1h")
	p := f.provider(Options{Source: source(func(_ context.Context, r helpers.Registry) (helpers.Material, error) {
		switch r.Host() {
		case here:
			return material(t, here+"/acme", "swordfish"), nil
		case "away.example.com":
			return helpers.Material{}, helpers.Fail(helpers.Unavailable, "the store is away", "")
		}
		return helpers.Material{}, helpers.ErrNotFound
	})})
	tests := []struct {
		reference string
		outcome   Outcome
		typ       string
		reason    helpers.Reason
	}{
		{here + "/acme/app:1", Have, "generic", ""},
		{here + "/acme/app@sha256:" + strings.Repeat("0a", 32), Have, "generic", ""},
		{here + "/other/app", None, "generic", ""},
		{"ubuntu", None, "dockerhub", ""},
		{"mcr.microsoft.com/dotnet/runtime:9.0", None, "", ""},
		{"away.example.com/x", Failed, "generic", helpers.Unavailable},
		{"https://" + here + "/x", Failed, "", helpers.BadRequest},
	}
	for _, tt := range tests {
		got, err := p.Preflight(t.Context(), tt.reference)
		if got.Outcome != tt.outcome || got.Type != tt.typ || helpers.ReasonOf(err) != tt.reason {
			t.Errorf("%s: %+v, %v", tt.reference, got, err)
		}
		if (tt.outcome == Have) == got.ExpiresAt.IsZero() {
			t.Errorf("%s: expires at %v", tt.reference, got.ExpiresAt)
		}
	}
	// CLIP's own question is answered by what Preflight has found.
	secretOf(t, p, here, "acme/app")
	f.wantRuns(1)
}

func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "gated")
	f.pipe("gate") // which nobody opens
	running := make(chan struct{})
	p := f.provider(Options{
		Source: Materials{material(t, here, "swordfish")},
		Trace:  Trace{ExecStart: func(Exec) { close(running) }},
	})
	result := make(chan error, 1)
	go func() {
		_, err := p.GetCredentials(context.Background(), here, "")
		result <- err
	}()
	<-running
	must(t, p.Close())
	if err := <-result; helpers.ReasonOf(err) != helpers.Canceled {
		t.Errorf("the caller was told %v", err)
	}
	config, err := p.GetCredentials(t.Context(), here, "")
	if config == nil || helpers.ReasonOf(err) != helpers.Canceled || !errors.Is(err, errClosed) {
		t.Errorf("after Close: %v", err)
	}
	must(t, p.Close())
}

func TestCloseForgetsWhatWasRemembered(t *testing.T) {
	t.Parallel()
	p := newFolder(t, "honest").isolated(here, "swordfish")
	secretOf(t, p, here, "")
	must(t, p.Close())
	if config, err := p.GetCredentials(t.Context(), here, ""); err == nil || config.Password != "" {
		t.Error("a closed provider answers")
	}
}

// A Source that panics fails its own look-ups; other tenants of the process go on.
func TestSourceThatPanics(t *testing.T) {
	t.Parallel()
	p := newFolder(t, "honest").provider(Options{TempFolder: t.TempDir(), Source: source(func(context.Context, helpers.Registry) (helpers.Material, error) {
		panic(canary)
	})})
	config, err := p.GetCredentials(t.Context(), here, "")
	if config == nil || *config != (authn.AuthConfig{}) || !errors.Is(err, helpers.Internal) || strings.Contains(fmt.Sprintf("%+v", err), canary) {
		t.Errorf("got %v, %v", config, err)
	}
	if _, err := p.BuildEnvironment(t.Context(), here+"/app"); !errors.Is(err, helpers.Internal) {
		t.Errorf("a build: %v", err)
	}
}

// A Source that does not heed its context holds nobody up for longer than the deadline, not even a caller without one.
func TestSourceThatHangs(t *testing.T) {
	t.Parallel()
	over := make(chan struct{})
	p := newFolder(t, "honest").provider(Options{Deadline: time.Millisecond, Source: source(func(context.Context, helpers.Registry) (helpers.Material, error) {
		<-over
		return helpers.Material{}, helpers.ErrNotFound
	})})
	t.Cleanup(func() { close(over) }) // before the provider is closed
	config, err := p.GetCredentials(context.Background(), here, "")
	if config == nil || *config != (authn.AuthConfig{}) || !errors.Is(err, helpers.Timeout) {
		t.Errorf("got %v, %v", config, err)
	}
}
