package sqlite_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/file/filetest"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
	"github.com/beam-cloud/docker-credential-beta9/secrets/secretstest"
	"github.com/beam-cloud/docker-credential-beta9/secrets/sqlite"
)

func ring(t testing.TB) *secrets.Keyring { return secrets.NewKeyring(newKey(t)) }

func newKey(t testing.TB) secrets.Key {
	t.Helper()
	k, err := secrets.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// secret makes one of the workspace w.
func secret(t testing.TB, registry, token string) secrets.Secret {
	t.Helper()
	r, err := helpers.ParseServerURL(registry)
	if err != nil {
		t.Fatal(err)
	}
	kind, _ := helpers.Lookup(r)
	m, err := helpers.NewMaterial(kind, r, map[string]string{"GITHUB_TOKEN": token, "USERNAME": "robot", "PASSWORD": token})
	if err != nil {
		t.Fatal(err)
	}
	s, err := secrets.New("w", m)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t testing.TB, s secrets.Store, registry, token string) secrets.Secret {
	t.Helper()
	kept, err := s.Put(t.Context(), secret(t, registry, token))
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

func TestFilesAreTheOwners(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "a folder with ? and # and % in it")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "secrets.db")
	s, err := sqlite.Open(t.Context(), path, ring(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const canary = "canary-of-the-file"
	put(t, s, "ghcr.io", canary)
	filetest.NoTrace(t, folder, canary)
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			t.Fatal(err)
		}
		found = found || entry.Name() == "secrets.db"
		if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", entry.Name(), info.Mode())
		}
	}
	if !found {
		t.Error("the store is in another place than it was asked for")
	}
}

// TestPutBackFromABackup copies the file alone, as long as nothing has the store open, and puts it back later.
func TestPutBackFromABackup(t *testing.T) {
	t.Parallel()
	path, k := filepath.Join(t.TempDir(), "secrets.db"), ring(t)
	with := func(use func(s *sqlite.Store)) {
		s, err := sqlite.Open(t.Context(), path, k)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		use(s)
	}
	with(func(s *sqlite.Store) { put(t, s, "ghcr.io", "first") })
	backup, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	with(func(s *sqlite.Store) {
		for i := range 50 {
			put(t, s, fmt.Sprintf("registry-%d.example", i), strings.Repeat("later", 100))
		}
	})
	if err := os.WriteFile(path, backup, 0o600); err != nil {
		t.Fatal(err)
	}
	with(func(s *sqlite.Store) {
		list, err := s.List(t.Context(), "w")
		if err != nil || len(list) != 1 || list[0].Material.Value("GITHUB_TOKEN") != "first" {
			t.Errorf("%d secrets were put back: %v", len(list), err)
		}
		put(t, s, "quay.io", "next")
	})
}

func TestFilesThatAreRefused(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := func(name string) string { return filepath.Join(folder, name) }
	write := func(name, content string, mode os.FileMode) {
		if err := os.WriteFile(path(name), []byte(content), mode); err != nil {
			t.Fatal(err)
		}
	}
	write("text", "this is no database, but a text that is longer than the head of one, which has 100 bytes at its beginning", 0o600)
	write("open", "", 0o644)
	cases := map[string]helpers.Reason{
		"text": helpers.Unavailable, "folder": helpers.BadRequest, filepath.Join("missing", "x"): helpers.Unavailable,
	}
	if err := os.Mkdir(path("folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" {
		if err := os.Symlink(path("elsewhere"), path("link")); err != nil {
			t.Fatal(err)
		}
		write("empty", "", 0o600)
		if err := os.Link(path("empty"), path("empty, second name")); err != nil {
			t.Fatal(err)
		}
		// SQLite would write to what lies beside the store.
		for _, suffix := range []string{"-wal", "-shm", "-journal"} {
			if err := os.Symlink(path("elsewhere"), path("linked"+suffix+suffix)); err != nil {
				t.Fatal(err)
			}
			write("loose"+suffix+suffix, "", 0o666)
			if err := os.Chmod(path("loose"+suffix+suffix), 0o666); err != nil {
				t.Fatal(err)
			}
			cases["linked"+suffix], cases["loose"+suffix] = helpers.BadRequest, helpers.BadRequest
		}
		if os.Geteuid() == 0 {
			write("foreign", "", 0o600)
			if err := os.Chown(path("foreign"), 65534, 65534); err != nil {
				t.Fatal(err)
			}
			cases["foreign"] = helpers.BadRequest
		}
		for _, name := range []string{"link", "open", "empty", "empty, second name"} {
			cases[name] = helpers.BadRequest
		}
	}
	for name, want := range cases {
		_, err := sqlite.Open(t.Context(), path(name), ring(t))
		if helpers.ReasonOf(err) != want || helpers.HintOf(err) == "" {
			t.Errorf("%s: %v, hint %q", name, err, helpers.HintOf(err))
		}
	}
	if _, err := os.Lstat(path("elsewhere")); err == nil {
		t.Error("a link was followed")
	}
}

// TestRemovedRecordsAreGone holds that what was removed or replaced, or sealed again, cannot be found in the files any more,
// where a keyring of its time would open it: while a worker has the store open, and afterwards.
func TestRemovedRecordsAreGone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secrets.db")
	old, next := newKey(t), newKey(t)
	open := func(k *secrets.Keyring) *sqlite.Store {
		s, err := sqlite.Open(t.Context(), path, k)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	worker, s := open(secrets.NewKeyring(old, next)), open(secrets.NewKeyring(next, old))
	var gone [][]byte
	take := func(kept secrets.Secret) {
		gone = append(gone, secretstest.Rows("sqlite").Load(t, path, "w", kept.Name))
	}
	there := func() bool {
		for _, suffix := range []string{"", "-wal"} {
			content, err := os.ReadFile(path + suffix)
			if err != nil {
				t.Fatal(err)
			}
			for _, record := range gone {
				// A large record is spread over several pages.
				if part := record[len(record)/2:][:16]; bytes.Contains(content, part) || bytes.Contains(content, record[9:21]) {
					return true
				}
			}
		}
		return false
	}
	put(t, worker, "first.example", "x") // under the old key, which is the worker's current one
	for i := range 20 {
		kept := put(t, s, fmt.Sprintf("registry-%d.example", i), strings.Repeat("x", 1+100*i))
		take(kept)
		if i%2 == 0 {
			next := secret(t, fmt.Sprintf("registry-%d.example", i), strings.Repeat("y", 200))
			next.Version = kept.Version
			var err error
			if kept, err = s.Put(t.Context(), next); err != nil {
				t.Fatal(err)
			}
			take(kept)
		}
		if err := s.Delete(t.Context(), "w", kept.Name, kept.Version); err != nil {
			t.Fatal(err)
		}
	}
	if there() {
		t.Error("a part of a record that was removed is in the files")
	}
	take(put(t, worker, "ghcr.io", "x"))
	if err := s.Rotate(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if there() {
		t.Error("a part of a record that was sealed again is in the files")
	}

	// Somebody who reads what was there before holds it up, and the next rotation does it.
	kept := put(t, worker, "quay.io", "x")
	take(kept)
	reader := reading(t, path)
	if err := s.Delete(t.Context(), "w", kept.Name, kept.Version); err != nil {
		t.Fatal(err)
	}
	if !there() {
		t.Error("a record that somebody reads is gone")
	}
	if err := reader.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := s.Rotate(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if there() {
		t.Error("a part of a record that nobody reads any more is in the files")
	}
	kept = put(t, worker, "registry.example", "x")
	take(kept)
	replaced := secret(t, "registry.example", "y")
	replaced.Version = kept.Version
	if _, err := worker.Put(t.Context(), replaced); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*sqlite.Store{worker, s} {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if there() {
		t.Error("a part of a record that was replaced is in the files after the store was closed")
	}
}

// reading begins to read the store, and goes on until the transaction ends.
func reading(t testing.TB, path string) *sql.Tx {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMaxIdleConns(-1)
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if err := tx.QueryRowContext(t.Context(), `SELECT count(*) FROM cred_secret`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return tx
}
