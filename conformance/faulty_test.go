package conformance

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// faults are what a helper may do wrong, and the cases that have to find it.
var faults = []struct {
	name  string
	cases string
}{
	{"trips over white space", "F1"},
	{"joins lines", "F2"},
	{"takes nothing for not found", "F3"},
	{"trips over a byte order mark", "F4"},
	{"reads 4 KiB", "F6"},
	{"reads once", "F7"},
	{"stops at 64 KiB", "S1"},
	{"has no cap", "S2"},
	{"trims secrets", "S3"},
	{"reads raw line feeds", "S4"},
	{"is lenient", "S5"},
	{"repairs UTF-8", "S6"},
	{"takes users for paths", "S7"},
	{"keeps the first", "S8"},
	{"is strict about spelling", "H1"},
	{"tells upper case apart", "H2"},
	{"takes any port", "H2 H3"},
	{"matches a part of the host", "H4"},
	{"takes every host", "H4"},
	{"takes any scheme", "H5"},
	{"takes the path along", "H6"},
	{"takes any verb", "V1"},
	{"has no version", "V2"},
	{"lists null", "V3"},
	{"misses what is gone", "V4"},
	{"pretty-prints", "O1"},
	{"echoes its own spelling", "O2"},
	{"is chatty", "O3"},
	{"is deaf", "O4"},
	{"quotes its input", "O6"},
	{"talks on two lines", "O6"},
	{"keeps a journal", "O6"},
	{"stores in clear", "O6"},
	{"says more", "O8"},
	{"outlives SIGTERM", "P1"},
	{"writes in place", "P2"},
	{"keeps all in one file", "P5"},
	{"leaves files open to others", "P6"},
	{"follows links", "P6"},
	{"takes failure for nothing", "P6"},
	{"needs a home", "P8"},
	{"ignores a full disk", "P9"},
}

// computingFaults are what a helper whose credentials are computed may do wrong.
var computingFaults = []struct {
	name  string
	cases string
}{
	{"stores nothing computed", "V5"},
	{"takes failure for nothing", "O7"},
	{"shows the answer", "O7"},
	{"follows redirects", "O7"},
	{"waits for ever", "P3"},
	{"needs a cache", "P7"},
	{"keeps the token", "V4"},
	{"keeps no token", "T1"},
	{"keeps to its cache", "T1"},
	{"renews for itself alone", "T1"},
	{"hands out what has ended", "T3"},
	{"keeps what is about to end", "T4"},
}

// faulty is the helper with a fault, which it takes from the name of its folder.
func faulty(t *testing.T, fault string) Helper {
	t.Helper()
	folder, err := os.MkdirTemp("", "faulty-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	path := filepath.Join(folder, fault, "docker-credential-faulty")
	// Some cases run the helper as another user.
	if err := errors.Join(os.Chmod(folder, 0o755), os.Mkdir(filepath.Dir(path), 0o755)); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(executable(t, "docker-credential-faulty"), path); err != nil {
		t.Fatal(err)
	}
	return Helper{Path: path, Host: "ghcr.io", Hosts: []string{"docker.pkg.github.com"}, OtherHost: "quay.io", Static: true}
}

func computing(t *testing.T, fault string) Helper {
	h := faulty(t, fault)
	h.Static = false
	h.Env = []string{"FAULTY_COMPUTES=1"}
	h.Upstream = func() (Upstream, error) { return newService(), nil }
	return h
}

// Every case is able to fail: a helper with the fault that it is for does not pass it, and the same helper without any
// fault passes all of them.
func TestEveryFaultIsFound(t *testing.T) {
	t.Run("none", func(t *testing.T) {
		t.Parallel()
		for _, f := range append(Check(faulty(t, "none")), Check(computing(t, "none"))...) {
			t.Errorf("%s: %s", f.Case, f.Saw)
		}
	})
	for _, row := range faults {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			isFound(t, faulty(t, row.name), strings.Fields(row.cases))
		})
	}
	for _, row := range computingFaults {
		t.Run("computing, "+row.name, func(t *testing.T) {
			t.Parallel()
			isFound(t, computing(t, row.name), strings.Fields(row.cases))
		})
	}
}

func isFound(t *testing.T, h Helper, ids []string) {
	t.Helper()
	findings := Check(h, ids...)
	for _, id := range ids {
		if !slices.ContainsFunc(findings, func(f Finding) bool { return f.Case == id }) {
			t.Errorf("%s does not find it", id)
		}
	}
	for _, f := range findings {
		if strings.Contains(f.Saw, "the suite cannot") {
			t.Errorf("%s: %s", f.Case, f.Saw)
		}
	}
}

// Every case is in one of the tables above, or in the reference's.
func TestEveryCaseHasAFault(t *testing.T) {
	known := map[string]bool{"F5": true, "O5": true, "P4": true} // see referenceFaults; ways of not ending, of which a waiting test sees one
	for _, row := range slices.Concat(faults, computingFaults) {
		for _, id := range strings.Fields(row.cases) {
			known[id] = true
		}
	}
	for _, c := range cases() {
		if !known[c.id] {
			t.Errorf("no fault is known for %s, %s", c.id, c.about)
		}
	}
}

// A service is the stand-in that the faulty helper asks for tokens.
type service struct {
	*httptest.Server
	mu      sync.Mutex
	b       Behaviour
	calls   int
	let     chan struct{}
	letOnce sync.Once
}

func newService() *service {
	s := &service{let: make(chan struct{})}
	s.Server = httptest.NewServer(s)
	return s
}

func (s *service) Env() []string { return []string{"FAULTY_SERVICE=" + s.URL} }

func (s *service) Behave(b Behaviour) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.b = b
}

func (s *service) Calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

func (s *service) Close() {
	s.letOnce.Do(func() { close(s.let) })
	s.Server.Close()
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.calls++
	n, b := s.calls, s.b
	s.mu.Unlock()
	if b.Hang {
		select {
		case <-s.let:
		case <-r.Context().Done():
		}
		return
	}
	if b.Location != "" {
		w.Header().Set("Location", b.Location)
	}
	if b.Status != 0 {
		w.WriteHeader(b.Status)
	}
	if b.Body != "" {
		_, _ = w.Write([]byte(b.Body))
		return
	}
	life := b.Lifetime
	if life == 0 {
		life = time.Hour
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"Secret": "token-" + string(rune('a'+n%26)), "Ends": time.Now().Add(life)})
}
