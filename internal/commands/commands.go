// Package commands builds this project's commands for tests that run them as people do:
//
//	func TestMain(m *testing.M) { os.Exit(commands.Main(m)) }
//
//	func TestSomething(t *testing.T) {
//		cmd := exec.Command(filepath.Join(commands.Folder(t), "beta9-credentials"), "status")
package commands

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/internal/needs"
)

// folderVariable tells a test binary that is executed once more where the commands are.
const folderVariable = "BETA9_TEST_COMMANDS"

// module is where the commands are.
const module = "github.com/beam-cloud/docker-credential-beta9"

// folder is where this process has them, and failure why it has none.
var (
	folder  = os.Getenv(folderVariable)
	failure error
)

// Main builds every command and the packages of main programs that are named besides, runs the tests, and returns the exit
// code. It is for TestMain. The commands are built as make build builds them.
func Main(m *testing.M, besides ...string) int {
	if folder != "" {
		return m.Run()
	}
	folder, failure = os.MkdirTemp("", "commands-")
	if failure == nil {
		defer os.RemoveAll(folder)
		failure = os.Chmod(folder, 0o755) // some tests run a command as another user
	}
	if failure == nil {
		failure = build(folder, besides...)
	}
	return m.Run()
}

// Environ returns the variables by which a test binary that is executed once more finds the commands that this process has.
func Environ() []string { return []string{folderVariable + "=" + folder} }

// Folder returns the absolute path of the folder with the commands in it, which no test may change.
func Folder(t testing.TB) string {
	t.Helper()
	needs.Tool(t, "go")
	if failure != nil {
		t.Fatal(failure)
	}
	if folder == "" {
		t.Fatal("no commands: TestMain does not call commands.Main")
	}
	return folder
}

// build makes the programs, all of them at once.
func build(dir string, besides ...string) error {
	args := append([]string{"build", "-trimpath", "-ldflags=-s -w", "-o", dir + string(filepath.Separator), module + "/cmd/..."}, besides...)
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("the commands cannot be built: %w\n%s", err, out)
	}
	return nil
}
