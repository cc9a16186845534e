package sqlite_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/secrets"
	"github.com/beam-cloud/docker-credential-beta9/secrets/secretstest"
	"github.com/beam-cloud/docker-credential-beta9/secrets/sqlite"
)

// TestRecordHoldsWhatItsPlaceSays has somebody with the keyring seal, at a secret's place, material that is bound
// elsewhere.
func TestRecordHoldsWhatItsPlaceSays(t *testing.T) {
	t.Parallel()
	path, k := filepath.Join(t.TempDir(), "secrets.db"), ring(t)
	s, err := sqlite.Open(t.Context(), path, k)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	kept := put(t, s, "ghcr.io", "t")
	elsewhere := secret(t, "quay.io", "t")
	narrow := kept
	narrow.Material = kept.Material.WithScope("acme")
	for name, other := range map[string]secrets.Secret{"registry": elsewhere, "scope": narrow} {
		blob, err := other.Material.AppendBlob(nil)
		if err != nil {
			t.Fatal(err)
		}
		record, err := k.Seal(k.Current().ID(), kept.Place(), blob)
		if err != nil {
			t.Fatal(err)
		}
		secretstest.Rows("sqlite").Save(t, path, "w", kept.Name, record)
		if _, err := s.Get(t.Context(), "w", kept.Name); !errors.Is(err, secrets.ErrSealed) {
			t.Errorf("material of another %s: %v", name, err)
		}
	}
}
