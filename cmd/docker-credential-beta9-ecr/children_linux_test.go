package main_test

import (
	"bufio"
	"bytes"
	"cmp"
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

// A program that prints keys does not outlive the helper that has started it, nor does what it has started in turn, unless
// the helper was killed: neither when the time is over, nor when somebody wants the helper to end, or the dispatcher that
// runs it.
func TestNoProgramIsLeftBehind(t *testing.T) {
	t.Parallel()
	// What is heard here is not ignored there, even when whoever runs the tests ignores it.
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, os.Interrupt, syscall.SIGHUP, syscall.SIGQUIT)
	t.Cleanup(func() { signal.Stop(heard) })
	const alone = "echo $$ >&9; exec sleep 600"
	const parent = "(" + alone + ") & wait" // what is echoed is the parent's number all the same
	for name, end := range map[string]struct {
		program, timeout string
		signal           os.Signal
		says             string
		by               string // who has got the signal, if not the helper
	}{
		"its time is over":          {program: parent, timeout: "5s", says: "timeout: "},
		"SIGKILL":                   {program: alone, timeout: "60s", signal: os.Kill},
		"SIGTERM":                   {program: parent, timeout: "60s", signal: syscall.SIGTERM, says: "canceled: "},
		"SIGINT":                    {program: parent, timeout: "60s", signal: os.Interrupt, says: "canceled: "},
		"SIGHUP":                    {program: parent, timeout: "60s", signal: syscall.SIGHUP, says: "canceled: "},
		"SIGQUIT":                   {program: parent, timeout: "60s", signal: syscall.SIGQUIT, says: "canceled: "},
		"SIGINT to the dispatcher":  {program: parent, timeout: "60s", signal: os.Interrupt, says: "canceled: ", by: dispatch.Name},
		"SIGTERM to the dispatcher": {program: parent, timeout: "60s", signal: syscall.SIGTERM, says: "canceled: ", by: dispatch.Name},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			witness := filepath.Join(w.home, "witness")
			if err := syscall.Mkfifo(witness, 0o600); err != nil {
				t.Fatal(err)
			}
			pipe, err := os.OpenFile(witness, os.O_RDWR, 0) // which waits for nobody
			if err != nil {
				t.Fatal(err)
			}
			defer pipe.Close()
			w.write(".aws/config", "[default]\ncredential_process = exec 9>"+witness+"; "+end.program+"\n")
			helper := exec.CommandContext(t.Context(), filepath.Join(filepath.Dir(w.helper), cmp.Or(end.by, filepath.Base(w.helper))), "get")
			helper.Stdin = strings.NewReader(host)
			for name, value := range w.env {
				helper.Env = append(helper.Env, name+"="+value)
			}
			helper.Env = append(helper.Env, "BETA9_CREDENTIAL_TIMEOUT="+end.timeout)
			var stdout bytes.Buffer
			helper.Stdout = &stdout
			if err := helper.Start(); err != nil {
				t.Fatal(err)
			}
			if err := pipe.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			line, err := bufio.NewReader(pipe).ReadString('\n')
			if err != nil {
				t.Fatalf("the program did not start: %v", err)
			}
			group, err := strconv.Atoi(strings.TrimSpace(line))
			if err != nil {
				t.Fatal(err)
			}
			reader, err := os.OpenFile(witness, os.O_RDONLY|syscall.O_NONBLOCK, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer reader.Close()
			pipe.Close()
			if end.signal != nil {
				if err := helper.Process.Signal(end.signal); err != nil {
					t.Fatal(err)
				}
			}
			_ = helper.Wait() // it fails in any case
			if said := stdout.String(); !strings.HasPrefix(said, end.says) || (said == "") != (end.says == "") {
				t.Errorf("the helper says %q, not %q", said, end.says)
			}
			// The end of the pipe comes when nobody holds it any more.
			if err := reader.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
				t.Fatal(err)
			}
			if _, err := reader.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
				t.Errorf("the program, or its child, is still there: %v", err)
				_ = syscall.Kill(-group, syscall.SIGKILL)
			}
		})
	}
}
