package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// command returns this test binary as the command, in a home of its own. It is killed when it does not end.
func command(t *testing.T, args ...string) (cmd *exec.Cmd, home string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	home = t.TempDir()
	cmd = exec.CommandContext(ctx, self)
	cmd.Args = append([]string{"beta9-credentials"}, args...)
	cmd.Env = []string{"HOME=" + home}
	return cmd, home
}

// TestInterruptedWhereItWaits sends the signal while the command reads what never comes.
func TestInterruptedWhereItWaits(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		cmd, home := command(t, "check", "r.example.com/acme/app", "--material")
		pipe := filepath.Join(home, "pipe")
		cmd.Args = append(cmd.Args, pipe)
		if err := syscall.Mkfifo(pipe, 0o600); err != nil {
			t.Fatal(err)
		}
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		w, err := os.OpenFile(pipe, os.O_WRONLY, 0) // until it is opened for reading
		if err != nil {
			t.Fatal(err)
		}
		limits, err := os.ReadFile("/proc/" + strconv.Itoa(cmd.Process.Pid) + "/limits")
		if err != nil || !strings.Contains(string(limits), "Max core file size        0                    0 ") {
			t.Errorf("the process is not hardened: %v\n%s", err, limits)
		}
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		w.Close()
		if code := cmd.ProcessState.ExitCode(); code != exitFailed || !strings.Contains(stderr.String(), "interrupted") {
			t.Errorf("%v: exit code %d, %q", signal, code, stderr.String())
		}
	}
}

// terminal returns the two ends of a new terminal: a person's and a program's.
func terminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	return person, program
}

// TestInterruptedAtThePrompt presses Control-C where the password is asked for.
func TestInterruptedAtThePrompt(t *testing.T) {
	t.Parallel()
	person, program := terminal(t)
	cmd, _ := command(t, "login", "r.example.com", "-u", "octocat")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = program, program, program
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	shown, buf := "", make([]byte, 256)
	for !strings.Contains(shown, "Password: ") {
		n, err := person.Read(buf)
		if err != nil {
			t.Fatalf("%q, then %v", shown, err)
		}
		shown += string(buf[:n])
	}
	// The prompt is shown before the terminal is made quiet.
	for giveUp := time.Now().Add(time.Minute); ; runtime.Gosched() {
		state, err := unix.IoctlGetTermios(int(program.Fd()), unix.TCGETS)
		if err != nil {
			t.Fatal(err)
		}
		if state.Lflag&unix.ECHO == 0 {
			break
		}
		if time.Now().After(giveUp) {
			t.Fatal("the terminal shows what is typed")
		}
	}
	if _, err := person.WriteString("\x03"); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitFailed {
		t.Errorf("exit code %d", code)
	}
	if state, err := unix.IoctlGetTermios(int(program.Fd()), unix.TCGETS); err != nil || state.Lflag&unix.ECHO == 0 {
		t.Errorf("the terminal is left quiet: %v", err)
	}
}

// TestOutputThatIsLost writes to a device that takes nothing.
func TestOutputThatIsLost(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	for _, args := range [][]string{{"version"}, {"--help"}, {"status"}, {"status", "--json"}, {"configure", "docker", "--dry-run"}} {
		cmd, _ := command(t, args...)
		var stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = full, &stderr
		_ = cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != exitFailed || !strings.Contains(stderr.String(), "error: ") {
			t.Errorf("%q: exit code %d, %q", args, code, stderr.String())
		}
	}
}
