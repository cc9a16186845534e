package pull_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest"
	"github.com/beam-cloud/docker-credential-beta9/internal/needs"
)

// elsewhere is a host that a redirect leads to. It is one that everybody trusts.
const elsewhere = "elsewhere.example.com"

// TestMisbehavingServices has every service of every way misbehave: the helper ends by itself with the reason, nothing goes
// to a second host, and of an answer without an end no more is taken than the limit and what was on its way.
func TestMisbehavingServices(t *testing.T) {
	t.Parallel()
	const limit = 64 << 20 // many times what buffers hold, and a small part of 2 GiB
	for name, fault := range map[string]struct {
		order  func(second string, sent *atomic.Int64) cloudtest.Fault
		reason []helpers.Reason
	}{
		"hangs":       {func(string, *atomic.Int64) cloudtest.Fault { return cloudtest.Hang() }, []helpers.Reason{helpers.Timeout, helpers.Unreachable}},
		"drips":       {func(string, *atomic.Int64) cloudtest.Fault { return cloudtest.Drip() }, []helpers.Reason{helpers.Timeout, helpers.Unreachable}},
		"sends 2 GiB": {func(_ string, sent *atomic.Int64) cloudtest.Fault { return cloudtest.Bomb(sent) }, []helpers.Reason{helpers.BadAnswer}},
		"redirects":   {func(second string, _ *atomic.Int64) cloudtest.Fault { return cloudtest.Redirect(second) }, []helpers.Reason{helpers.BadAnswer}},
		"garbage":     {func(string, *atomic.Int64) cloudtest.Fault { return cloudtest.Garbage(canary) }, []helpers.Reason{helpers.BadAnswer}},
	} {
		for called, w := range ways {
			for service, order := range w.services {
				t.Run(name+", "+called+", "+service, func(t *testing.T) {
					t.Parallel()
					s := newSite(t)
					w.given(s)
					second := cloudtest.NewGate()
					s.proxy.Serve(elsewhere, second.Guard(elsewhere, http.NotFoundHandler()))
					address := "https://" + elsewhere + "/"
					if strings.Contains(service, "metadata") || service == "container" || service == "instance" || service == "managed" {
						address = s.near(second.Guard(elsewhere, http.NotFoundHandler())) // these are asked without a proxy
					}
					var sent atomic.Int64
					order(s, fault.order(address, &sent))
					timeout := "60s" // which a busy machine does not need
					if slices.Contains(fault.reason, helpers.Timeout) {
						timeout = "1s"
					}
					stdout, stderr, ok := s.run(w.typ, helpers.VerbGet, w.host, "BETA9_CREDENTIAL_TIMEOUT="+timeout)
					reason := helpers.ReasonOf(helpers.ParseErrorLine([]byte(stdout)))
					if ok || !slices.Contains(fault.reason, reason) || strings.Contains(stdout+stderr, canary) {
						t.Errorf("%q, %q, want %s", stdout, stderr, fault.reason)
					}
					if n := sent.Load(); n > limit {
						t.Errorf("%d bytes of 2 GiB were taken", n)
					}
					for _, host := range s.proxy.Called() {
						if host == elsewhere+":443" {
							t.Error("the second host was asked for")
						}
					}
					if n := second.Total(); n != 0 {
						t.Errorf("%d requests went to the second host", n)
					}
				})
			}
		}
	}
}

// TestAHitOpensNoSocket watches the helpers' system calls: what is in the cache is handed out with no socket opened,
// whatever the identity, while everybody who could be asked is silent.
func TestAHitOpensNoSocket(t *testing.T) {
	t.Parallel()
	strace := needs.Tool(t, "strace")
	for name, w := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			w.given(s)
			calls := filepath.Join(s.home, "calls")
			sockets := func() (string, int) {
				stdout, stderr, ok := s.wrapped([]string{strace, "-f", "-e", "trace=socket,connect,sendto", "-o", calls}, w.typ, helpers.VerbGet, w.host)
				if !ok {
					t.Fatalf("%q, %q", stdout, stderr)
				}
				data, err := os.ReadFile(calls)
				if err != nil {
					t.Fatal(err)
				}
				return stdout, strings.Count(string(data), "socket(") + strings.Count(string(data), "connect(")
			}
			first, n := sockets()
			if n == 0 {
				t.Error("a miss opened no socket, so that nothing is shown here")
			}
			for _, order := range w.services {
				order(s, cloudtest.Hang())
			}
			for range 2 {
				again, n := sockets()
				if n != 0 || again != first {
					t.Errorf("a hit opened %d sockets, or is another answer", n)
				}
			}
		})
	}
}
