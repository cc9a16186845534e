package sqlite_test

import (
	"database/sql"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/secrets/sqlite"
)

// program has another program execute the statements on its own database, and leave it open.
func program(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	for _, statement := range statements {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
}

// contents returns what is in the files of a folder, by name.
func contents(t *testing.T, folder string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	for _, entry := range entries {
		content, err := os.ReadFile(filepath.Join(folder, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[entry.Name()] = string(content)
	}
	return all
}

// write makes a folder with these files.
func write(t *testing.T, files map[string]string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// TestDatabaseOfAnotherProgram holds that it is refused, and that nothing is written to it or put beside it, whether the
// program is running or was killed.
func TestDatabaseOfAnotherProgram(t *testing.T) {
	t.Parallel()
	const table, log = `CREATE TABLE bookmarks (a)`, `PRAGMA journal_mode = WAL`
	for name, tt := range map[string]struct {
		leaves     string // the file that the case is about
		statements []string
	}{
		"a table":       {"other.db", []string{table}},
		"a view":        {"other.db", []string{`CREATE VIEW v AS SELECT 1`}},
		"an empty log":  {"other.db", []string{log, table, `PRAGMA wal_checkpoint(TRUNCATE)`}},
		"all in a log":  {"other.db-wal", []string{log, table}},
		"half a change": {"other.db-journal", []string{table, `PRAGMA cache_size = 1`, `BEGIN`, `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) INSERT INTO bookmarks SELECT hex(zeroblob(500)) FROM n`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			running := write(t, map[string]string{"other.db": ""})
			program(t, filepath.Join(running, "other.db"), tt.statements...)
			left := contents(t, running)
			if left[tt.leaves] == "" {
				t.Fatalf("nothing is in %s", tt.leaves)
			}
			folders := []string{running, write(t, left)}
			if tt.leaves == "other.db" { // all that is left when the program ended
				folders = append(folders, write(t, map[string]string{"other.db": left["other.db"]}))
			}
			for _, folder := range folders {
				path, before := filepath.Join(folder, "other.db"), contents(t, folder)
				there, err := sqlite.Exists(t.Context(), path)
				if there || helpers.ReasonOf(err) != helpers.BadRequest || helpers.HintOf(err) == "" || !strings.Contains(err.Error(), "another program") {
					t.Errorf("is a store: %v, %v", there, err)
				}
				if _, err := sqlite.Open(t.Context(), path, ring(t)); helpers.ReasonOf(err) != helpers.BadRequest {
					t.Errorf("opened: %v", err)
				}
				after := contents(t, folder)
				for _, files := range []map[string]string{before, after} {
					if _, ok := files["other.db-shm"]; ok {
						files["other.db-shm"] = "" // where readers note how far they are
					}
				}
				if !maps.Equal(before, after) {
					t.Errorf("the files %v were changed to %v", slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(after)))
				}
			}
		})
	}
}

// TestExists looks at what is no store yet, and at stores in every state.
func TestExists(t *testing.T) {
	t.Parallel()
	look := func(folder string, want bool) {
		t.Helper()
		if got, err := sqlite.Exists(t.Context(), filepath.Join(folder, "secrets.db")); got != want || err != nil {
			t.Errorf("is a store: %v, %v", got, err)
		}
	}
	open := func(folder string) *sqlite.Store {
		t.Helper()
		s, err := sqlite.Open(t.Context(), filepath.Join(folder, "secrets.db"), ring(t))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	look(t.TempDir(), false)
	look(write(t, map[string]string{"secrets.db": ""}), false)
	bare := write(t, map[string]string{"secrets.db": ""})
	program(t, filepath.Join(bare, "secrets.db"), `CREATE TABLE t (a)`, `DROP TABLE t`)
	look(bare, false)
	open(bare).Close()
	look(bare, true)

	used := t.TempDir()
	s := open(used)
	put(t, s, "ghcr.io", "not-a-secret")
	look(used, true)
	killed := contents(t, used)
	delete(killed, "secrets.db-shm")
	look(write(t, killed), true)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	look(used, true)
	look(write(t, map[string]string{"secrets.db": contents(t, used)["secrets.db"]}), true)

	// What an earlier release made of the database of another program is a store.
	program(t, filepath.Join(used, "secrets.db"), `CREATE TABLE bookmarks (a)`)
	look(used, true)
	open(used).Close()
}
