//go:build unix

package execute

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

// helpersFolder holds this test binary once under the name of every behaviour,
// so that it runs itself as the helpers of these tests.
var helpersFolder string

func TestMain(m *testing.M) {
	if behave, ok := behaviours[strings.TrimPrefix(os.Args[0], Prefix)]; ok {
		// Not os.Exit, with which the race detector waits for a second.
		syscall.Exit(behave())
	}
	if len(os.Args) == 2 && validVerb(os.Args[1]) {
		// Run as a helper under another name: the tests must not run in it.
		syscall.Exit(9)
	}
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "execute")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	helpersFolder = filepath.Join(dir, "helpers")
	if err := fillFolder(helpersFolder); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	// Every child has been waited for, so there is none to be had.
	if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); !errors.Is(err, syscall.ECHILD) {
		fmt.Fprintf(os.Stderr, "a child is left: pid %d, %v\n", pid, err)
		code = 1
	}
	return code
}

// fillFolder makes the folder of all behaviours, readable by everybody.
func fillFolder(folder string) error {
	if err := os.Chmod(filepath.Dir(folder), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(folder, 0o755); err != nil {
		return err
	}
	if err := os.Chmod(folder, 0o755); err != nil {
		return err
	}
	first := ""
	for name := range behaviours {
		path := filepath.Join(folder, Prefix+name)
		if first != "" {
			if err := os.Link(first, path); err != nil {
				return err
			}
			continue
		}
		first = path
		if err := copyProgram(path); err != nil {
			return err
		}
	}
	return nil
}

// copyProgram writes this test binary to path. A child forked meanwhile would
// hold the file open for writing, and the system executes no such file.
func copyProgram(path string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	from, err := os.Open(self)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(to, from); err != nil {
		return err
	}
	if err := to.Chmod(0o755); err != nil {
		return err
	}
	return to.Close()
}

// types are all behaviours, the set a folder of these tests allows.
func types() []string {
	var names []string
	for name := range behaviours {
		names = append(names, name)
	}
	return names
}

// behaving opens the folder of all behaviours.
func behaving(t testing.TB, o Options) *Folder {
	t.Helper()
	if o.Types == nil {
		o.Types = types()
	}
	folder, err := OpenFolder(helpersFolder, o)
	if err != nil {
		t.Fatal(err)
	}
	return folder
}
