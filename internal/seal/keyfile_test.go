//go:build unix

package seal

import (
	"bytes"
	"context"
	"crypto/fips140"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/internal/file"
	"github.com/beam-cloud/docker-credential-beta9/internal/file/filetest"
	"github.com/beam-cloud/docker-credential-beta9/internal/folders"
	"github.com/beam-cloud/docker-credential-beta9/internal/needs"
)

func TestMain(m *testing.M) {
	os.Exit(filetest.Main(m, map[string]filetest.Role{
		"make": func([]string) error {
			f, err := Find(folders.New(os.Getenv))
			if err != nil {
				return err
			}
			k, err := f.ReadOrMake(context.Background())
			if err == nil {
				fmt.Print(k.ID())
			}
			return err
		},
		"round trip": func([]string) error {
			if !fips140.Enforced() {
				return errors.New("not in FIPS-only mode")
			}
			f, err := Find(folders.New(os.Getenv))
			if err != nil {
				return err
			}
			k, err := f.ReadOrMake(context.Background())
			if err != nil {
				return err
			}
			if _, err := k.Name("test", "identity"); err != nil {
				return err
			}
			box, err := k.Seal("test", []byte("plain"), "place")
			if err != nil {
				return err
			}
			_, err = k.Open("test", box, "place")
			return err
		},
	}))
}

// keyFile returns the key file of an environment.
func keyFile(t *testing.T, env map[string]string) KeyFile {
	t.Helper()
	f, err := Find(folders.New(func(name string) string { return env[name] }))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func do(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestReadingMakesNoKey(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	f := keyFile(t, map[string]string{"HOME": home})
	if _, err := f.Read(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if entries, err := os.ReadDir(home); err != nil || len(entries) != 0 {
		t.Errorf("there is %v, %v", entries, err)
	}
}

func TestKeyIsMadeOnce(t *testing.T) {
	t.Parallel()
	home := filepath.Join(t.TempDir(), "b9")
	f := keyFile(t, map[string]string{"BETA9_CREDENTIAL_HOME": home})
	first, err := f.ReadOrMake(t.Context())
	do(t, err)
	for _, read := range []func() (Key, error){f.Read, func() (Key, error) { return f.ReadOrMake(t.Context()) }} {
		if k, err := read(); err != nil || k.ID() != first.ID() {
			t.Errorf("%v, %v", k.ID(), err)
		}
	}
	entries, err := os.ReadDir(home)
	do(t, err)
	if len(entries) != 1 || entries[0].Name() != "key" {
		t.Errorf("in the folder: %v", entries)
	}
	info, err := os.Stat(filepath.Join(home, "key"))
	do(t, err)
	if info.Mode() != 0o600 || info.Size() != KeySize {
		t.Errorf("mode %v, %d bytes", info.Mode(), info.Size())
	}
}

// A key is read once, however many ask for it; that there is none is not remembered.
func TestKeysAreReadOnce(t *testing.T) {
	t.Parallel()
	home := filepath.Join(t.TempDir(), "b9")
	f := keyFile(t, map[string]string{"BETA9_CREDENTIAL_HOME": home})
	var keys, others Keys
	if _, err := keys.Read(f); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("%v", err)
	}
	made, err := f.ReadOrMake(t.Context())
	do(t, err)
	if k, err := keys.Read(f); err != nil || k.ID() != made.ID() {
		t.Errorf("%v, %v", k.ID(), err)
	}
	do(t, os.Remove(f.Path()))
	if k, err := keys.Read(f); err != nil || k.ID() != made.ID() {
		t.Errorf("read again: %v", err)
	}
	if _, err := others.Read(f); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("somebody else's: %v", err)
	}
	if _, err := (*Keys)(nil).Read(f); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nobody's: %v", err)
	}
}

func TestManyProcessesMakeOneKey(t *testing.T) {
	t.Parallel()
	for name, env := range map[string]func(folder string) string{
		"in the data folder": func(folder string) string { return "BETA9_CREDENTIAL_HOME=" + filepath.Join(folder, "b9") },
		"named":              func(folder string) string { return "BETA9_CREDENTIAL_KEY_FILE=" + filepath.Join(folder, "my.key") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ids := filetest.RunMany(t, 32, "make", []string{env(t.TempDir())})
			for _, id := range ids {
				if id == "" || id != ids[0] {
					t.Fatalf("different keys: %v", ids)
				}
			}
		})
	}
}

// Where only approved cryptography may be used, everything here can be used.
func TestWorksWithApprovedCryptographyOnly(t *testing.T) {
	t.Parallel()
	filetest.Run(t, "round trip", []string{"GODEBUG=fips140=only", "BETA9_CREDENTIAL_HOME=" + t.TempDir()})
}

func TestKeyThatIsLeftUnfinishedIsNotUsed(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	left := filepath.Join(home, "key."+strings.Repeat("A", 26)+".new")
	other := filepath.Join(home, "other."+strings.Repeat("A", 26)+".new")
	for _, path := range []string{left, other} {
		do(t, os.WriteFile(path, bytes.Repeat([]byte{7}, KeySize), 0o600))
	}
	f := keyFile(t, map[string]string{"BETA9_CREDENTIAL_HOME": home})
	k, err := f.ReadOrMake(t.Context())
	do(t, err)
	if k.ID() == keyOf(t, 7).ID() {
		t.Error("used a key that was never finished")
	}
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("left behind: %v", err)
	}
	if _, err := os.Stat(other); err != nil {
		t.Errorf("swept what is not the key's: %v", err)
	}
}

func TestKeyFileOfAPerson(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "mine")
	f := keyFile(t, map[string]string{"BETA9_CREDENTIAL_KEY_FILE": filepath.Join(folder, "my.key")})
	if _, err := f.ReadOrMake(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without its folder: %v", err)
	}
	do(t, os.Mkdir(folder, 0o755))
	do(t, os.Symlink(folder, folder+"2"))
	k, err := f.ReadOrMake(t.Context())
	do(t, err)
	info, err := os.Stat(folder)
	do(t, err)
	if info.Mode().Perm() != 0o755 {
		t.Errorf("changed the person's folder to %v", info.Mode())
	}
	f = keyFile(t, map[string]string{"BETA9_CREDENTIAL_KEY_FILE": filepath.Join(folder+"2", "my.key")})
	if same, err := f.Read(); err != nil || same.ID() != k.ID() {
		t.Errorf("through a link to the folder: %v", err)
	}
}

func TestKeyFileThatCannotBeTrusted(t *testing.T) {
	t.Parallel()
	good := bytes.Repeat([]byte{7}, KeySize)
	tests := []struct {
		name string
		make func(t *testing.T, path string)
		want error // nil for a NotKeyError
	}{
		{"short", func(t *testing.T, path string) { do(t, os.WriteFile(path, good[1:], 0o600)) }, nil},
		{"empty", func(t *testing.T, path string) { do(t, os.WriteFile(path, nil, 0o600)) }, nil},
		{"long", func(t *testing.T, path string) { do(t, os.WriteFile(path, append(good, '\n'), 0o600)) }, nil},
		{"zeros", func(t *testing.T, path string) { do(t, os.WriteFile(path, make([]byte, KeySize), 0o600)) }, nil},
		{"open to others", func(t *testing.T, path string) { do(t, os.WriteFile(path, good, 0o644)) }, file.ErrMode},
		{"link", func(t *testing.T, path string) {
			do(t, os.WriteFile(path+"2", good, 0o600))
			do(t, os.Symlink("key2", path))
		}, file.ErrLink},
		{"folder", func(t *testing.T, path string) { do(t, os.Mkdir(path, 0o700)) }, file.ErrNotFile},
		{"somebody else's", func(t *testing.T, path string) {
			needs.Root(t)
			do(t, os.WriteFile(path, good, 0o600))
			do(t, os.Chown(path, 65534, 65534))
		}, file.ErrForeign},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			home := t.TempDir()
			path := filepath.Join(home, "key")
			tt.make(t, path)
			before, err := os.Lstat(path)
			do(t, err)
			for _, env := range []map[string]string{{"BETA9_CREDENTIAL_HOME": home}, {"BETA9_CREDENTIAL_KEY_FILE": path}} {
				f := keyFile(t, env)
				for _, read := range []func() (Key, error){f.Read, func() (Key, error) { return f.ReadOrMake(t.Context()) }} {
					_, err := read()
					bad, ok := errors.AsType[*NotKeyError](err)
					if ok != (tt.want == nil) || !ok && !errors.Is(err, tt.want) || ok && (bad.Path != path || bad.Hint() == "") {
						t.Errorf("%v, want %v", err, tt.want)
					}
				}
			}
			after, err := os.Lstat(path)
			do(t, err)
			if !os.SameFile(before, after) || before.ModTime() != after.ModTime() {
				t.Error("the file was touched")
			}
		})
	}
}

func TestMakingAKeyWaitsNoLongerThanItsContext(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	d, err := file.Open(home)
	do(t, err)
	defer d.Close()
	lock, err := d.TryLock("key.lock")
	do(t, err)
	defer lock.Release()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	f := keyFile(t, map[string]string{"BETA9_CREDENTIAL_HOME": home})
	if _, err := f.ReadOrMake(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}
