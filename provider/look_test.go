//go:build unix

package provider

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// A hook of the Trace that panics, and a Source that ends its goroutine, make a look-up fail and no more.
func TestLookupThatDoesNotReturn(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(o *Options, once func(func())){
		"ExecStart": func(o *Options, once func(func())) {
			o.Trace.ExecStart = func(Exec) { once(func() { panic("not-a-secret") }) }
		},
		"ExecEnd": func(o *Options, once func(func())) {
			o.Trace.ExecEnd = func(Exec, error) { once(func() { panic("not-a-secret") }) }
		},
		"the goroutine": func(o *Options, once func(func())) {
			before := o.Source
			o.Source = source(func(ctx context.Context, r helpers.Registry) (helpers.Material, error) {
				once(runtime.Goexit)
				return before.Material(ctx, r)
			})
		},
	} {
		f := newFolder(t, "honest")
		o := Options{Source: Materials{material(t, here, "pw")}}
		var done atomic.Bool
		spoil(&o, func(do func()) {
			if done.CompareAndSwap(false, true) {
				do()
			}
		})
		p := f.provider(o)
		_, err := p.GetCredentials(t.Context(), here, "")
		if helpers.ReasonOf(err) != helpers.Internal || strings.Contains(fmt.Sprint(err), "not-a-secret") {
			t.Errorf("%s: %v", name, err)
		}
		p.Invalidate(here) // a failure is remembered for a moment
		if c, err := p.GetCredentials(t.Context(), here, ""); err != nil || c.Password == "" {
			t.Errorf("%s: the next look-up: %v", name, err)
		}
	}
}

// A hit whose hook panics fails as well: who asks does not count on a panic.
func TestHitThatDoesNotReturn(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "honest")
	p := f.provider(Options{Source: Materials{material(t, here, "pw")}, Trace: Trace{Hit: func(helpers.Registry) { panic("not-a-secret") }}})
	secretOf(t, p, here, "")
	_, err := p.GetCredentials(t.Context(), here, "")
	_, other := p.Token(t.Context(), registry(t, here))
	for _, err := range []error{err, other} {
		if helpers.ReasonOf(err) != helpers.Internal || strings.Contains(fmt.Sprint(err), "not-a-secret") {
			t.Errorf("%v", err)
		}
	}
}

// To forget one registry lets nobody ask the Source again for what it is being asked for another.
func TestInvalidateLeavesOtherQuestionsAlone(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "honest")
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		var asked atomic.Int32
		p := f.provider(Options{Source: source(func(context.Context, helpers.Registry) (helpers.Material, error) {
			asked.Add(1)
			<-gate
			return helpers.Material{}, helpers.ErrNotFound
		})})
		defer p.Close()
		ask := func(after int32) {
			t.Helper()
			go p.GetCredentials(t.Context(), here, "acme/app")
			synctest.Wait()
			if got := asked.Load(); got != after {
				t.Errorf("the Source was asked %d times, not %d", got, after)
			}
		}
		ask(1)
		p.Invalidate("other.example.com")
		ask(1)
		p.Invalidate("https://" + strings.ToUpper(here))
		ask(2)
		close(gate)
		synctest.Wait()
	})
}

// A deadline that is as good as none leaves a helper its time.
func TestLongestDeadline(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "honest")
	p := f.provider(Options{Source: Materials{material(t, here, "pw")}, Deadline: math.MaxInt64})
	secretOf(t, p, here, "")
	for _, entry := range f.runs()[0].environ {
		if told, ok := strings.CutPrefix(entry, "BETA9_CREDENTIAL_TIMEOUT="); ok {
			if d, err := time.ParseDuration(told); err != nil || d < 21*time.Hour || d > 24*time.Hour {
				t.Errorf("the helper has %s", told)
			}
			return
		}
	}
	t.Error("the helper was told no deadline")
}

// A Source that takes its time leaves the look-up less of it, and not the run of the helper: others may join that.
func TestLookupEndsThoughItsRunGoesOn(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "hang")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	p := f.provider(Options{Deadline: time.Hour, Source: Materials{material(t, here, "pw")}, Trace: Trace{ExecStart: func(Exec) { cancel() }}})
	r := registry(t, here)
	kind, _ := p.registries.Lookup(r)
	if _, err := p.token(ctx, ask{typ: kind, registry: r, material: material(t, here, "pw")}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// A Source that comes back after the end causes no run.
func TestLookupThatHasEndedRunsNothing(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "honest")
	ended := source(func(ctx context.Context, _ helpers.Registry) (helpers.Material, error) {
		<-ctx.Done()
		return material(t, here, "pw"), nil
	})
	p := f.provider(Options{Deadline: 10 * time.Millisecond, Source: ended, Trace: Trace{ExecStart: func(Exec) { t.Error("a helper was run") }}})
	if _, err := p.GetCredentials(t.Context(), here, ""); helpers.ReasonOf(err) != helpers.Timeout {
		t.Errorf("got %v", err)
	}
	must(t, p.Close()) // waits for whatever was begun
}

func TestCallerWhoGaveUpBeforeAsksNobody(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "honest")
	p := f.provider(Options{Source: source(func(context.Context, helpers.Registry) (helpers.Material, error) {
		t.Error("the Source was asked")
		return helpers.Material{}, helpers.ErrNotFound
	})})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.GetCredentials(ctx, here, ""); helpers.ReasonOf(err) != helpers.Canceled {
		t.Errorf("got %v", err)
	}
	must(t, p.Close()) // waits for whatever was begun
}

// What is said around a failure of the Source may be secret.
func TestTextAroundAFailureIsDropped(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "honest")
	p := f.provider(Options{Source: source(func(context.Context, helpers.Registry) (helpers.Material, error) {
		return helpers.Material{}, fmt.Errorf("postgres://u:not-a-secret@host: %w", helpers.Fail(helpers.Unavailable, "the store is down", ""))
	})})
	_, err := p.GetCredentials(t.Context(), here, "")
	if helpers.ReasonOf(err) != helpers.Unavailable || strings.Contains(err.Error(), "not-a-secret") {
		t.Errorf("got %v", err)
	}
}

// An answer holds no longer than the token that it comes from, however late another spelling of the registry asks.
func TestAnswerEndsWithItsToken(t *testing.T) {
	t.Parallel()
	for behaviour, life := range map[string]time.Duration{"none": recheck, "throttled": failureLife} {
		f := newFolder(t, behaviour)
		clk := newClock(f)
		p := f.provider(Options{Policy: Ambient, Now: clk.Now, Environ: os.Environ()})
		if c, _ := p.GetCredentials(t.Context(), here, ""); c.Password != "" {
			t.Fatalf("%s: there is a password", behaviour)
		}
		clk.Advance(life - time.Millisecond)
		if c, _ := p.GetCredentials(t.Context(), "https://"+here, ""); c.Password != "" {
			t.Fatalf("%s: there is a password now", behaviour)
		}
		f.wantRuns(1)
		f.write("behaviour", "honest")
		clk.Advance(time.Millisecond)
		if c, err := p.GetCredentials(t.Context(), "https://"+here, ""); err != nil || c.Password == "" {
			t.Errorf("%s: still remembered: %v", behaviour, err)
		}
	}
}

// What is forgotten for one registry is nothing to another one, whose look-up is under way.
func TestDropsAreOfOneRegistry(t *testing.T) {
	t.Parallel()
	var d drops
	d.note("a.example")
	begun := d.count
	if d.since(begun, "a.example") || d.since(begun, "b.example") {
		t.Error("something was dropped before it was")
	}
	d.note("a.example")
	if !d.since(begun, "a.example") || d.since(begun, "b.example") {
		t.Error("a drop is not that of its registry alone")
	}
	// There is no end of registries.
	for i := range 2 * maxTokens {
		d.note(fmt.Sprint(i))
	}
	if !d.since(begun, "a.example") || !d.since(begun, "0") || len(d.last) > maxTokens {
		t.Errorf("of %d drops %d are known, and one from before is not", d.count, len(d.last))
	}
}
