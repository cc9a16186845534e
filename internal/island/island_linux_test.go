package island

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/beam-cloud/docker-credential-beta9/internal/clients"
	"github.com/beam-cloud/docker-credential-beta9/internal/needs"
	"github.com/beam-cloud/docker-credential-beta9/internal/registrytest"
)

func TestServersListenUnderTheirNames(t *testing.T) {
	t.Parallel()
	crane := clients.Need(t, "crane")
	Run(t, Config{Names: []string{"ghcr.io", "nvcr.io"}}, func(t *testing.T, isle *Island) {
		// Two registries at once, on one port.
		for name, user := range map[string]string{"ghcr.io": "alice", "nvcr.io": "$oauthtoken"} {
			reg := registrytest.Start(t, registrytest.Options{
				Listen: []string{name + ":443"}, TLS: isle.Authority.ServerConfig(),
				Auth: registrytest.Basic, Accounts: map[string]string{user: "not-a-real-password"},
			})
			if reg.Name() != name {
				t.Errorf("known as %s, want %s", reg.Name(), name)
			}
			ref := reg.MustPush(t, "acme/app:1", registrytest.SmallImage(t))

			res, err := http.Get("https://" + name + "/v2/")
			if err != nil {
				t.Fatalf("this process: %v", err)
			}
			res.Body.Close()
			if res.StatusCode != http.StatusUnauthorized {
				t.Errorf("this process: %s", res.Status)
			}

			home := clients.TempHome(t)
			if err := home.Configure(crane, clients.Auths(user, "not-a-real-password", name)); err != nil {
				t.Fatal(err)
			}
			for what, extra := range map[string][]string{"SSL_CERT_FILE": nil, "the system's bundle": {"SSL_CERT_FILE="}} {
				cmd := crane.Pull(t.Context(), home, ref, false)
				cmd.Env = append(cmd.Env, extra...)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("trusting by %s: %v: %s", what, err, out)
				}
			}
		}
	})
}

func TestNothingLeaves(t *testing.T) {
	t.Parallel()
	Run(t, Config{Names: []string{"ghcr.io"}}, func(t *testing.T, _ *Island) {
		interfaces, err := net.Interfaces()
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range interfaces {
			if i.Flags&net.FlagUp != 0 && i.Flags&net.FlagLoopback == 0 {
				t.Errorf("a way out: %s", i.Name)
			}
		}
		if _, err := net.Dial("tcp", "169.254.169.254:80"); !errors.Is(err, syscall.ENETUNREACH) {
			t.Errorf("beyond: %v, want no network", err)
		}
		var dns *net.DNSError
		if _, err := net.LookupHost("docker.io"); !errors.As(err, &dns) || !dns.IsNotFound {
			t.Errorf("another name: %v, want none such", err)
		}
		if got, err := net.LookupHost("ghcr.io"); err != nil || len(got) != 1 || got[0] != "203.0.113.1" {
			t.Errorf("its own name: %v, %v", got, err)
		}
	})
}

func TestSilentNetworkSwallowsEverything(t *testing.T) {
	t.Parallel()
	Run(t, Config{Names: []string{"ghcr.io"}, Silent: true}, func(t *testing.T, _ *Island) {
		// Long enough to be told no, were anybody there to say it.
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if _, err := new(net.Dialer).DialContext(ctx, "tcp", "169.254.169.254:80"); !errors.Is(err, context.DeadlineExceeded) && !os.IsTimeout(err) {
			t.Errorf("an address beyond: %v, want silence", err)
		}
		ctx, cancel = context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		var dns *net.DNSError
		if _, err := net.DefaultResolver.LookupHost(ctx, "docker.io"); !errors.As(err, &dns) || !dns.IsTimeout {
			t.Errorf("another name: %v, want silence", err)
		}
		ln, err := net.Listen("tcp", "ghcr.io:443")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		conn, err := net.Dial("tcp", "ghcr.io:443")
		if err != nil {
			t.Fatalf("its own name: %v", err)
		}
		conn.Close()
	})
}

func TestTheMachineStaysAsItIs(t *testing.T) {
	t.Parallel()
	before, err := os.ReadFile("/etc/hosts")
	if err != nil {
		t.Fatal(err)
	}
	Run(t, Config{Names: []string{"ghcr.io"}}, func(t *testing.T, _ *Island) {
		if now, err := os.ReadFile("/etc/hosts"); err != nil || !bytes.Contains(now, []byte("ghcr.io")) {
			t.Errorf("on the island: %q, %v", now, err)
		}
	})
	if os.Getenv(testVariable) == t.Name() {
		return
	}
	if after, err := os.ReadFile("/etc/hosts"); err != nil || !bytes.Equal(before, after) {
		t.Errorf("/etc/hosts was %q and is %q, %v", before, after, err)
	}
}

func TestNobodyStaysBehind(t *testing.T) {
	t.Parallel()
	sleep := needs.Tool(t, "sleep")
	note := filepath.Join(os.TempDir(), "island-"+t.Name()) // known to both processes
	Run(t, Config{}, func(t *testing.T, _ *Island) {
		cmd := exec.Command(sleep, "1000")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(note, []byte(strconv.Itoa(cmd.Process.Pid)), 0o600); err != nil {
			t.Error(err)
		}
	})
	if os.Getenv(testVariable) == t.Name() {
		return
	}
	t.Cleanup(func() { os.Remove(note) })
	data, err := os.ReadFile(note)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(string(data))
	if err != nil {
		t.Fatal(err)
	}
	process, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(process)
	// Readable once it has ended; it was killed, so that is a matter of being scheduled.
	ended, err := 0, error(unix.EINTR) // which the Go runtime's own signals cause
	for errors.Is(err, unix.EINTR) {
		ended, err = unix.Poll([]unix.PollFd{{Fd: int32(process), Events: unix.POLLIN}}, 10_000)
	}
	if err != nil || ended != 1 {
		unix.PidfdSendSignal(process, unix.SIGKILL, nil, 0)
		t.Errorf("process %d stayed behind (%v)", pid, err)
	}
}

func TestSubtestsGoOneByOne(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"ghcr.io", "a name with spaces/and (signs)"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			Run(t, Config{}, func(t *testing.T, _ *Island) {
				t.Run("within", func(t *testing.T) {})
			})
		})
	}
}

// rehearsal, in the environment, makes TestRehearsal end in one of its ways.
const rehearsal = "BETA9_TEST_ISLAND_REHEARSAL"

func TestRehearsal(t *testing.T) {
	way := os.Getenv(rehearsal)
	switch way {
	case "":
		return
	case "not reached":
		if os.Getenv(testVariable) != "" {
			return
		}
	case "twice":
		Run(t, Config{}, func(*testing.T, *Island) {})
	}
	config := Config{}
	if way == "bad name" {
		config.Names = []string{"ghcr.io:443"}
	}
	Run(t, config, func(t *testing.T, _ *Island) {
		switch way {
		case "failed":
			t.Error("the reason")
		case "failed within":
			t.Run("within", func(t *testing.T) { t.Error("the reason") })
		case "skipped":
			needs.Missing(t, "the reason")
		case "crashed":
			os.Stderr.WriteString("the reason\n")
			os.Exit(3)
		}
	})
}

func TestOutcomesComeHome(t *testing.T) {
	t.Parallel()
	needs.Namespaces(t)
	tests := []struct {
		way, required string
		fails         bool
		says          string
	}{
		{way: "passed", says: "--- PASS"},
		{way: "failed", fails: true, says: "the reason"},
		{way: "failed within", fails: true, says: "the reason"},
		{way: "crashed", fails: true, says: "the reason"},
		{way: "skipped", says: "--- SKIP"},
		{way: "skipped", required: "1", fails: true, says: "REQUIRE_ALL=1: the reason"},
		{way: "not reached", fails: true, says: "did not get as far"},
		{way: "twice", fails: true, says: "twice in one test"},
		{way: "bad name", fails: true, says: `not a host name: "ghcr.io:443"`},
	}
	for _, tt := range tests {
		t.Run(tt.way+tt.required, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestRehearsal$", "-test.v")
			cmd.Env = append(environ(), rehearsal+"="+tt.way, "REQUIRE_ALL="+tt.required, "SKIPPED=")
			out, err := cmd.CombinedOutput()
			if fails := err != nil; fails != tt.fails || !strings.Contains(string(out), tt.says) {
				t.Errorf("got %v, want failure %t and %q in:\n%s", err, tt.fails, tt.says, out)
			}
		})
	}
}

func TestHostsRefusesWhatIsNoName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "ghcr.io:443", "https://ghcr.io", "a b", "a\n127.0.0.1 b", "#"} {
		if table, err := hosts([]string{name}); err == nil {
			t.Errorf("%q made %q", name, table)
		}
	}
}
