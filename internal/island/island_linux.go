package island

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/internal/needs"
	"github.com/beam-cloud/docker-credential-beta9/internal/testca"
)

// The environment by which the second process learns that it is one.
const (
	testVariable   = "BETA9_TEST_ISLAND"     // the name of the test
	folderVariable = "BETA9_TEST_ISLAND_DIR" // where both processes find the island's files
)

// The files in that folder.
const (
	bundleFile  = "ca.pem"
	outcomeFile = "outcome"
)

// margin is how much earlier than the test's own deadline the second process gives up, to have its say printed.
const margin = 10 * time.Second

func run(t *testing.T, c Config, body func(*testing.T, *Island)) {
	t.Helper()
	if os.Getenv(testVariable) == t.Name() {
		arrive(t, c, body)
		return
	}
	needs.Namespaces(t)
	if c.Silent {
		needs.Tool(t, "ip")
		tunnel, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0)
		if err != nil {
			needs.Missing(t, "no silent network (%v): run as root, or give the container --device /dev/net/tun", err)
		}
		tunnel.Close()
	}
	send(t, c.Environ)
}

// send runs the test in a second process and takes over its outcome.
func send(t *testing.T, extra []string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	args := []string{"-test.run=" + pattern(t.Name()), "-test.count=1", "-test.v"}
	if deadline, ok := t.Deadline(); ok {
		args = append(args, "-test.timeout="+max(time.Until(deadline)-margin, time.Second).String())
	}
	if testing.Short() {
		args = append(args, "-test.short")
	}
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Env = append(append(environ(), extra...),
		testVariable+"="+t.Name(),
		folderVariable+"="+dir,
		// The race detector's own second of waiting at the end is for threads that a finished test no longer has.
		"GORACE=atexit_sleep_ms=10 "+os.Getenv("GORACE"),
		"SSL_CERT_FILE="+filepath.Join(dir, bundleFile))
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS,
		Pdeathsig:  syscall.SIGKILL,
		Setpgid:    true, // so that what it leaves behind can be found
	}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	cmd.WaitDelay = margin // for what it leaves holding its output

	// Pdeathsig is about the thread that made the process, not this process: it has to stay.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	out, err := cmd.CombinedOutput()
	if cmd.Process != nil {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // mostly there is nobody left
	}
	t.Logf("on the island:\n%s", out)
	outcome, readErr := os.ReadFile(filepath.Join(dir, outcomeFile))
	switch {
	case err != nil:
		t.Fatalf("on the island: %v", err)
	case readErr != nil:
		t.Fatalf("the test did not get as far as the island: %v", readErr)
	case string(outcome) == skipped:
		needs.Missing(t, "skipped on the island, see above")
	case string(outcome) != passed:
		t.Fatalf("on the island the test %s", outcome)
	}
}

// environ is this process's environment without what would lead clients elsewhere.
func environ() []string {
	var env []string
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		switch strings.ToUpper(name) {
		case "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_DIR":
			continue
		}
		env = append(env, entry)
	}
	return env
}

// pattern selects one test, which may be a subtest, for -test.run.
func pattern(name string) string {
	parts := strings.Split(name, "/")
	for i, part := range parts {
		parts[i] = "^" + regexp.QuoteMeta(part) + "$"
	}
	return strings.Join(parts, "/")
}

// What a test may come to.
const (
	passed  = "passed"
	failed  = "failed"
	skipped = "was skipped"
)

// arrive furnishes the island and runs the body on it.
func arrive(t *testing.T, c Config, body func(*testing.T, *Island)) {
	t.Helper()
	dir := os.Getenv(folderVariable)
	t.Cleanup(func() {
		outcome := passed
		switch {
		case t.Failed():
			outcome = failed
		case t.Skipped():
			outcome = skipped
		}
		if err := os.WriteFile(filepath.Join(dir, outcomeFile), []byte(outcome), 0o600); err != nil {
			t.Error(err)
		}
	})
	authority, err := testca.New()
	if err != nil {
		t.Fatal(err)
	}
	bundle := filepath.Join(dir, bundleFile)
	if _, err := os.Lstat(bundle); !errors.Is(err, os.ErrNotExist) {
		t.Fatal("island.Run was called twice in one test: give each a subtest")
	}
	if err := authority.WriteBundle(bundle); err != nil {
		t.Fatal(err)
	}
	if err := furnish(dir, c); err != nil {
		t.Fatal(fmt.Errorf("island: %w", err))
	}
	body(t, &Island{Authority: authority})
}
