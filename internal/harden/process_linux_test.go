package harden

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const (
	secretKey = "HARDEN_TEST_SECRET"
	secret    = "canary-93be"
	// nobody is the user to be when the test is root, from whom nothing under
	// /proc can be hidden.
	nobody = 65534
)

// TestMain lets the test binary be the process that is looked at, and the one
// that looks.
func TestMain(m *testing.M) {
	switch os.Args[0] {
	case "open":
		wait()
	case "hidden":
		if err := Process(); err != nil {
			fmt.Println(err)
		}
		wait()
	case "look":
		look(os.Args[1])
	default:
		os.Exit(m.Run())
	}
	// Not os.Exit, with which the race detector waits for a second.
	syscall.Exit(0)
}

// wait says what it knows of itself and stays until nobody listens.
func wait() {
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if err != nil {
		dumpable = -1
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &limit); err != nil {
		limit.Max = 1
	}
	fmt.Println(dumpable, limit.Max)
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// look tries to read what belongs to another process.
func look(pid string) {
	for _, name := range []string{"environ", "maps", "mem"} {
		file, err := os.Open(filepath.Join("/proc", pid, name))
		if err != nil {
			fmt.Println(name, "closed")
			continue
		}
		found := ""
		if content, err := io.ReadAll(file); err == nil && strings.Contains(string(content), secret) {
			found = ", with the secret"
		}
		fmt.Println(name, "open"+found)
		file.Close()
	}
	if links, err := filepath.Glob(filepath.Join("/proc", pid, "fd", "*")); err != nil || len(links) == 0 {
		fmt.Println("fd closed")
	} else {
		fmt.Println("fd open")
	}
}

// command runs this binary under a name, as nobody if this is root. The binary
// lies where nobody else can reach it, but an open descriptor of it can be
// executed, when its number is out of the way of the child's own.
func command(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	binary, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer binary.Close()
	number, err := unix.FcntlInt(binary.Fd(), unix.F_DUPFD_CLOEXEC, 200)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(number) })
	cmd := exec.Command(fmt.Sprintf("/proc/self/fd/%d", number), args...)
	cmd.Args[0] = name
	cmd.Dir = "/"
	cmd.Env = []string{secretKey + "=" + secret}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	return cmd
}

func TestProcess(t *testing.T) {
	for name, want := range map[string]struct{ self, seen string }{
		// The first shows that the test would notice.
		"open":   {"1", "environ open, with the secret\nmaps open\nmem open\nfd open\n"},
		"hidden": {"0 0", "environ closed\nmaps closed\nmem closed\nfd closed\n"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := command(t, name)
			stdin, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			cmd.Stderr = os.Stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			self, err := bufio.NewReader(stdout).ReadString('\n')
			if err != nil || !strings.HasPrefix(self, want.self) {
				t.Errorf("of itself it says %q (%v), want %q", self, err, want.self)
			}
			seen, err := command(t, "look", fmt.Sprint(cmd.Process.Pid)).CombinedOutput()
			if err != nil || string(seen) != want.seen {
				t.Errorf("another process of the same user sees\n%s(%v) want\n%s", seen, err, want.seen)
			}
			stdin.Close()
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}
