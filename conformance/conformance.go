// Package conformance tests a credential helper, any executable that speaks docker's credential-helper protocol, against
// what the clients of the protocol do and against what goes wrong with it in the field:
//
//	func TestConformance(t *testing.T) {
//		conformance.Run(t, conformance.Helper{Path: "/usr/bin/docker-credential-x", Host: "registry.example.com", Static: true})
//	}
//
// Each case is a subtest whose name starts with its id: F is framing, S the store, H hosts, V verbs, O output, P the
// process and T time. A case that does not apply to the helper is not run; one that the machine lacks something for is
// skipped, and says what. Every case has a home folder of its own, and calls the helper with an environment that holds
// nothing of the machine's but PATH and what [Helper.Env] adds.
//
// What no case can see from outside is left to tests of the helper's own code: how it behaves when the clock jumps while
// it has a token in its cache (T2, T5), and whether a token that has aged in the cache is dropped in time.
//
// The protocol is written down at https://github.com/docker/docker-credential-helpers.
package conformance

import (
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/internal/needs"
)

// A Helper is an executable to be tested, and what has to be known of it.
type Helper struct {
	// Path is the executable.
	Path string
	// Host is a registry of the helper's own: a host in canonical form, or host:port.
	Host string
	// Hosts are more registries of its own, each an identity apart from the others. Calls in parallel are spread over them.
	Hosts []string
	// Spellings are names of Host beyond those that every host has, such as the server URL of Docker Hub.
	Spellings []string
	// OtherHost is a registry that is not the helper's. It is empty for a helper that takes every host.
	OtherHost string
	// Static tells that the helper stores logins and gives them back as they are. Otherwise credentials are computed, and a
	// login that is stored is not looked for.
	Static bool
	// Username is one that the helper stores and gives back as it is; "user" when it is empty.
	Username string
	// Secret is one that the helper has no advice about; any when it is empty.
	Secret string
	// Descriptors is how many open files the helper gets by with; 16 when it is zero. One that executes others needs more.
	Descriptors int
	// Env is added to the environment of every call, as "name=value".
	Env []string
	// Upstream starts a stand-in for the service that the credentials of Host are computed by. The cases that need one are
	// not run when it is nil.
	Upstream func() (Upstream, error)
}

// A Finding is one thing that a helper does wrong.
type Finding struct {
	Case string // the id of the case, such as "F2"
	Saw  string // one line: what was asked, what was seen and what was expected
}

// A testCase is one of the suite.
type testCase struct {
	id, about string
	applies   func(Helper) bool   // nil: always
	lacks     func(Helper) string // what the machine lacks for it, or nothing; nil: nothing
	run       func(*probe)
}

// cases returns the cases in the order in which they are run.
func cases() []testCase {
	return slices.Concat(framing, storing, hosts, verbs, output, processes, computed)
}

func static(h Helper) bool      { return h.Static }
func notStatic(h Helper) bool   { return !h.Static }
func hasUpstream(h Helper) bool { return h.Upstream != nil }

// Run runs the cases as parallel subtests and reports every finding as an error of the subtest.
func Run(t *testing.T, h Helper) {
	t.Helper()
	for _, c := range cases() {
		if c.applies != nil && !c.applies(h) {
			continue
		}
		t.Run(c.id+" "+c.about, func(t *testing.T) {
			t.Parallel()
			if c.lacks != nil {
				if what := c.lacks(h); what != "" {
					needs.Missing(t, "%s", what)
				}
			}
			for _, f := range c.find(h) {
				t.Error(f.Saw)
			}
		})
	}
}

// Check runs the cases with the given ids, or all of them, and returns what it finds. A case that the machine lacks
// something for is left out.
func Check(h Helper, ids ...string) []Finding {
	var (
		all   sync.WaitGroup
		turns = make(chan struct{}, 2*runtime.NumCPU()) // most of a case is waiting for a process
		found = make([][]Finding, len(cases()))
	)
	for i, c := range cases() {
		if len(ids) > 0 && !slices.Contains(ids, c.id) || c.applies != nil && !c.applies(h) || c.lacks != nil && c.lacks(h) != "" {
			continue
		}
		all.Go(func() {
			turns <- struct{}{}
			found[i] = c.find(h)
			<-turns
		})
	}
	all.Wait()
	return slices.Concat(found...)
}

// find runs the case in a folder of its own.
func (c testCase) find(h Helper) []Finding {
	p, err := newProbe(c.id, h)
	if err != nil {
		return []Finding{{c.id, "the suite cannot make a folder: " + err.Error()}}
	}
	defer os.RemoveAll(p.dir)
	c.run(p)
	return *p.findings
}
