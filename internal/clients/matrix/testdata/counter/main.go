// Command counter stands on PATH under the name of a credential helper, notes in a file that it was called, and becomes the
// helper itself.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

func main() {
	name := filepath.Base(os.Args[0])
	fmt.Fprintln(os.Stderr, note(name))
	os.Exit(1)
}

// note returns only when something went wrong.
func note(name string) error {
	f, err := os.OpenFile(os.Getenv("BETA9_TEST_CALLS"), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	// One short write to a file opened for appending is not torn by another's.
	if _, err := fmt.Fprintln(f, name, strings.Join(os.Args[1:], " ")); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	helper := filepath.Join(os.Getenv("BETA9_TEST_HELPERS"), name)
	return syscall.Exec(helper, append([]string{helper}, os.Args[1:]...), os.Environ())
}
