//go:build unix

package file_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/internal/file"
	"github.com/beam-cloud/docker-credential-beta9/internal/file/filetest"
	"github.com/beam-cloud/docker-credential-beta9/internal/needs"
)

// private returns an open private folder, and its path.
func private(t *testing.T) (*file.Folder, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "private")
	d, err := file.Make(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d, path
}

// do fails the test when something that sets it up does not work.
func do(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// modeOf returns the permissions of what is at path itself.
func modeOf(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Lstat(path)
	do(t, err)
	return info.Mode().Perm()
}

func TestOpenAcceptsPrivateFoldersOnly(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		make func(t *testing.T, path string)
		want error
		mode fs.FileMode // afterwards, when there is no error
	}{
		{name: "nothing there", make: func(*testing.T, string) {}, want: fs.ErrNotExist},
		{name: "private", make: func(t *testing.T, path string) { do(t, os.Mkdir(path, 0o700)) }, mode: 0o700},
		{name: "private and read-only", make: func(t *testing.T, path string) { do(t, os.Mkdir(path, 0o500)) }, mode: 0o500},
		{name: "open to all", make: func(t *testing.T, path string) {
			do(t, os.Mkdir(path, 0o700))
			do(t, os.Chmod(path, 0o777))
		}, mode: 0o700},
		{name: "readable by all", make: func(t *testing.T, path string) { do(t, os.Mkdir(path, 0o755)) }, mode: 0o700},
		{name: "shared, as /tmp", make: func(t *testing.T, path string) {
			do(t, os.Mkdir(path, 0o700))
			do(t, os.Chmod(path, 0o777|fs.ModeSticky))
		}, want: file.ErrShared},
		{name: "with a folder that others use, as /", make: func(t *testing.T, path string) {
			do(t, os.MkdirAll(filepath.Join(path, "below"), 0o755))
		}, want: file.ErrShared},
		{name: "with a folder of somebody else, as /home", make: func(t *testing.T, path string) {
			needs.Root(t)
			do(t, os.MkdirAll(filepath.Join(path, "below"), 0o700))
			do(t, os.Chmod(path, 0o755))
			do(t, os.Chown(filepath.Join(path, "below"), 65534, 65534))
		}, want: file.ErrShared},
		{name: "readable by all, with files and private folders", make: func(t *testing.T, path string) {
			do(t, os.MkdirAll(filepath.Join(path, "below"), 0o700))
			do(t, os.WriteFile(filepath.Join(path, "file"), nil, 0o644))
			do(t, os.Chmod(filepath.Join(path, "file"), 0o644))
			do(t, os.Chmod(path, 0o755))
		}, mode: 0o700},
		{name: "link to a private folder", make: func(t *testing.T, path string) {
			do(t, os.Mkdir(path+"2", 0o700))
			do(t, os.Symlink(path+"2", path))
		}, want: file.ErrLink},
		{name: "link to nothing", make: func(t *testing.T, path string) { do(t, os.Symlink(path+"2", path)) }, want: file.ErrLink},
		{name: "file", make: func(t *testing.T, path string) { do(t, os.WriteFile(path, nil, 0o600)) }, want: file.ErrNotFolder},
		{name: "pipe", make: func(t *testing.T, path string) { do(t, syscall.Mkfifo(path, 0o600)) }, want: file.ErrNotFolder},
		{name: "somebody else's", make: func(t *testing.T, path string) {
			needs.Root(t)
			do(t, os.Mkdir(path, 0o700))
			do(t, os.Chown(path, 65534, 65534))
		}, want: file.ErrForeign},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for which, open := range map[string]func(string) (*file.Folder, error){"Open": file.Open, "Make": file.Make} {
				path := filepath.Join(t.TempDir(), "folder")
				tt.make(t, path)
				d, err := open(path)
				if which == "Make" && tt.want == fs.ErrNotExist {
					if err != nil || modeOf(t, path) != 0o700 {
						t.Fatalf("Make where nothing is: %v, mode %v", err, modeOf(t, path))
					}
				} else if !errors.Is(err, tt.want) {
					t.Fatalf("%s: %v, want %v", which, err, tt.want)
				}
				if tt.want == file.ErrShared && modeOf(t, path)&0o055 == 0 {
					t.Errorf("%s: the folder was closed: mode %v", which, modeOf(t, path))
				}
				if err != nil {
					if !strings.Contains(err.Error(), path) {
						t.Errorf("%s: %q does not name the path", which, err)
					}
					continue
				}
				d.Close()
				if which == "Open" && modeOf(t, path) != tt.mode {
					t.Errorf("mode %v, want %v", modeOf(t, path), tt.mode)
				}
			}
		})
	}
}

func TestMakeCreatesWhatIsMissingAbove(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	d, err := file.Make(filepath.Join(top, "a", "b", "c"))
	do(t, err)
	defer d.Close()
	for _, path := range []string{"a", "a/b", "a/b/c"} {
		if mode := modeOf(t, filepath.Join(top, path)); mode != 0o700 {
			t.Errorf("%s has mode %v", path, mode)
		}
	}
	do(t, os.WriteFile(filepath.Join(top, "file"), nil, 0o600))
	if _, err := file.Make(filepath.Join(top, "file", "below")); err == nil {
		t.Error("made a folder below a file")
	}
}

func TestFolderStaysTheOneThatWasOpened(t *testing.T) {
	t.Parallel()
	d, path := private(t)
	do(t, d.Write("record", []byte("mine")))
	do(t, os.Rename(path, path+".moved"))
	do(t, os.Mkdir(path, 0o777))
	do(t, d.Write("record", []byte("still mine")))
	if names, err := os.ReadDir(path); err != nil || len(names) != 0 {
		t.Errorf("the folder in its place has %v, %v", names, err)
	}
	if content, err := d.Read("record", 100); err != nil || string(content) != "still mine" {
		t.Errorf("%q, %v", content, err)
	}
}

func TestReadAcceptsPrivateFilesOnly(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		make func(t *testing.T, path string)
		want error
	}{
		{"private", func(t *testing.T, path string) {}, nil},
		{"private and read-only", func(t *testing.T, path string) { do(t, os.Chmod(path, 0o400)) }, nil},
		{"nothing there", func(t *testing.T, path string) { do(t, os.Remove(path)) }, fs.ErrNotExist},
		{"readable by the group", func(t *testing.T, path string) { do(t, os.Chmod(path, 0o640)) }, file.ErrMode},
		{"writable by others", func(t *testing.T, path string) { do(t, os.Chmod(path, 0o602)) }, file.ErrMode},
		{"second name", func(t *testing.T, path string) { do(t, os.Link(path, path+"2")) }, file.ErrLink},
		{"link in the folder", func(t *testing.T, path string) {
			do(t, os.Rename(path, path+"2"))
			do(t, os.Symlink("record2", path))
		}, file.ErrLink},
		{"link out of the folder", func(t *testing.T, path string) {
			do(t, os.Rename(path, filepath.Dir(path)+"2"))
			do(t, os.Symlink(filepath.Dir(path)+"2", path))
		}, file.ErrLink},
		{"folder", func(t *testing.T, path string) {
			do(t, os.Remove(path))
			do(t, os.Mkdir(path, 0o700))
		}, file.ErrNotFile},
		{"pipe without a writer", func(t *testing.T, path string) {
			do(t, os.Remove(path))
			do(t, syscall.Mkfifo(path, 0o600))
		}, file.ErrNotFile},
		{"too large", func(t *testing.T, path string) { do(t, os.WriteFile(path, make([]byte, 101), 0o600)) }, file.ErrTooLarge},
		{"as large as it may be", func(t *testing.T, path string) { do(t, os.WriteFile(path, make([]byte, 100), 0o600)) }, nil},
		{"empty", func(t *testing.T, path string) { do(t, os.Truncate(path, 0)) }, nil},
		{"somebody else's", func(t *testing.T, path string) {
			needs.Root(t)
			do(t, os.Chown(path, 65534, 65534))
		}, file.ErrForeign},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d, folder := private(t)
			path := filepath.Join(folder, "record")
			do(t, d.Write("record", []byte("content")))
			tt.make(t, path)
			content, err := d.Read("record", 100)
			if !errors.Is(err, tt.want) {
				t.Fatalf("%v, want %v", err, tt.want)
			}
			if err != nil && (content != nil || !strings.HasPrefix(err.Error(), path+": ")) {
				t.Errorf("content %q with error %q", content, err)
			}
		})
	}
}

func TestReadStart(t *testing.T) {
	t.Parallel()
	d, _ := private(t)
	do(t, d.Write("record", []byte("0123456789")))
	for limit, want := range map[int]string{0: "", 4: "0123", 10: "0123456789", 11: "0123456789"} {
		if got, err := d.ReadStart("record", limit); err != nil || string(got) != want {
			t.Errorf("ReadStart(%d) = %q, %v", limit, got, err)
		}
	}
}

func TestWriteReplacesWhatIsThereAndNothingElse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		make func(t *testing.T, path, other string)
	}{
		{"nothing", func(*testing.T, string, string) {}},
		{"file", func(t *testing.T, path, _ string) { do(t, os.WriteFile(path, []byte("old"), 0o600)) }},
		{"file open to all", func(t *testing.T, path, _ string) {
			do(t, os.WriteFile(path, []byte("old"), 0o600))
			do(t, os.Chmod(path, 0o666))
		}},
		{"link", func(t *testing.T, path, other string) { do(t, os.Symlink(other, path)) }},
		{"link to nothing", func(t *testing.T, path, other string) { do(t, os.Symlink(other+"2", path)) }},
		{"second name", func(t *testing.T, path, other string) { do(t, os.Link(other, path)) }},
		{"pipe", func(t *testing.T, path, _ string) { do(t, syscall.Mkfifo(path, 0o600)) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d, folder := private(t)
			other := filepath.Join(filepath.Dir(folder), "other")
			do(t, os.WriteFile(other, []byte("untouched"), 0o600))
			tt.make(t, filepath.Join(folder, "record"), other)
			do(t, d.Write("record", []byte("new")))
			if content, err := d.Read("record", 100); err != nil || string(content) != "new" {
				t.Errorf("reads %q, %v", content, err)
			}
			if mode := modeOf(t, filepath.Join(folder, "record")); mode != 0o600 {
				t.Errorf("mode %v", mode)
			}
			if content, err := os.ReadFile(other); err != nil || string(content) != "untouched" {
				t.Errorf("the file beside the folder reads %q, %v", content, err)
			}
			if _, err := os.Lstat(other + "2"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("what the link stands for: %v", err)
			}
			if names, err := d.Names(); err != nil || !slices.Equal(names, []string{"record"}) {
				t.Errorf("in the folder: %v, %v", names, err)
			}
		})
	}
}

func TestFailedWriteLeavesTheOldFileAndNothingElse(t *testing.T) {
	t.Parallel()
	d, folder := private(t)
	do(t, os.Mkdir(filepath.Join(folder, "record"), 0o700))
	do(t, os.WriteFile(filepath.Join(folder, "record", "inside"), nil, 0o600))
	if err := d.Write("record", []byte("new")); err == nil {
		t.Error("replaced a folder that is not empty")
	}
	if names, err := d.Names(); err != nil || !slices.Equal(names, []string{"record"}) {
		t.Errorf("in the folder: %v, %v", names, err)
	}
}

func TestRemove(t *testing.T) {
	t.Parallel()
	d, folder := private(t)
	other := filepath.Join(filepath.Dir(folder), "other")
	do(t, os.WriteFile(other, nil, 0o600))
	do(t, os.Symlink(other, filepath.Join(folder, "link")))
	do(t, d.Write("record", nil))
	for range 2 {
		do(t, d.Remove("record", "link", "never there"))
	}
	if names, err := d.Names(); err != nil || len(names) != 0 {
		t.Errorf("in the folder: %v, %v", names, err)
	}
	if _, err := os.Lstat(other); err != nil {
		t.Errorf("removed what the link stands for: %v", err)
	}
}

func TestTemporary(t *testing.T) {
	t.Parallel()
	random := strings.Repeat("A7", 13)
	for name, want := range map[string]string{
		"record." + random + ".new": "record",
		"a.b." + random + ".new":    "a.b",
		"." + random + ".new":       "",
		random + ".new":             "",
		"record." + random:          "",
		"record.new":                "",
		"record":                    "",
		"":                          "",
		"record." + strings.ToLower(random) + ".new": "",
		"record-" + random + ".new":                  "",
	} {
		if got, ok := file.Temporary(name); got != want || ok != (want != "") {
			t.Errorf("Temporary(%q) = %q, %v", name, got, ok)
		}
	}
}

func TestUmaskDoesNotMatter(t *testing.T) {
	t.Parallel()
	for _, mask := range []string{"0", "022", "0777"} {
		folder := filepath.Join(t.TempDir(), "above", "private")
		filetest.Run(t, "unmasked", nil, folder, mask)
		for path, want := range map[string]fs.FileMode{
			filepath.Dir(folder): 0o700, folder: 0o700, filepath.Join(folder, "record"): 0o600, filepath.Join(folder, "lock"): 0o600,
		} {
			if mode := modeOf(t, path); mode != want {
				t.Errorf("umask %s: %s has mode %v", mask, filepath.Base(path), mode)
			}
		}
	}
}

func TestWithoutRights(t *testing.T) {
	t.Parallel()
	needs.Root(t)
	tests := []struct {
		name, what string
		make       func(t *testing.T, folder string)
		want       string
	}{
		{"read from a read-only folder", "read", func(t *testing.T, folder string) { do(t, os.Chmod(folder, 0o500)) }, "<nil>"},
		{"write into a read-only folder", "write", func(t *testing.T, folder string) { do(t, os.Chmod(folder, 0o500)) }, "permission denied"},
		{"lock in a read-only folder", "lock", func(t *testing.T, folder string) { do(t, os.Chmod(folder, 0o500)) }, "permission denied"},
		{"remove from a read-only folder", "remove", func(t *testing.T, folder string) { do(t, os.Chmod(folder, 0o500)) }, "permission denied"},
		{"read what is unreadable", "read", func(t *testing.T, folder string) {
			do(t, os.Chmod(filepath.Join(folder, "record"), 0))
		}, "permission denied"},
		{"folder that cannot be opened", "read", func(t *testing.T, folder string) { do(t, os.Chmod(folder, 0)) }, "permission denied"},
		{"folder of root", "read", func(t *testing.T, folder string) { do(t, os.Chown(folder, 0, 0)) }, "permission denied"},
		{"folder of root, open to all", "write", func(t *testing.T, folder string) {
			do(t, os.Chown(folder, 0, 0))
			do(t, os.Chmod(folder, 0o777))
		}, file.ErrForeign.Error()},
		{"record of root", "read", func(t *testing.T, folder string) {
			do(t, os.Chown(filepath.Join(folder, "record"), 0, 0))
		}, file.ErrForeign.Error()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			top, err := os.MkdirTemp("", "nobody") // the folder of t.TempDir cannot be entered by others
			do(t, err)
			t.Cleanup(func() { os.RemoveAll(top) })
			do(t, os.Chmod(top, 0o755))
			d, err := file.Make(filepath.Join(top, "private"))
			do(t, err)
			defer d.Close()
			do(t, d.Write("record", []byte("old")))
			for _, path := range []string{"private", "private/record"} {
				do(t, os.Chown(filepath.Join(top, path), 65534, 65534))
			}
			tt.make(t, filepath.Join(top, "private"))
			if got := filetest.Run(t, "nobody", nil, tt.what, filepath.Join(top, "private")); !strings.HasSuffix(got, tt.want) {
				t.Errorf("%s, want %s", got, tt.want)
			}
			if names, err := os.ReadDir(filepath.Join(top, "private")); err != nil || len(names) != 1 {
				t.Errorf("in the folder: %v, %v", names, err)
			}
		})
	}
}

func TestWithFewResources(t *testing.T) {
	t.Parallel()
	for _, limit := range [][2]string{{"nofile", "16"}, {"fsize", "0"}} {
		d, folder := private(t)
		do(t, d.Write("record", []byte("old")))
		filetest.Run(t, "tiny", nil, folder, limit[0], limit[1])
		names, err := d.Names()
		slices.Sort(names)
		if err != nil || !slices.Equal(names, []string{"lock", "record"}) {
			t.Errorf("%s=%s: in the folder: %v, %v", limit[0], limit[1], names, err)
		}
	}
}
