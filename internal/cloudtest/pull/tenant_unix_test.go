//go:build unix

package pull_test

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest/google"
)

// TestTenantsJSONOfGoogle gives a helper JSON that names a file of the machine and addresses of somebody else's, in every
// way in which a tenant or a person can. It is refused; the file is not opened, and the addresses are not called. The file
// is a pipe into which nobody writes: whoever opens it stays there until the deadline makes a time-out of it.
func TestTenantsJSONOfGoogle(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	foreign := cloudtest.NewGate()
	s.proxy.Serve(elsewhere, foreign.Guard(elsewhere, http.NotFoundHandler()))
	near := s.near(foreign.Guard("near", http.NotFoundHandler()))
	pipe := filepath.Join(s.home, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	const there = "https://" + elsewhere + "/"
	federated := map[string]any{
		"type": "external_account", "audience": "//iam.googleapis.com/x", "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
		"token_url": there, "service_account_impersonation_url": there, "credential_source": map[string]any{"file": pipe},
	}
	with := func(source map[string]any) map[string]any {
		f := map[string]any{}
		for key, value := range federated {
			f[key] = value
		}
		f["credential_source"] = source
		return f
	}
	for name, identity := range map[string]map[string]any{
		"file":         federated,
		"url":          with(map[string]any{"url": there}),
		"near url":     with(map[string]any{"url": near, "headers": map[string]string{"Metadata-Flavor": "Google"}}),
		"program":      with(map[string]any{"executable": map[string]any{"command": "/bin/cat " + pipe, "output_file": pipe}}),
		"aws":          with(map[string]any{"environment_id": "aws1", "region_url": near, "url": near, "imdsv2_session_token_url": near}),
		"impersonated": {"type": "impersonated_service_account", "service_account_impersonation_url": there, "source_credentials": federated},
		"workforce":    {"type": "external_account_authorized_user", "token_url": there, "refresh_token": canary, "client_id": "x", "client_secret": canary},
	} {
		text := google.Text(t, identity)
		blob, err := json.Marshal(map[string]any{
			"version": 1, "registry": artifact, "type": "gcp", "credentials": map[string]string{"GOOGLE_APPLICATION_CREDENTIALS_JSON": text},
		})
		if err != nil {
			t.Fatal(err)
		}
		for way, given := range map[string]string{
			"material":    "BETA9_CREDENTIAL_FILE=" + s.write(name+".json", string(blob)),
			"environment": "GCP_SERVICE_ACCOUNT_JSON=" + text,
		} {
			stdout, stderr, ok := s.run("gcr", helpers.VerbGet, artifact, given, "BETA9_CREDENTIAL_TIMEOUT=30s")
			if reason := helpers.ReasonOf(helpers.ParseErrorLine([]byte(stdout))); ok || reason != helpers.BadMaterial || strings.Contains(stdout+stderr, canary) {
				t.Errorf("%s, %s: got %q, %q, want %s", name, way, stdout, stderr, helpers.BadMaterial)
			}
		}
		login, err := json.Marshal(map[string]string{"ServerURL": artifact, "Username": "_json_key", "Secret": text})
		if err != nil {
			t.Fatal(err)
		}
		if stdout, stderr, ok := s.run("gcr", helpers.VerbStore, string(login)); !ok || !strings.Contains(stderr, "hint: ") {
			t.Errorf("%s, login: got %q, %q", name, stdout, stderr)
		}
		if stdout, _, _ := s.run("gcr", helpers.VerbGet, artifact, "BETA9_CREDENTIAL_AMBIENT=off"); strings.TrimSpace(stdout) != helpers.ErrNotFound.Error() {
			t.Errorf("%s, login: got %q", name, stdout)
		}
	}
	if called := s.proxy.Called(); len(called) != 0 || foreign.Total() != 0 {
		t.Errorf("called %q, and elsewhere %d times", called, foreign.Total())
	}

	// A key that names an address of its own is used, at Google's.
	var key map[string]any
	if err := json.Unmarshal([]byte(s.google.ServiceAccount(t, puller, 0)), &key); err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{"token_uri", "auth_uri", "auth_provider_x509_cert_url"} {
		key[field] = there
	}
	key["universe_domain"] = "example.com"
	got, err := s.get("gcr", artifact, "GCP_SERVICE_ACCOUNT_JSON="+google.Text(t, key))
	if who, ok := s.google.Principal(got.Secret()); err != nil || !ok || who != puller {
		t.Errorf("a key with an address of its own: a token of %q, %v", who, err)
	}
	if called := s.proxy.Called(); len(called) != 1 || called[0] != google.OAuth2+":443" {
		t.Errorf("called %q", called)
	}
}
