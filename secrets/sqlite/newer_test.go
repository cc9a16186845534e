package sqlite_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/secrets/sqlite"
)

// What a newer release has migrated, an older one neither reads nor writes.
func TestTablesOfANewerRelease(t *testing.T) {
	t.Parallel()
	path, keys := filepath.Join(t.TempDir(), "secrets.db"), ring(t)
	s, err := sqlite.Open(t.Context(), path, keys)
	if err != nil {
		t.Fatal(err)
	}
	kept := put(t, s, "ghcr.io", "not-a-secret")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	version := func(statement string) {
		t.Helper()
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	version(`INSERT INTO cred_version (version_id, is_applied) VALUES (99, 1)`)
	if _, err := sqlite.Open(t.Context(), path, keys); helpers.ReasonOf(err) != helpers.StoreFailed || helpers.HintOf(err) == "" {
		t.Errorf("got %v", err)
	}
	version(`DELETE FROM cred_version WHERE version_id = 99`)
	if s, err = sqlite.Open(t.Context(), path, keys); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Get(t.Context(), "w", kept.Name); err != nil {
		t.Error(err)
	}
}
