//go:build unix

package execute

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/internal/needs"
)

// nobody is a user who is neither root nor, it is hoped, the one who runs this.
const nobody = 65534

// scene is a fresh folder above/helpers with the helper "answer" in it, for a
// test to spoil. Above lies in the system's folder for temporary files, which
// is writable by all and sticky.
type scene struct {
	t                     *testing.T
	above, folder, helper string
}

func newScene(t *testing.T) *scene {
	t.Helper()
	above, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{t: t, above: above, folder: filepath.Join(above, "helpers")}
	s.helper = filepath.Join(s.folder, Prefix+"answer")
	s.must(os.Chmod(above, 0o755))
	s.must(os.Mkdir(s.folder, 0o755))
	s.must(os.Chmod(s.folder, 0o755))
	s.must(copyProgram(s.helper))
	return s
}

func (s *scene) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// write puts a file with these contents in the helper's place.
func (s *scene) write(content string) {
	s.t.Helper()
	s.must(os.Remove(s.helper))
	s.must(os.WriteFile(s.helper, []byte(content), 0o755))
}

func (s *scene) run(folder string) (Result, error) {
	f, err := OpenFolder(folder, Options{Types: []string{"answer"}})
	if err != nil {
		return Result{}, err
	}
	return f.Run(context.Background(), Call{Type: "answer", Verb: "get"})
}

func TestTrust(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		// spoil returns the folder to open.
		spoil func(s *scene) string
		// rule is what is broken, kind the failure where no rule is. Both
		// empty: the helper runs.
		rule Rule
		kind error
		root bool
	}{
		"as it should be": {spoil: func(s *scene) string { return s.folder }},
		"not the shortest spelling": {spoil: func(s *scene) string {
			return s.above + "/./x/..//helpers/"
		}},
		"private": {spoil: func(s *scene) string {
			s.must(os.Chmod(s.folder, 0o700))
			s.must(os.Chmod(s.helper, 0o500))
			return s.folder
		}},

		"relative folder": {spoil: func(s *scene) string { return "helpers" }, rule: RuleAbsolute},
		"empty folder":    {spoil: func(s *scene) string { return "" }, rule: RuleAbsolute},
		"no folder":       {spoil: func(s *scene) string { return filepath.Join(s.above, "none") }, kind: ErrMissing},
		"folder is a file": {spoil: func(s *scene) string {
			return s.helper
		}, rule: RuleFolder},
		"folder writable by others": {spoil: func(s *scene) string {
			s.must(os.Chmod(s.folder, 0o757))
			return s.folder
		}, rule: RuleWritable},
		"folder writable by its group": {spoil: func(s *scene) string {
			s.must(os.Chmod(s.folder, 0o775))
			return s.folder
		}, rule: RuleWritable},
		"folder writable and sticky": {spoil: func(s *scene) string {
			s.must(os.Chmod(s.folder, 0o777|os.ModeSticky))
			return s.folder
		}, rule: RuleWritable},
		"folder of another user": {spoil: func(s *scene) string {
			s.must(os.Chown(s.folder, nobody, nobody))
			return s.folder
		}, rule: RuleOwner, root: true},

		"parent writable by others": {spoil: func(s *scene) string {
			s.must(os.Chmod(s.above, 0o757))
			return s.folder
		}, rule: RuleWritable},
		"parent writable by its group": {spoil: func(s *scene) string {
			s.must(os.Chmod(s.above, 0o775))
			return s.folder
		}, rule: RuleWritable},
		"parent writable and sticky": {spoil: func(s *scene) string {
			s.must(os.Chmod(s.above, 0o777|os.ModeSticky))
			return s.folder
		}},
		"parent of another user": {spoil: func(s *scene) string {
			s.must(os.Chown(s.above, nobody, nobody))
			return s.folder
		}, rule: RuleOwner, root: true},

		"linked folder": {spoil: func(s *scene) string {
			link := filepath.Join(s.above, "link")
			s.must(os.Symlink("helpers", link))
			return link
		}},
		"linked twice, up and down": {spoil: func(s *scene) string {
			s.must(os.Mkdir(filepath.Join(s.above, "aside"), 0o755))
			s.must(os.Symlink(filepath.Join(s.above, "aside", "up"), filepath.Join(s.above, "link")))
			s.must(os.Symlink("../helpers", filepath.Join(s.above, "aside", "up")))
			return filepath.Join(s.above, "link")
		}},
		"link in a folder writable by others": {spoil: func(s *scene) string {
			aside := filepath.Join(s.above, "aside")
			s.must(os.Mkdir(aside, 0o755))
			s.must(os.Chmod(aside, 0o777))
			s.must(os.Symlink(s.folder, filepath.Join(aside, "link")))
			return filepath.Join(aside, "link")
		}, rule: RuleWritable},
		"link of another user in a sticky folder": {spoil: func(s *scene) string {
			s.must(os.Chmod(s.above, 0o777|os.ModeSticky))
			link := filepath.Join(s.above, "link")
			s.must(os.Symlink("helpers", link))
			s.must(os.Lchown(link, nobody, nobody))
			return link
		}, rule: RuleOwner, root: true},
		"link in a circle": {spoil: func(s *scene) string {
			link := filepath.Join(s.above, "link")
			s.must(os.Symlink("link", link))
			return link
		}, rule: RuleLinks},
		"link to nowhere": {spoil: func(s *scene) string {
			link := filepath.Join(s.above, "link")
			s.must(os.Symlink("nowhere", link))
			return link
		}, kind: ErrMissing},

		"no helper": {spoil: func(s *scene) string {
			s.must(os.Remove(s.helper))
			return s.folder
		}, kind: ErrMissing},
		"helper writable by others": {spoil: func(s *scene) string {
			s.must(os.Chmod(s.helper, 0o757))
			return s.folder
		}, rule: RuleWritable},
		"helper writable by its group": {spoil: func(s *scene) string {
			s.must(os.Chmod(s.helper, 0o775))
			return s.folder
		}, rule: RuleWritable},
		"helper of another user": {spoil: func(s *scene) string {
			s.must(os.Chown(s.helper, nobody, nobody))
			return s.folder
		}, rule: RuleOwner, root: true},
		"helper setuid": {spoil: func(s *scene) string {
			s.must(os.Chmod(s.helper, 0o755|os.ModeSetuid))
			return s.folder
		}, rule: RuleSetuid},
		"helper setgid": {spoil: func(s *scene) string {
			s.must(os.Chmod(s.helper, 0o755|os.ModeSetgid))
			return s.folder
		}, rule: RuleSetuid},
		"helper not executable": {spoil: func(s *scene) string {
			s.must(os.Chmod(s.helper, 0o644))
			return s.folder
		}, rule: RuleExecutable},
		"helper a link": {spoil: func(s *scene) string {
			s.must(os.Rename(s.helper, filepath.Join(s.above, "elsewhere")))
			s.must(os.Symlink("../elsewhere", s.helper))
			return s.folder
		}, rule: RuleLink},
		"helper a folder": {spoil: func(s *scene) string {
			s.must(os.Remove(s.helper))
			s.must(os.Mkdir(s.helper, 0o755))
			return s.folder
		}, rule: RuleFile},
		"helper a named pipe": {spoil: func(s *scene) string {
			s.must(os.Remove(s.helper))
			s.must(syscall.Mkfifo(s.helper, 0o755))
			return s.folder
		}, rule: RuleFile},
		"helper not a program": {spoil: func(s *scene) string {
			s.write(secret)
			return s.folder
		}, kind: ErrStart},
		"helper empty": {spoil: func(s *scene) string {
			s.write("")
			return s.folder
		}, kind: ErrStart},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.root {
				needs.Root(t)
			}
			s := newScene(t)
			got, err := s.run(test.spoil(s))
			if test.rule == "" && test.kind == nil {
				if err != nil || string(got.Stdout) != "get " {
					t.Errorf("got %q, %v", got.Stdout, err)
				}
				return
			}
			if test.rule != "" {
				test.kind = ErrUntrusted
			}
			checkError(t, err, test.kind)
			var broken *TrustError
			if errors.As(err, &broken) != (test.rule != "") {
				t.Fatalf("got %v", err)
			}
			if test.rule != "" && (broken.Rule != test.rule || !strings.Contains(err.Error(), string(test.rule))) {
				t.Errorf("got %v, want the rule %q", err, test.rule)
			}
		})
	}
}

// TestCheck has the outcome of a run without one.
func TestCheck(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	folder, err := OpenFolder(s.folder, Options{Types: []string{"answer", "absent"}})
	s.must(err)
	s.must(folder.Check("answer"))
	checkError(t, folder.Check("absent"), ErrMissing)
	checkError(t, folder.Check("other"), ErrName)
	s.must(os.Chmod(s.helper, 0o777))
	checkError(t, folder.Check("answer"), ErrUntrusted)
	s.must(os.Chmod(s.helper, 0o755))
	s.must(os.Chmod(s.folder, 0o777))
	checkError(t, folder.Check("answer"), ErrUntrusted)
}

// TestSpoiledLater breaks the rules after the folder was opened.
func TestSpoiledLater(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	folder, err := OpenFolder(s.folder, Options{Types: []string{"answer"}})
	s.must(err)
	call := Call{Type: "answer", Verb: "get"}
	if _, err := folder.Run(context.Background(), call); err != nil {
		t.Fatal(err)
	}
	s.must(os.Chmod(s.folder, 0o777))
	_, err = folder.Run(context.Background(), call)
	checkError(t, err, ErrUntrusted)
	s.must(os.Chmod(s.folder, 0o755))
	s.must(os.Chmod(s.helper, 0o777))
	_, err = folder.Run(context.Background(), call)
	checkError(t, err, ErrUntrusted)
	s.must(os.RemoveAll(s.folder))
	_, err = folder.Run(context.Background(), call)
	checkError(t, err, ErrMissing)
}

// TestUpgrade moves the link that leads to the folder while it is in use.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	one, two := newScene(t), newScene(t)
	two.must(os.Remove(two.helper))
	link := filepath.Join(one.above, "current")
	one.must(os.Symlink(two.folder, link))
	folder, err := OpenFolder(link, Options{Types: []string{"answer"}})
	one.must(err)
	_, err = folder.Run(context.Background(), Call{Type: "answer", Verb: "get"})
	checkError(t, err, ErrMissing)
	one.must(os.Symlink(one.folder, link+".new"))
	one.must(os.Rename(link+".new", link))
	if _, err := folder.Run(context.Background(), Call{Type: "answer", Verb: "get"}); err != nil {
		t.Error(err)
	}
}

func TestTrustErrorText(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.must(os.Chmod(s.folder, 0o777|os.ModeSticky))
	_, err := OpenFolder(s.folder, Options{})
	if want := s.folder + ": not trusted: " + s.folder + " can be changed by others than its owner (mode 01777)"; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}
