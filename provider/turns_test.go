//go:build unix

package provider

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// ample is the deadline of look-ups that come to their end on a slow machine too, and end a test that hangs.
const ample = 2 * time.Minute

// named is a Tenanted Source.
type named struct {
	Materials
	name string
}

func (n named) Tenant() string { return n.name }

// passwordsFor returns material for hosts of this first label.
func passwordsFor(t *testing.T, label string, n int) (Materials, []string) {
	t.Helper()
	var ms Materials
	var hosts []string
	for i := range n {
		host := fmt.Sprintf("%s.r%d.example.com", label, i)
		hosts = append(hosts, host)
		ms = append(ms, material(t, host, "swordfish"))
	}
	return ms, hosts
}

// tenantOf derives a tenant's provider.
func tenantOf(t *testing.T, worker *Provider, source helpers.Source) *Provider {
	t.Helper()
	p, err := worker.For(source)
	must(t, err)
	t.Cleanup(func() { must(t, p.Close()) })
	return p
}

// runsOf counts the runs for registries of a first label.
func (f folder) runsOf(label string) (n int) {
	f.t.Helper()
	for _, r := range f.runs() {
		if strings.Contains(r.args, " "+label+".") {
			n++
		}
	}
	return n
}

// holding opens the pipe that the helpers for a label wait at, once one of them is there.
func (f folder) holding(label string) *os.File {
	f.t.Helper()
	w, err := os.OpenFile(f.path+"/"+label, os.O_WRONLY, 0)
	must(f.t, err)
	f.t.Cleanup(func() { w.Close() })
	return w
}

func release(t *testing.T, w *os.File, n int) {
	t.Helper()
	_, err := w.Write(make([]byte, n))
	must(t, err)
}

// A tenant whose registries do not answer takes no more than its part of the helpers that may run at once, whether it has
// one provider or many. The others' look-ups go on all the while.
func TestHungTenantLeavesRoomForTheOthers(t *testing.T) {
	t.Parallel()
	const lookups, providers = 24, 6
	one := func(ms Materials) func(int) helpers.Source { // one Source, for which there are several providers
		s := &named{Materials: ms}
		return func(int) helpers.Source { return struct{ helpers.Source }{s} } // without its name
	}
	tests := map[string]struct {
		sources   func(Materials) func(int) helpers.Source
		providers int
	}{
		"one provider": {func(ms Materials) func(int) helpers.Source { return func(int) helpers.Source { return ms } }, 1},
		"one Source":   {one, providers},
		"one name": {func(ms Materials) func(int) helpers.Source {
			return func(int) helpers.Source { return named{append(Materials(nil), ms...), "hung"} }
		}, providers},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFolder(t, "turnstile")
			f.pipe("hung")
			worker := f.provider(Options{Source: Materials{}, Deadline: ample})
			ms, hosts := passwordsFor(t, "hung", lookups)
			sourceOf := tt.sources(ms)
			var hung []*Provider
			for i := range tt.providers {
				hung = append(hung, tenantOf(t, worker, sourceOf(i)))
			}
			var wait sync.WaitGroup
			for i, host := range hosts {
				wait.Go(func() { secretOf(t, hung[i%len(hung)], host, "") })
			}
			pipe := f.holding("hung")
			others, names := passwordsFor(t, "fine", 2*lookups)
			for i := range 4 {
				other := tenantOf(t, worker, named{others, fmt.Sprint("other ", i)})
				for j := i; j < len(names); j += 4 {
					wait.Go(func() { secretOf(t, other, names[j], "") })
				}
			}
			alone := tenantOf(t, worker, others)
			for _, host := range names[:lookups] {
				if got := secretOf(t, alone, host, ""); !strings.HasPrefix(got, "swordfish/") {
					t.Errorf("another tenant got %q", got)
				}
			}
			if n := f.runsOf("hung"); n < 1 || n > 4 {
				t.Errorf("the hung tenant has %d of 8 turns", n)
			}
			release(t, pipe, lookups)
			wait.Wait()
			if n := f.runsOf("hung"); n != lookups {
				t.Errorf("in the end %d of %d helpers of the hung tenant were run", n, lookups)
			}
		})
	}
}

// Options.Concurrent bounds what runs for all providers that were derived from one.
func TestConcurrentIsSharedByTenants(t *testing.T) {
	t.Parallel()
	const concurrent = 3
	f := newFolder(t, "turnstile")
	started := make(chan Exec, 10)
	worker := f.provider(Options{Source: Materials{}, Concurrent: concurrent, Deadline: ample, Trace: Trace{ExecStart: func(e Exec) { started <- e }}})
	lookup := func(label string) (ended chan string) {
		host := label + ".example.com"
		p := tenantOf(t, worker, Materials{material(t, host, "swordfish")})
		ended = make(chan string, 1)
		go func() { ended <- secretOf(t, p, host, "") }()
		<-started
		return ended
	}
	var held []chan string
	var pipes []*os.File
	for i := range concurrent {
		label := fmt.Sprint("held", i)
		f.pipe(label)
		held = append(held, lookup(label))
		pipes = append(pipes, f.holding(label)) // its helper runs
	}
	late, later := lookup("late"), lookup("later")
	// They have all the time that other helpers take.
	unlimited := f.isolated("free.example.com", "swordfish")
	for range 5 {
		secretOf(t, unlimited, "free.example.com", "")
		unlimited.Invalidate("free.example.com")
	}
	if n := f.runsOf("late") + f.runsOf("later"); n != 0 {
		t.Errorf("%d helpers were run beside the %d that may run at once", n, concurrent)
	}
	release(t, pipes[0], 1)
	<-held[0]
	<-late // with the turn that became free
	<-later
	for i := 1; i < concurrent; i++ {
		release(t, pipes[i], 1)
		<-held[i]
	}
}
