// Package filetest is what tests of files at rest share: parts of a test that run in processes of their own, a disk
// that is full, and a search for a secret that must not be found.
package filetest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// rolesVariable marks, in the environment of a process, the role that it plays instead of running tests.
const rolesVariable = "BETA9_TEST_ROLE"

// A Role is a part of a test that runs in a process of its own. What it returns is printed, and fails the process.
type Role func(args []string) error

// Main is what TestMain of a package with roles calls. In a process made by [Process] it plays the role, elsewhere it
// runs the tests.
func Main(m *testing.M, roles map[string]Role) int {
	name := os.Getenv(rolesVariable)
	if name == "" {
		return m.Run()
	}
	role, ok := roles[name]
	if !ok {
		fmt.Fprintln(os.Stderr, "no such role:", name)
		return 2
	}
	if err := role(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// Process returns a command that plays a role with nothing in its environment but the variables given, each as
// NAME=value. The test's end kills it.
func Process(t testing.TB, role string, env []string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Env = append([]string{rolesVariable + "=" + role}, env...)
	return cmd
}

// Run plays a role to its end and returns what it printed on stdout; a role that fails also fails the test.
func Run(t testing.TB, role string, env []string, args ...string) string {
	t.Helper()
	cmd := Process(t, role, env, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Errorf("%s %s: %v: %s", role, strings.Join(args, " "), err, stderr.String())
	}
	return stdout.String()
}

// RunMany plays the same role in n processes at once, each with its number as the last argument, and returns what they
// printed, by number.
func RunMany(t testing.TB, n int, role string, env []string, args ...string) []string {
	t.Helper()
	type result struct {
		number         int
		stdout, stderr string
		err            error
	}
	results := make(chan result)
	for i := range n {
		cmd := Process(t, role, env, append(args[:len(args):len(args)], fmt.Sprint(i))...)
		go func() {
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			err := cmd.Run()
			results <- result{i, stdout.String(), stderr.String(), err}
		}()
	}
	printed := make([]string, n)
	for range n {
		r := <-results
		if r.err != nil {
			t.Errorf("%s, process %d: %v: %s", role, r.number, r.err, r.stderr)
		}
		printed[r.number] = r.stdout
	}
	return printed
}
