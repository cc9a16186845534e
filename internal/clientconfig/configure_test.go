package clientconfig_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/internal/clientconfig"
	"github.com/beam-cloud/docker-credential-beta9/internal/file"
)

// person has a configuration of this content, or none for "-", and returns the plan for ghcr.io.
func person(t *testing.T, content string) clientconfig.Plan {
	t.Helper()
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	p := clientconfig.Plan{
		File:    filepath.Join(top, "config.json"),
		Journal: filepath.Join(top, "journal"),
		Helpers: map[string]string{"ghcr.io": "beta9-ghcr"},
	}
	if content != "-" {
		put(t, p.File, content)
	}
	return p
}

func put(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func got(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return "-"
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func set(t *testing.T, p clientconfig.Plan) clientconfig.Result {
	t.Helper()
	r, err := p.Set(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func unset(t *testing.T, p clientconfig.Plan) {
	t.Helper()
	if _, err := p.Unset(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// all returns the plan that takes everything back.
func all(p clientconfig.Plan) clientconfig.Plan {
	p.Helpers, p.Store = nil, ""
	return p
}

// TestInterruptedBetweenJournalAndFile puts the file back as it was before, which is what a kill or a full disk between
// the two writes leaves, and so does a person who takes the helper out by hand.
func TestInterruptedBetweenJournalAndFile(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"nothing there":  `{"credsStore": "desktop"}`,
		"another helper": `{"credHelpers": {"ghcr.io": "gh"}}`,
		"other registry": `{"credHelpers": {"r.example.com": "x"}}`,
		"no file":        "-",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := person(t, content)
			p.Overwrite = true
			set(t, p)
			if content == "-" {
				if err := os.Remove(p.File); err != nil {
					t.Fatal(err)
				}
			} else {
				put(t, p.File, content)
			}
			set(t, p)
			unset(t, all(p))
			if now := got(t, p.File); now != content {
				t.Errorf("the file is %s, and was %s", now, content)
			}
		})
	}
}

func TestUnsetOfTheStoreLeavesTheHelpers(t *testing.T) {
	t.Parallel()
	p := person(t, `{}`)
	set(t, p)
	helpers := got(t, p.File)
	store := all(p)
	store.Store = "beta9"
	set(t, store)
	unset(t, store)
	if now := got(t, p.File); now != helpers {
		t.Errorf("the file is %s, want %s", now, helpers)
	}
	set(t, store)
	unset(t, p)
	if now := got(t, p.File); strings.Contains(now, "ghcr.io") || !strings.Contains(now, `"beta9"`) {
		t.Errorf("the file is %s, want the store in it and no helper", now)
	}
	unset(t, all(p))
	if now := got(t, p.File); now != `{}` {
		t.Errorf("the file is %s in the end", now)
	}
}

// What somebody has changed since is left alone, into whatever it was changed, and keeps nothing else from being taken back.
func TestUnsetLeavesWhatIsNoHelper(t *testing.T) {
	t.Parallel()
	for now, want := range map[string]string{
		`{"credHelpers":{"ghcr.io":null},"credsStore":"beta9"}`:     `{"credHelpers":{"ghcr.io":null}}`,
		`{"credHelpers":{"ghcr.io":{"a":1}},"credsStore":"beta9"}`:  `{"credHelpers":{"ghcr.io":{"a":1}}}`,
		`{"credHelpers":["ghcr.io"],"credsStore":"beta9"}`:          `{"credHelpers":["ghcr.io"]}`,
		`{"credHelpers":{"ghcr.io":"beta9-ghcr"},"credsStore":[1]}`: `{"credsStore":[1]}`,
	} {
		p := person(t, `{}`)
		p.Store = "beta9"
		set(t, p)
		put(t, p.File, now)
		unset(t, all(p))
		if left := got(t, p.File); left != want {
			t.Errorf("of %s is left %s, want %s", now, left, want)
		}
	}
}

// TestOneFileByTwoPaths names a file that is not there yet by another path than afterwards.
func TestOneFileByTwoPaths(t *testing.T) {
	for _, content := range []string{"-", `{"a": 1}`} {
		p := person(t, content)
		top := filepath.Dir(p.File)
		t.Chdir(top)
		linked := filepath.Join(t.TempDir(), "link")
		if err := os.Symlink(top, linked); err != nil {
			t.Skip("no symbolic links here: run the tests as a user who may create them")
		}
		for _, path := range []string{"config.json", filepath.Join(linked, "config.json"), p.File} {
			p.File = path
			set(t, p)
			p.File = filepath.Join(top, "config.json")
			unset(t, all(p))
			if now := got(t, p.File); now != content {
				t.Errorf("set by the path %s: the file is %s, and was %s", path, now, content)
			}
		}
	}
	// The same relative path in another folder is another file.
	p := person(t, `{}`)
	t.Chdir(filepath.Dir(p.File))
	p.File = "config.json"
	set(t, p)
	mine := got(t, p.File)
	t.Chdir(t.TempDir())
	put(t, p.File, mine)
	unset(t, all(p))
	if now := got(t, p.File); now != mine {
		t.Errorf("the file of somebody else is %s, and was %s", now, mine)
	}
}

func TestFilesThatAreLeftAlone(t *testing.T) {
	t.Parallel()
	t.Run("folder", func(t *testing.T) {
		t.Parallel()
		p := person(t, "-")
		if err := os.Mkdir(p.File, 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Set(context.Background()); !errors.Is(err, file.ErrNotFile) {
			t.Errorf("%v", err)
		}
	})
	t.Run("huge", func(t *testing.T) {
		t.Parallel()
		p := person(t, `{}`)
		if err := os.Truncate(p.File, 1<<40); err != nil {
			t.Skip("no sparse files here: run the tests on a file system that has them")
		}
		if _, err := p.Set(context.Background()); !errors.Is(err, file.ErrTooLarge) {
			t.Errorf("%v", err)
		}
		if _, err := clientconfig.Configured(p.File); !errors.Is(err, file.ErrTooLarge) {
			t.Errorf("%v", err)
		}
	})
	for _, start := range []string{"[", `{"a":`, `{"a":[`} {
		content := strings.Repeat(start, 5_000_000/len(start))
		p := person(t, content)
		if _, err := p.Set(context.Background()); err == nil || !strings.Contains(err.Error(), "is not a JSON object") {
			t.Errorf("%s...: %v", start, err)
		}
		if now := got(t, p.File); now != content {
			t.Errorf("%s...: the file was changed", start)
		}
	}
}

func TestShownIsNoSecret(t *testing.T) {
	t.Parallel()
	p := person(t, `{
	"auths": {"https://u:canary-key@r.example.com": {"auth": "canary-auth"}},
	"proxies": {"default": {"httpProxy": "http://u:canary-proxy@proxy"}},
	"credHelpers": {"x": {"auth": "canary-object"}, "y": ["canary-list"], "https://u:canary-host@z": "gh", "`+"\u009b31m"+`": "k"},
	"credsStore": ["canary-store"]
}`)
	p.DryRun = true
	r := set(t, p)
	for _, shown := range [][]byte{r.ShownBefore, r.ShownAfter} {
		if strings.Contains(string(shown), "canary") || strings.Contains(string(shown), "\u009b") {
			t.Errorf("shown is %s", shown)
		}
	}
	if !strings.Contains(string(r.ShownAfter), `"ghcr.io": "beta9-ghcr"`) || !strings.Contains(string(r.ShownAfter), `"gh"`) {
		t.Errorf("the helpers are not shown in %s", r.ShownAfter)
	}
}

// TestNothingStaysOfAKilledWriter leaves what a kill while the file is written leaves: its content, with the logins in
// it, beside it.
func TestNothingStaysOfAKilledWriter(t *testing.T) {
	t.Parallel()
	p := person(t, `{}`)
	left := p.File + ".ABCDEFGHIJKLMNOPQRSTUVWXYZ.new"
	other := filepath.Join(filepath.Dir(p.File), "other.json.ABCDEFGHIJKLMNOPQRSTUVWXYZ.new")
	put(t, left, `{}`)
	put(t, other, `{}`)
	if err := os.Mkdir(p.Journal, 0o700); err != nil {
		t.Fatal(err)
	}
	journal := filepath.Join(p.Journal, "configured.json.ABCDEFGHIJKLMNOPQRSTUVWXYZ.new")
	put(t, journal, `{}`)
	set(t, p)
	if got(t, left) != "-" || got(t, journal) != "-" || got(t, other) == "-" {
		t.Errorf("left are %s, %s and %s", got(t, left), got(t, journal), got(t, other))
	}
}

func TestADamagedJournalIsSaid(t *testing.T) {
	t.Parallel()
	for _, content := range []string{"", "{", "[]", `{"x": 1}`} {
		p := person(t, `{}`)
		if err := os.Mkdir(p.Journal, 0o700); err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(p.Journal, "configured.json"), content)
		_, err := p.Set(context.Background())
		hint, ok := errors.AsType[interface {
			error
			Hint() string
		}](err)
		if !ok || hint.Hint() == "" || !strings.Contains(err.Error(), "configured.json") {
			t.Errorf("%q: %v", content, err)
		}
		if got(t, p.File) != `{}` {
			t.Error("the file was changed")
		}
	}
}
