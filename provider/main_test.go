//go:build unix

package provider

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

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// program is a copy of this test binary, which stands in for helpers: run under the name of one, it behaves as the
// folder it lies in says.
var program string

func TestMain(m *testing.M) {
	if strings.HasPrefix(os.Args[0], helpers.ExecutablePrefix) {
		// Not os.Exit, after which the race detector waits for a second.
		syscall.Exit(behave())
	}
	if temp := os.Getenv(crashKey); temp != "" {
		crash(temp)
	}
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "provider")
	if err == nil {
		defer os.RemoveAll(dir)
		program = filepath.Join(dir, "program")
		err = copyProgram(program)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	// Every helper has been waited for, and so is nobody's child.
	if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); !errors.Is(err, syscall.ECHILD) {
		fmt.Fprintf(os.Stderr, "a child is left: pid %d, %v\n", pid, err)
		code = 1
	}
	return code
}

// copyProgram is called before any test runs: a child that was forked while the file is open for writing would keep the
// system from executing it.
func copyProgram(path string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
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
	return to.Close()
}
