//go:build unix

package gcr

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// TestTenantNamesFilesAndAddresses shows that a tenant's JSON which names a local file and a foreign URL is refused, that
// the file is not opened, and that nobody is called. The file is a pipe without a writer: whoever opens it, stays there.
func TestTenantNamesFilesAndAddresses(t *testing.T) {
	t.Parallel()
	cloud, proxy := newCloud(t)
	foreign := foreignServer(t)
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	sources := map[string]map[string]any{
		"file":       {"file": pipe},
		"url":        {"url": foreign.URL, "headers": map[string]any{"Metadata-Flavor": "Google"}},
		"executable": {"executable": map[string]any{"command": pipe, "output_file": pipe}},
		"aws":        {"environment_id": "aws1", "region_url": foreign.URL, "url": foreign.URL, "imdsv2_session_token_url": foreign.URL},
	}
	for name, source := range sources {
		federated := federatedFile(t, source, "")
		for kind, text := range map[string]string{
			"itself":       federated,
			"with a key":   alter(t, cloud.ServiceAccount(t, puller, 0), map[string]any{"type": "external_account", "credential_source": source}),
			"behind":       impersonatedFile(t, puller, federated),
			"to elsewhere": alter(t, federated, map[string]any{"token_url": foreign.URL, "service_account_impersonation_url": foreign.URL}),
		} {
			m := material(t, host, "GOOGLE_APPLICATION_CREDENTIALS_JSON", text)
			if _, err := New(helpers.Machine{Getenv: proxy.Getenv}).Exchange(t.Context(), registry(t, host), m); !errors.Is(err, helpers.BadMaterial) {
				t.Errorf("%s, %s: got %v, want %s", name, kind, err, helpers.BadMaterial)
			}
		}
	}
	for _, key := range []string{"GCP_SERVICE_ACCOUNT_JSON", "GOOGLE_APPLICATION_CREDENTIALS_JSON", "GOOGLE_APPLICATION_CREDENTIALS"} {
		if _, err := New(helpers.Machine{Getenv: proxy.Getenv}).Exchange(t.Context(), registry(t, host), material(t, host, key, pipe)); !errors.Is(err, helpers.BadMaterial) {
			t.Errorf("%s with a path: got %v, want %s", key, err, helpers.BadMaterial)
		}
	}
	if n := foreign.calls.Load(); n != 0 || len(proxy.Called()) > 0 {
		t.Errorf("the foreign server was called %d times, the proxy for %v", n, proxy.Called())
	}
}
