package store

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/folders"
	"github.com/beam-cloud/docker-credential-beta9/internal/seal"
)

// testKey returns a key that is the same in every run, and no secret.
func testKey(t testing.TB) seal.Key {
	t.Helper()
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, "key"), bytes.Repeat([]byte{7}, seal.KeySize), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := seal.Find(folders.New(func(name string) string { return map[string]string{"BETA9_CREDENTIAL_HOME": home}[name] }))
	if err != nil {
		t.Fatal(err)
	}
	key, err := f.Read()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// earlier returns the record in testdata, which the first release wrote, and the name of its file.
func earlier(t testing.TB) (name string, record []byte) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "logins", "*"))
	if err != nil || len(paths) != 1 {
		t.Fatalf("in testdata: %v, %v", paths, err)
	}
	record, err = os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Base(paths[0]), record
}

// sealed returns the record of a login, for the file called name.
func sealed(t testing.TB, key seal.Key, name, serverURL, username, secret string) []byte {
	t.Helper()
	l, err := helpers.NewLogin(serverURL, username, secret)
	if err != nil {
		t.Fatal(err)
	}
	record, err := sealLogin(key, name, l)
	if err != nil {
		t.Fatal(err)
	}
	return record
}

// What an earlier release wrote is found and opens.
func TestFormatStays(t *testing.T) {
	t.Parallel()
	key := testKey(t)
	name, record := earlier(t)
	r, err := helpers.ParseServerURL("ghcr.io")
	if err != nil {
		t.Fatal(err)
	}
	if want, err := recordName(key, "ghcr", r); err != nil || want != name || !isRecord(name) {
		t.Errorf("the name is %s, %v; was %s", want, err, name)
	}
	l, err := openLogin(key, name, record)
	if err != nil || l.ServerURL() != "https://ghcr.io/v2/" || l.Username() != "user" || l.Secret() != "not-a-secret" {
		t.Errorf("it does not open as it was: %v", err)
	}
}

func TestChangedRecordDoesNotOpen(t *testing.T) {
	t.Parallel()
	key := testKey(t)
	name, record := earlier(t)
	refuse := func(what string, changed []byte) {
		t.Helper()
		if _, err := openLogin(key, name, changed); err == nil {
			t.Errorf("%s: opens", what)
		}
	}
	for i := range len(record) * 8 {
		changed := bytes.Clone(record)
		changed[i/8] ^= 1 << (i % 8)
		refuse("a bit flipped", changed)
	}
	for n := range record {
		refuse("cut", record[:n])
		refuse("front cut", record[n+1:])
	}
	refuse("with a byte more", append(bytes.Clone(record), 0))
	refuse("twice", append(bytes.Clone(record), record...))
	if _, err := openLogin(key, name+"x", record); err == nil {
		t.Error("under another name: opens")
	}
}

// A head and a body belong together: of two versions of a record, and of two records, no mixture opens.
func TestMixedRecordDoesNotOpen(t *testing.T) {
	t.Parallel()
	key := testKey(t)
	name, _ := earlier(t)
	records := [][]byte{
		sealed(t, key, name, "ghcr.io", "user", "secret of old"),
		sealed(t, key, name, "ghcr.io", "user", "secret of new"),
		sealed(t, key, name, "ghcr.io", "other", "secret of old"),
		sealed(t, key, name[:len(name)-1]+"x", "ghcr.io", "user", "secret of old"),
	}
	for i, one := range records {
		for j, other := range records {
			head, _, err := split(one)
			if err != nil {
				t.Fatal(err)
			}
			_, body, err := split(other)
			if err != nil {
				t.Fatal(err)
			}
			mixed := binary.BigEndian.AppendUint32([]byte{recordVersion}, uint32(len(head)))
			mixed = append(append(mixed, head...), body...)
			if _, err := openLogin(key, name, mixed); (err == nil) != (i == j && i < 3) {
				t.Errorf("head of %d with body of %d: %v", i, j, err)
			}
			swapped := binary.BigEndian.AppendUint32([]byte{recordVersion}, uint32(len(body)))
			if _, err := openLogin(key, name, append(append(swapped, body...), head...)); err == nil {
				t.Errorf("body of %d before head of %d: opens", j, i)
			}
		}
	}
}

func TestIsRecord(t *testing.T) {
	t.Parallel()
	name, _ := earlier(t)
	for other, want := range map[string]bool{
		name: true, "": false, lockName: false, name + "0": false, name[1:]: false, strings.ToUpper(name): false,
		strings.ReplaceAll(name, "-", "0"): false, strings.Repeat("-", nameLen): false,
		name + "." + strings.Repeat("A", 26) + ".new": false,
	} {
		if isRecord(other) != want {
			t.Errorf("isRecord(%q) = %v", other, !want)
		}
	}
}

func FuzzOnlyWhatWasSealedOpens(f *testing.F) {
	key := testKey(f)
	name, record := earlier(f)
	f.Add(record)
	f.Add(record[:recordStart])
	f.Add(binary.BigEndian.AppendUint32([]byte{recordVersion}, 1<<32-1))
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, changed []byte) {
		if _, err := openLogin(key, name, changed); (err == nil) != bytes.Equal(changed, record) {
			t.Errorf("opens: %v", err == nil)
		}
		if head, body, err := split(changed); err == nil && recordStart+len(head)+len(body) != len(changed) {
			t.Errorf("head of %d and body of %d bytes in %d", len(head), len(body), len(changed))
		}
	})
}
