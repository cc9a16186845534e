package pull_test

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest/google"
	"github.com/beam-cloud/docker-credential-beta9/internal/commands"
	"github.com/beam-cloud/docker-credential-beta9/internal/island"
)

// hide empties a folder of the system on the island, where there is one.
func hide(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		return
	}
	if err := syscall.Mount("none", path, "tmpfs", 0, ""); err != nil {
		t.Fatalf("%s cannot be covered: %v", path, err)
	}
}

// TestSilentNetwork shows that where packets vanish and nothing is configured the outcome is "none", and not a time-out,
// within 1.5 s; and that what is configured fails with the reason, at the deadline.
func TestSilentNetwork(t *testing.T) {
	commands.Folder(t)
	island.Run(t, island.Config{Silent: true, Environ: commands.Environ()}, func(t *testing.T, _ *island.Island) {
		hide(t, "/sys/class/dmi/id") // so that nothing but the network could tell
		for typ, host := range map[string]string{"gcr": artifact, "acr": myreg} {
			p := newPerson(t)
			// A deadline that passes makes a failure of it, and one that is far away is not waited for.
			for _, timeout := range []string{"1500ms", "10m"} {
				p.run(typ, helpers.VerbErase, host) // what is remembered of the time before
				stdout, stderr, _ := p.run(typ, helpers.VerbGet, host, "BETA9_CREDENTIAL_DEBUG=1", "BETA9_CREDENTIAL_TIMEOUT="+timeout)
				if strings.TrimSpace(stdout) != helpers.ErrNotFound.Error() || !strings.Contains(stderr, "answers") {
					t.Errorf("%s, %s: got %q, %q, want none after having asked", typ, timeout, stdout, stderr)
				}
			}
			// The answer is remembered: there is no time to ask again.
			if _, err := p.get(typ, host, "BETA9_CREDENTIAL_TIMEOUT=200ms"); !helpers.IsNotFound(err) {
				t.Errorf("%s, asked again: got %v, want none", typ, err)
			}
		}
		cloud := google.New(t)
		configured := map[string][]string{
			"gcr": {"GCP_SERVICE_ACCOUNT_JSON=" + cloud.ServiceAccount(t, puller, 0)},
			"acr": {"AZURE_TENANT_ID=" + tenant, "AZURE_CLIENT_ID=" + client, "AZURE_CLIENT_SECRET=" + secret},
		}
		for typ, host := range map[string]string{"gcr": artifact, "acr": myreg} {
			_, err := newPerson(t, append(configured[typ], "BETA9_CREDENTIAL_TIMEOUT=700ms")...).get(typ, host)
			if reason := helpers.ReasonOf(err); reason != helpers.Timeout && reason != helpers.Unreachable {
				t.Errorf("%s, configured: got %v, want %s", typ, err, helpers.Timeout)
			}
		}
	})
}
