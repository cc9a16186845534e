//go:build unix

package dispatch_test

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/internal/dispatch"
)

// witnessPipe makes the pipe on which a child of the helper that hangs shows itself, and opens it for a minute.
func witnessPipe(t *testing.T) (path string, pipe *os.File) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "witness")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	pipe, err := os.OpenFile(path, os.O_RDWR, 0) // which waits for nobody
	if err == nil {
		err = pipe.SetReadDeadline(time.Now().Add(time.Minute))
	}
	if err != nil {
		t.Fatal(err)
	}
	return path, pipe
}

// A list that somebody ends before it is whole is none.
func TestListThatIsEnded(t *testing.T) {
	t.Parallel()
	dir := withHung(t)
	witness, pipe := witnessPipe(t)
	defer pipe.Close()
	cmd := exec.Command(filepath.Join(dir, dispatch.Name), "list")
	// The keys have both helpers run: they may have something to list.
	cmd.Env = []string{home(t), "WITNESS=" + witness, "NGC_API_KEY=not-a-secret", "GITHUB_TOKEN=not-a-secret", "BETA9_CREDENTIAL_TIMEOUT=1m"}
	var out strings.Builder
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(pipe).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if said := out.String(); !strings.HasPrefix(said, "canceled: ") || cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("%q, %s", said, cmd.ProcessState)
	}
}

// Whatever ends the dispatcher ends the helper that it runs, and the helper's children.
func TestNothingStaysBehind(t *testing.T) {
	t.Parallel()
	dir := withHung(t)
	ends := map[string]os.Signal{
		"deadline": nil, "SIGTERM": syscall.SIGTERM, "SIGINT": os.Interrupt, "SIGHUP": syscall.SIGHUP, "SIGQUIT": syscall.SIGQUIT,
	}
	// What is heard here is not ignored there, even when whoever runs the tests ignores it.
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, os.Interrupt, syscall.SIGHUP, syscall.SIGQUIT)
	t.Cleanup(func() { signal.Stop(heard) })
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			witness, pipe := witnessPipe(t)
			cmd := exec.Command(filepath.Join(dir, dispatch.Name), "get")
			cmd.Stdin = strings.NewReader("nvcr.io")
			cmd.Env = []string{home(t), "WITNESS=" + witness, "BETA9_CREDENTIAL_TIMEOUT=1m"}
			if end == nil {
				cmd.Env = append(cmd.Env, "BETA9_CREDENTIAL_TIMEOUT=5s")
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			line, err := bufio.NewReader(pipe).ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			child, err := strconv.Atoi(strings.TrimSpace(line))
			if err != nil {
				t.Fatal(err)
			}
			reader, err := os.OpenFile(witness, os.O_RDONLY|syscall.O_NONBLOCK, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer reader.Close()
			pipe.Close()
			if end != nil {
				if err := cmd.Process.Signal(end); err != nil {
					t.Fatal(err)
				}
			}
			_ = cmd.Wait()
			// The end of the pipe comes when nobody holds it any more.
			if err := reader.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
				t.Fatal(err)
			}
			if _, err := reader.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
				t.Errorf("the helper's child is still there: %v", err)
				_ = syscall.Kill(child, syscall.SIGKILL)
			}
		})
	}
}
