//go:build unix

package store

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/file"
	"github.com/beam-cloud/docker-credential-beta9/internal/file/filetest"
	"github.com/beam-cloud/docker-credential-beta9/internal/folders"
	"github.com/beam-cloud/docker-credential-beta9/internal/seal"
)

// records returns the paths of the records in a store's home.
func records(t testing.TB, home string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(home, "logins"))
	do(t, err)
	var paths []string
	for _, entry := range entries {
		if isRecord(entry.Name()) {
			paths = append(paths, filepath.Join(home, "logins", entry.Name()))
		} else if entry.Name() != lockName {
			t.Errorf("neither record nor lock: %s", entry.Name())
		}
	}
	return paths
}

// refused fails the test unless err is the failure of a record, or of several, with a hint.
func refused(t *testing.T, what string, err error) {
	t.Helper()
	_, record := errors.AsType[*RecordError](err)
	_, lost := errors.AsType[*LostError](err)
	if !record && !lost || helpers.ReasonOf(err) != helpers.StoreFailed || helpers.HintOf(err) == "" || helpers.IsNotFound(err) {
		t.Errorf("%s: %v, hint %q", what, err, helpers.HintOf(err))
	}
}

func TestNothingIsCreatedByLooking(t *testing.T) {
	t.Parallel()
	s, home := inHome(t)
	r := registry(t, "ghcr.io")
	if _, err := s.Get(t.Context(), "ghcr", r); !helpers.IsNotFound(err) {
		t.Errorf("get: %v", err)
	}
	if err := s.Delete(t.Context(), "ghcr", r); err != nil {
		t.Errorf("delete: %v", err)
	}
	if heads, err := s.List(t.Context(), "ghcr"); err != nil || len(heads) != 0 {
		t.Errorf("list: %v, %v", heads, err)
	}
	if entries, err := os.ReadDir(home); err != nil || len(entries) != 0 {
		t.Errorf("there is %v, %v", entries, err)
	}
}

func TestSecretsComeBackByteForByte(t *testing.T) {
	t.Parallel()
	s, _ := inHome(t)
	every := make([]rune, 0x3000)
	for i := range every {
		every[i] = rune(i)
	}
	secrets := []string{"x", "\x00", string(every), "line\r\nline\n", `<>&"\` + "\u2028", " outer spaces ",
		strings.Repeat("s", 65535), strings.Repeat("s", 65536), strings.Repeat("\x00\x7f", helpers.MaxSecret/2)}
	for _, secret := range secrets {
		l := login(t, "https://ghcr.io/v2/", "user/../name", secret)
		do(t, s.Put(t.Context(), "ghcr", l))
		got, err := s.Get(t.Context(), "ghcr", registry(t, "ghcr.io"))
		if err != nil || !same(got, l) {
			t.Errorf("a secret of %d bytes comes back as another one: %v", len(secret), err)
		}
	}
}

func TestUserNameThatIsTooLongIsRefused(t *testing.T) {
	t.Parallel()
	s, home := inHome(t)
	old := login(t, "ghcr.io", "user", "not-a-secret")
	do(t, s.Put(t.Context(), "ghcr", old))
	fits := maxHead - 4 - len("ghcr.io")
	for n, want := range map[int]helpers.Reason{fits: "", fits + 1: helpers.BadRequest} {
		err := s.Put(t.Context(), "ghcr", login(t, "ghcr.io", strings.Repeat("u", n), strings.Repeat("s", helpers.MaxSecret)))
		if helpers.ReasonOf(err) != want {
			t.Errorf("a user name of %d bytes: %v", n, err)
		}
	}
	if got, err := s.Get(t.Context(), "ghcr", old.Registry()); err != nil || len(got.Username()) != fits {
		t.Errorf("%v", err)
	}
	if heads, err := s.List(t.Context(), "ghcr"); err != nil || len(heads) != 1 || len(heads[0].Username) != fits {
		t.Errorf("list: %d, %v", len(heads), err)
	}
	if n := len(records(t, home)); n != 1 {
		t.Errorf("%d records", n)
	}
}

// Any sequence of calls leaves what the same calls leave in a map.
func TestStoreIsAMap(t *testing.T) {
	t.Parallel()
	type place struct{ typ, identity string }
	rapid.Check(t, func(t *rapid.T) {
		home, err := os.MkdirTemp("", "store")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(home)
		s, model := at(home), map[place]helpers.Login{}
		ctx := context.Background()
		drawPlace := func(t *rapid.T) (string, helpers.Registry) {
			typ := rapid.SampledFrom([]string{"ghcr", "generic", ""}).Draw(t, "type")
			r, err := helpers.ParseServerURL(rapid.SampledFrom([]string{"ghcr.io", "https://GHCR.io/v2/", "ghcr.io:5000",
				"docker.io", "https://index.docker.io/v1/", "https://index.docker.io/v1/access-token"}).Draw(t, "server"))
			if err != nil {
				t.Fatal(err)
			}
			return typ, r
		}
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				typ, r := drawPlace(t)
				secret := rapid.StringN(1, 50, 100).Draw(t, "secret")
				l, err := helpers.NewLogin(r.ServerURL(), rapid.StringMatching(`[^[:cntrl:]]{1,9}`).Draw(t, "user"), secret)
				if err != nil {
					t.Skip("no login: ", err)
				}
				if err := s.Put(ctx, typ, l); err != nil {
					t.Fatal(err)
				}
				model[place{typ, r.Identity()}] = l
			},
			"get": func(t *rapid.T) {
				typ, r := drawPlace(t)
				want, ok := model[place{typ, r.Identity()}]
				got, err := s.Get(ctx, typ, r)
				if ok && (err != nil || !same(got, want)) || !ok && !helpers.IsNotFound(err) {
					t.Fatalf("there is one: %v, error: %v", ok, err)
				}
			},
			"delete": func(t *rapid.T) {
				typ, r := drawPlace(t)
				if err := s.Delete(ctx, typ, r); err != nil {
					t.Fatal(err)
				}
				delete(model, place{typ, r.Identity()})
			},
			"list": func(t *rapid.T) {
				typ, _ := drawPlace(t)
				want := map[string]string{}
				for p, l := range model {
					if p.typ == typ {
						want[l.ServerURL()] = l.Username()
						if l.Username() == l.Secret() { // TestListShowsNoSecret
							want[l.ServerURL()] = ""
						}
					}
				}
				heads, err := s.List(ctx, typ)
				got := map[string]string{}
				for _, h := range heads {
					got[h.ServerURL] = h.Username
				}
				if err != nil || len(heads) != len(got) || !maps.Equal(got, want) {
					t.Fatalf("%q, %v; want %q", heads, err, want)
				}
				if !slices.IsSortedFunc(heads, func(a, b Head) int { return strings.Compare(a.ServerURL, b.ServerURL) }) {
					t.Fatalf("not in order: %q", heads)
				}
			},
		})
	})
}

func TestNothingOnTheDiskTellsWhatIsStored(t *testing.T) {
	t.Parallel()
	s, home := inHome(t)
	canaries := []string{"canary-host.example", "canary-user", "canary-secret", "canary-type"}
	l := login(t, "https://canary-host.example/v2/", "canary-user", "canary-secret")
	do(t, s.Put(t.Context(), "canary-type", l))
	do(t, s.Put(t.Context(), "canary-type", l))
	first := records(t, home)
	content, err := os.ReadFile(first[0])
	do(t, err)
	filetest.NoTrace(t, home, canaries...)

	// The same login with another key has another name and another content, so that two machines cannot be compared.
	other, otherHome := inHome(t)
	do(t, other.Put(t.Context(), "canary-type", l))
	second := records(t, otherHome)
	if filepath.Base(first[0]) == filepath.Base(second[0]) {
		t.Error("two keys give the same name")
	}
	again, err := os.ReadFile(second[0])
	do(t, err)
	if bytes.Equal(content, again) {
		t.Error("two keys give the same content")
	}
}

func TestErrorsAndHintsTellNothing(t *testing.T) {
	t.Parallel()
	s, home := inHome(t)
	l := login(t, "canary-host.example", "canary-user", "canary-secret")
	do(t, s.Put(t.Context(), "canary-type", l))
	path := records(t, home)[0]
	for _, content := range []string{"", "canary-secret", strings.Repeat("canary-secret", 100), "\x01\x00\x00\x00\x0ccanary-secret"} {
		do(t, os.WriteFile(path, []byte(content), 0o600))
		_, err := s.Get(t.Context(), "canary-type", l.Registry())
		refused(t, "get", err)
		if text := err.Error() + helpers.HintOf(err); strings.Contains(text, "canary") {
			t.Errorf("%q", text)
		}
		if !strings.Contains(err.Error(), filepath.Base(path)) {
			t.Errorf("%q does not name the file", err)
		}
	}
}

func TestRecordThatCannotBeOpenedIsAFailure(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		spoil func(t *testing.T, path, other string)
		cause error
		gone  bool // neither it nor the other is listed
	}{
		{"moved to another registry's place", func(t *testing.T, path, other string) { do(t, os.Rename(other, path)) }, seal.ErrBroken, true},
		{"empty", func(t *testing.T, path, _ string) { do(t, os.Truncate(path, 0)) }, errCut, false},
		{"cut", func(t *testing.T, path, _ string) { do(t, os.Truncate(path, 100)) }, seal.ErrBroken, false},
		{"larger than any", func(t *testing.T, path, _ string) { do(t, os.Truncate(path, maxRecord+1)) }, file.ErrTooLarge, false},
		{"link", func(t *testing.T, path, _ string) {
			do(t, os.Rename(path, path+"x"))
			do(t, os.Symlink(path+"x", path))
		}, file.ErrLink, false},
		{"second name", func(t *testing.T, path, _ string) { do(t, os.Link(path, filepath.Dir(path)+"x")) }, file.ErrLink, false},
		{"open to others", func(t *testing.T, path, _ string) { do(t, os.Chmod(path, 0o644)) }, file.ErrMode, false},
		{"folder", func(t *testing.T, path, _ string) {
			do(t, os.Remove(path))
			do(t, os.Mkdir(path, 0o700))
		}, file.ErrNotFile, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, home := inHome(t)
			l, fine := login(t, "ghcr.io", "user", "not-a-secret"), login(t, "fine.example", "user", "not-a-secret")
			do(t, s.Put(t.Context(), "ghcr", l))
			path := records(t, home)[0]
			do(t, s.Put(t.Context(), "ghcr", login(t, "other.example", "user", "not-a-secret")))
			other := records(t, home)
			other = slices.DeleteFunc(other, func(p string) bool { return p == path })
			do(t, s.Put(t.Context(), "ghcr", fine))
			tt.spoil(t, path, other[0])

			_, err := s.Get(t.Context(), "ghcr", l.Registry())
			refused(t, "get", err)
			if !errors.Is(err, tt.cause) {
				t.Errorf("%v, want %v", err, tt.cause)
			}
			if got, err := s.Get(t.Context(), "ghcr", fine.Registry()); err != nil || !same(got, fine) {
				t.Errorf("the record beside it: %v", err)
			}
			heads, err := s.List(t.Context(), "ghcr")
			if !slices.Contains(heads, Head{"fine.example", "user"}) || tt.gone && len(heads) != 1 {
				t.Errorf("list: %v, %v", heads, err)
			}
			if len(heads) < 3 {
				refused(t, "list, of what is not in it,", err)
			} else if err != nil {
				t.Errorf("list of everything: %v", err)
			}
			if tt.cause == file.ErrNotFile {
				return // a folder is not replaced by guess
			}
			do(t, s.Put(t.Context(), "ghcr", l))
			if got, err := s.Get(t.Context(), "ghcr", l.Registry()); err != nil || !same(got, l) {
				t.Errorf("after logging in again: %v", err)
			}
		})
	}
}

func TestRecordThatCannotBeOpenedIsErased(t *testing.T) {
	t.Parallel()
	s, home := inHome(t)
	l := login(t, "ghcr.io", "user", "not-a-secret")
	do(t, s.Put(t.Context(), "ghcr", l))
	do(t, os.Truncate(records(t, home)[0], 10))
	do(t, s.Delete(t.Context(), "ghcr", l.Registry()))
	if _, err := s.Get(t.Context(), "ghcr", l.Registry()); !helpers.IsNotFound(err) {
		t.Errorf("%v", err)
	}
}

func TestLostKey(t *testing.T) {
	t.Parallel()
	s, home := inHome(t)
	a, b, never := login(t, "a.example", "user", "not-a-secret"), login(t, "b.example", "user", "not-a-secret"), registry(t, "never.example")
	do(t, s.Put(t.Context(), "generic", a))
	do(t, s.Put(t.Context(), "generic", b))
	do(t, os.Rename(filepath.Join(home, "key"), filepath.Join(home, "old key")))
	lost := func(when string) {
		t.Helper()
		for _, r := range []helpers.Registry{b.Registry(), never} { // nobody can tell the two apart
			_, err := s.Get(t.Context(), "generic", r)
			refused(t, when+", get", err)
			refused(t, when+", delete", s.Delete(t.Context(), "generic", r))
		}
	}
	lost("without a key")
	if _, err := os.Stat(filepath.Join(home, "key")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("reading made a key: %v", err)
	}
	heads, err := s.List(t.Context(), "generic")
	refused(t, "without a key, list", err)
	if len(heads) != 0 {
		t.Errorf("list: %v", heads)
	}

	do(t, s.Put(t.Context(), "generic", a))
	if got, err := s.Get(t.Context(), "generic", a.Registry()); err != nil || !same(got, a) {
		t.Errorf("after logging in again: %v", err)
	}
	lost("with a new key")
	heads, err = s.List(t.Context(), "generic")
	refused(t, "with a new key, list", err)
	if !slices.Equal(heads, []Head{{"a.example", "user"}}) {
		t.Errorf("list: %v", heads)
	}

	// What the hint says to remove is what cannot be opened.
	_, err = s.Get(t.Context(), "generic", never)
	prefix := filepath.Base(records(t, home)[0])[:keyDigits]
	for _, path := range records(t, home) {
		if !strings.Contains(helpers.HintOf(err), " "+filepath.Base(path)[:keyDigits]) {
			do(t, os.Remove(path))
		} else {
			prefix = filepath.Base(path)[:keyDigits]
		}
	}
	if _, err := s.Get(t.Context(), "generic", never); !helpers.IsNotFound(err) {
		t.Errorf("after removing what the hint says, keeping %s: %v", prefix, err)
	}
	if got, err := s.Get(t.Context(), "generic", a.Registry()); err != nil || !same(got, a) {
		t.Errorf("after removing what the hint says: %v", err)
	}
}

func TestRestoredKeyOpensAgain(t *testing.T) {
	t.Parallel()
	s, home := inHome(t)
	l := login(t, "ghcr.io", "user", "not-a-secret")
	do(t, s.Put(t.Context(), "ghcr", l))
	elsewhere := filepath.Join(t.TempDir(), "my.key")
	do(t, os.Rename(filepath.Join(home, "key"), elsewhere))
	s = with(map[string]string{"BETA9_CREDENTIAL_HOME": home, "BETA9_CREDENTIAL_KEY_FILE": elsewhere})
	if got, err := s.Get(t.Context(), "ghcr", l.Registry()); err != nil || !same(got, l) {
		t.Errorf("%v", err)
	}
	s = with(map[string]string{"BETA9_CREDENTIAL_HOME": home, "BETA9_CREDENTIAL_KEY_FILE": "relative"})
	_, err := s.Get(t.Context(), "ghcr", l.Registry())
	if _, ok := errors.AsType[*folders.RelativeError](err); !ok || helpers.HintOf(err) == "" {
		t.Errorf("with a relative path to the key: %v", err)
	}
}

func TestFolderThatCannotBeTrusted(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"logins", ""} {
		s, home := inHome(t)
		l := login(t, "ghcr.io", "user", "not-a-secret")
		do(t, s.Put(t.Context(), "ghcr", l))
		path := filepath.Join(home, name)
		do(t, os.Rename(path, home+".moved"))
		do(t, os.Symlink(home+".moved", path))
		_, err := s.Get(t.Context(), "ghcr", l.Registry())
		for what, err := range map[string]error{
			"get":    err,
			"put":    s.Put(t.Context(), "ghcr", l),
			"delete": s.Delete(t.Context(), "ghcr", l.Registry()),
		} {
			if !errors.Is(err, file.ErrLink) || helpers.ReasonOf(err) != helpers.StoreFailed || helpers.HintOf(err) == "" {
				t.Errorf("link in the place of %q, %s: %v", name, what, err)
			}
		}
	}
	s, home := inHome(t)
	l := login(t, "ghcr.io", "user", "not-a-secret")
	do(t, s.Put(t.Context(), "ghcr", l))
	for _, path := range []string{home, filepath.Join(home, "logins")} {
		do(t, os.Chmod(path, 0o777))
	}
	closed := func(what string, err error) {
		if err != nil {
			t.Errorf("%s, folders open to all: %v", what, err)
		}
		for _, path := range []string{home, filepath.Join(home, "logins")} {
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("%s: %v, %v", path, info.Mode(), err)
			}
			do(t, os.Chmod(path, 0o777))
		}
	}
	got, err := s.Get(t.Context(), "ghcr", l.Registry())
	closed("get", err)
	if err == nil && !same(got, l) {
		t.Error("another login comes back")
	}
	closed("put", s.Put(t.Context(), "ghcr", l))
}

// A folder that others use, such as /tmp for a root, is not closed to them.
func TestSharedFolderIsLeftAlone(t *testing.T) {
	t.Parallel()
	s, home := inHome(t)
	do(t, os.MkdirAll(filepath.Join(home, "somebody"), 0o755))
	do(t, os.Chmod(home, 0o777|os.ModeSticky))
	err := s.Put(t.Context(), "ghcr", login(t, "ghcr.io", "user", "not-a-secret"))
	if !errors.Is(err, file.ErrShared) || !strings.Contains(helpers.HintOf(err), "BETA9_CREDENTIAL_HOME") {
		t.Errorf("%v, hint %q", err, helpers.HintOf(err))
	}
	if info, err := os.Stat(home); err != nil || info.Mode().Perm() != 0o777 || info.Mode()&os.ModeSticky == 0 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestWithoutAnyHome(t *testing.T) {
	t.Parallel()
	s := with(nil)
	l := login(t, "ghcr.io", "user", "not-a-secret")
	_, err := s.Get(t.Context(), "ghcr", l.Registry())
	_, listErr := s.List(t.Context(), "ghcr")
	for what, err := range map[string]error{
		"get": err, "list": listErr,
		"put":    s.Put(t.Context(), "ghcr", l),
		"delete": s.Delete(t.Context(), "ghcr", l.Registry()),
	} {
		fe, ok := errors.AsType[*folders.Error](err)
		if !ok || !strings.Contains(helpers.HintOf(err), fe.Variable) || helpers.ReasonOf(err) != helpers.StoreFailed {
			t.Errorf("%s: %v, hint %q", what, err, helpers.HintOf(err))
		}
	}
}

func TestPutWaitsNoLongerThanItsContext(t *testing.T) {
	t.Parallel()
	s, home := inHome(t)
	l := login(t, "ghcr.io", "user", "not-a-secret")
	do(t, s.Put(t.Context(), "ghcr", l))
	d, err := file.Open(filepath.Join(home, "logins"))
	do(t, err)
	defer d.Close()
	// Not TryLock: the lock that Put released lives on in a process that another test is just starting, until it runs.
	lock, err := d.Lock(t.Context(), lockName)
	do(t, err)
	defer lock.Release()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	for reason, ctx := range map[helpers.Reason]context.Context{helpers.Timeout: short, helpers.Canceled: ended} {
		for what, err := range map[string]error{
			"put": s.Put(ctx, "ghcr", l), "delete": s.Delete(ctx, "ghcr", l.Registry()),
		} {
			if helpers.ReasonOf(err) != reason {
				t.Errorf("%s: %v, want %s", what, err, reason)
			}
		}
	}
	if got, err := s.Get(t.Context(), "ghcr", l.Registry()); err != nil || !same(got, l) {
		t.Errorf("a reader waits for no writer: %v", err)
	}
}

func TestAnyLogin(t *testing.T) {
	t.Parallel()
	s, _ := inHome(t)
	if s.Any() {
		t.Error("there are logins before one was stored")
	}
	do(t, s.Put(context.Background(), "generic", login(t, "registry.example.com", "somebody", "not-a-secret")))
	if !s.Any() {
		t.Error("there is no login after one was stored")
	}
	if Open(folders.New(func(string) string { return "" })).Any() {
		t.Error("there are logins nowhere")
	}
}

// Some services take the token in the place of the user name, and a list shows user names.
func TestListShowsNoSecret(t *testing.T) {
	t.Parallel()
	s, _ := inHome(t)
	ctx := context.Background()
	const canary = "canary-token"
	l := login(t, "registry.example.com", canary, canary)
	do(t, s.Put(ctx, "generic", l))
	heads, err := s.List(ctx, "generic")
	if err != nil || len(heads) != 1 || heads[0].ServerURL != "registry.example.com" || heads[0].Username != "" {
		t.Errorf("listed is %q, %v", heads, err)
	}
	got, err := s.Get(ctx, "generic", l.Registry())
	if err != nil || !same(got, l) {
		t.Errorf("what was stored does not come back: %v", err)
	}
}
