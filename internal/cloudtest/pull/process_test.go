package pull_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest/google"
)

// each runs a test once for every scene, with stand-ins of its own.
func each(t *testing.T, body func(t *testing.T, s scene, proxy *cloudtest.Proxy)) {
	t.Helper()
	names, _ := newScenes(t)
	for name := range names {
		t.Run(name, func(t *testing.T) {
			scenes, proxy := newScenes(t)
			body(t, scenes[name], proxy)
		})
	}
}

// TestStampede shows that processes which start together make one call of a service that takes 100 ms.
func TestStampede(t *testing.T) {
	rounds := append([]int{64}, slices.Repeat([]int{20}, 20)...)
	each(t, func(t *testing.T, s scene, _ *cloudtest.Proxy) {
		s.order(cloudtest.Delay(100 * time.Millisecond))
		for round, processes := range rounds {
			p := newPerson(t, s.environ...)
			before := s.calls()
			var all sync.WaitGroup
			for range processes {
				all.Go(func() {
					got, err := p.get(s.typ, s.host)
					if who, ok := s.who(got.Secret()); err != nil || !ok || who != s.want {
						t.Errorf("got a token of %q, %v", who, err)
					}
				})
			}
			all.Wait()
			if n := s.calls() - before; n != 1 {
				t.Errorf("round %d: %d calls, want 1", round, n)
			}
		}
	})
}

// TestHit shows that a hit asks nobody: the services are silent, and the proxy hears nothing.
func TestHit(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s scene, proxy *cloudtest.Proxy) {
		p := newPerson(t, s.environ...)
		first, err := p.get(s.typ, s.host)
		if err != nil {
			t.Fatal(err)
		}
		s.order(cloudtest.Hang())
		heard := len(proxy.Called())
		for range 3 {
			got, err := p.get(s.typ, s.host)
			if err != nil || got.Secret() != first.Secret() {
				t.Errorf("a hit: %v, or another token", err)
			}
		}
		if n := len(proxy.Called()) - heard; n != 0 {
			t.Errorf("a hit made %d connections", n)
		}
	})
}

// TestErase shows that a logout has a fresh token made.
func TestErase(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s scene, _ *cloudtest.Proxy) {
		p := newPerson(t, s.environ...)
		first, err := p.get(s.typ, s.host)
		if err != nil {
			t.Fatal(err)
		}
		for _, spelling := range []string{s.host, "https://" + s.host} {
			if stdout, _, ok := p.run(s.typ, helpers.VerbErase, spelling); !ok {
				t.Errorf("erase %s: %s", spelling, stdout)
			}
		}
		second, err := p.get(s.typ, s.host)
		if err != nil || second.Secret() == first.Secret() {
			t.Errorf("the token outlived a logout, or %v", err)
		}
	})
}

// TestOneTokenForAllOfGoogle shows that the hosts of Google's share a token, where those of Azure's do not.
func TestOneTokenForAllOfGoogle(t *testing.T) {
	t.Parallel()
	scenes, _ := newScenes(t)
	s := scenes["service account in a file"]
	p := newPerson(t, s.environ...)
	for _, host := range []string{"us-docker.pkg.dev", "gcr.io", "eu.gcr.io", "europe-west4-docker.pkg.dev", "docker.us-central1.rep.pkg.dev"} {
		if _, err := p.get(s.typ, host); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	if n := s.calls(); n != 1 {
		t.Errorf("%d calls, want 1", n)
	}
}

// TestStore shows that no login fails to be stored, and what becomes of each.
func TestStore(t *testing.T) {
	t.Parallel()
	scenes, proxy := newScenes(t)
	key := ""
	for _, entry := range scenes["service account of the environment"].environ {
		if value, ok := strings.CutPrefix(entry, "GCP_SERVICE_ACCOUNT_JSON="); ok {
			key = value
		}
	}
	for _, c := range []struct {
		name, typ, host, username, secret string
		kept                              bool
		as                                string // the user name it is used with
	}{
		{"key", "gcr", artifact, "_json_key", key, true, "oauth2accesstoken"},
		{"key in base64", "gcr", artifact, "_json_key_base64", base64.StdEncoding.EncodeToString([]byte(key)), true, "oauth2accesstoken"},
		{"access token", "gcr", artifact, "oauth2accesstoken", "ya29.not-a-token", false, ""},
		{"anything", "gcr", artifact, "somebody", "not-a-secret", false, ""},
		{"federation", "gcr", artifact, "_json_key", `{"type":"external_account","credential_source":{"file":"/dev/zero"}}`, false, ""},
		{"token pair", "acr", myreg, "puller", "not-a-secret", true, "puller"},
		{"opaque token", "acr", myreg, "00000000-0000-0000-0000-000000000000", "not-a-token", false, ""},
	} {
		t.Run(c.typ+" "+c.name, func(t *testing.T) {
			p := newPerson(t, append(proxy.Environ(), "BETA9_CREDENTIAL_AMBIENT=off")...)
			login, err := json.Marshal(map[string]string{"ServerURL": c.host, "Username": c.username, "Secret": c.secret})
			if err != nil {
				t.Fatal(err)
			}
			if stdout, _, ok := p.run(c.typ, helpers.VerbStore, string(login)); !ok {
				t.Fatalf("store failed: %s", stdout)
			}
			got, err := p.get(c.typ, c.host)
			if !c.kept && !helpers.IsNotFound(err) || c.kept && (err != nil || got.Username() != c.as) {
				t.Errorf("got %q, %v", got.Username(), err)
			}
		})
	}
}

// TestTenantDoesNotBecomeTheMachine shows that material which cannot work is a failure, on a machine with an identity of
// its own that could.
func TestTenantDoesNotBecomeTheMachine(t *testing.T) {
	t.Parallel()
	scenes, proxy := newScenes(t)
	cloud := google.New(t)
	metadata := httptest.NewServer(cloud.Handlers()[google.Metadata])
	t.Cleanup(metadata.Close)
	for name, s := range scenes {
		for what, credentials := range map[string]map[string]string{
			"federation": {"GOOGLE_APPLICATION_CREDENTIALS_JSON": `{"type":"external_account"}`},
			"a path":     {"GOOGLE_APPLICATION_CREDENTIALS": "/etc/shadow", "AZURE_CLIENT_CERTIFICATE_PATH": "/etc/shadow"},
			"a part":     {"AZURE_CLIENT_SECRET": "canary", "GCP_SERVICE_ACCOUNT_JSON": "canary"},
		} {
			blob, err := json.Marshal(map[string]any{"version": 1, "registry": s.host, "type": s.typ, "credentials": credentials})
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "material")
			if err := os.WriteFile(path, blob, 0o600); err != nil {
				t.Fatal(err)
			}
			p := newPerson(t, append(s.environ, "BETA9_CREDENTIAL_FILE="+path, "GCE_METADATA_HOST="+metadata.Listener.Addr().String())...)
			stdout, stderr, ok := p.run(s.typ, helpers.VerbGet, s.host)
			if reason := helpers.ReasonOf(helpers.ParseErrorLine([]byte(stdout))); ok || reason != helpers.BadMaterial {
				t.Errorf("%s, %s: got %q, want %s", name, what, stdout, helpers.BadMaterial)
			}
			if strings.Contains(stdout+stderr, "canary") {
				t.Errorf("%s, %s: the canary is in %q or %q", name, what, stdout, stderr)
			}
		}
	}
	if len(proxy.Called()) > 0 || cloud.Total() > 0 {
		t.Errorf("called %v and the metadata server %d times", proxy.Called(), cloud.Total())
	}
}

// TestDebug shows each source in its order, with why it was left.
func TestDebug(t *testing.T) {
	t.Parallel()
	proxy := cloudtest.NewProxy(t)
	for typ, c := range map[string]struct {
		host string
		left []string
	}{
		"ecr": {amazon, []string{
			"debug: login: nothing is stored for " + amazon, "debug: environment keys: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set",
			"debug: web identity: AWS_WEB_IDENTITY_TOKEN_FILE is not set", "debug: profile default: there is none",
			"debug: container endpoint: AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and ", "debug: instance metadata: AWS_EC2_METADATA_DISABLED is true",
		}},
		"gcr": {artifact, []string{
			"debug: login: nothing is stored for " + artifact, "debug: environment: no key of gcr is set for " + artifact,
			"debug: GOOGLE_APPLICATION_CREDENTIALS: it is not set", "debug: application default credentials: there is no ", "debug: metadata server: ",
		}},
		"acr": {myreg, []string{
			"debug: login: nothing is stored for " + myreg, "debug: environment: no key of acr is set for " + myreg,
			"debug: AZURE_FEDERATED_TOKEN_FILE: it is not set", "debug: IDENTITY_ENDPOINT: it is not set", "debug: instance metadata: ",
		}},
	} {
		t.Run(typ, func(t *testing.T) {
			stdout, stderr, ok := newPerson(t, append(proxy.Environ(), "BETA9_CREDENTIAL_DEBUG=1", "AWS_EC2_METADATA_DISABLED=true")...).run(typ, helpers.VerbGet, c.host)
			if ok || strings.TrimSpace(stdout) != helpers.ErrNotFound.Error() {
				t.Errorf("got %q, want none", stdout)
			}
			lines := strings.Split(strings.TrimSpace(stderr), "\n")
			if len(lines) < len(c.left) {
				t.Fatalf("said %q, want %q", lines, c.left)
			}
			for i, want := range c.left {
				if !strings.HasPrefix(lines[i], want) {
					t.Errorf("line %d is %q, want %q", i, lines[i], want)
				}
			}
		})
	}
}
