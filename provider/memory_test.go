//go:build unix

package provider

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"pgregory.net/rapid"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// tenant is a Source whose material a test changes.
type tenant struct {
	mu       sync.Mutex
	material helpers.Material
	err      error
	asked    int
}

func (s *tenant) Material(_ context.Context, r helpers.Registry) (helpers.Material, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	return s.material, s.err
}

func (s *tenant) set(m helpers.Material, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.material, s.err = m, err
}

func TestRotatedSecretIsFollowedWithinSeconds(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "honest")
	c := newClock(f)
	s := &tenant{material: material(t, here, "first")}
	p := f.provider(Options{Source: s, Now: c.Now})

	if got := secretOf(t, p, here, ""); got != "first/1" {
		t.Errorf("got %q", got)
	}
	s.set(material(t, here, "second"), nil)
	c.Advance(recheck - 1)
	if got := secretOf(t, p, here, ""); got != "first/1" {
		t.Errorf("before the material is looked at again: got %q", got)
	}
	c.Advance(1)
	if got := secretOf(t, p, here, ""); got != "second/2" {
		t.Errorf("after rotation: got %q", got)
	}
	s.set(material(t, here, "first"), nil)
	c.Advance(recheck)
	if got := secretOf(t, p, here, ""); got != "first/1" {
		t.Errorf("after the rotation was taken back: got %q", got)
	}
	f.wantRuns(2)

	s.set(helpers.Material{}, helpers.ErrNotFound)
	c.Advance(recheck)
	if config, err := p.GetCredentials(t.Context(), here, ""); err != nil || *config != (authn.AuthConfig{}) {
		t.Errorf("after the secret was taken away: %v", err)
	}
	s.set(helpers.Material{}, helpers.Fail(helpers.Unavailable, "the store is away", ""))
	c.Advance(recheck)
	if config, err := p.GetCredentials(t.Context(), here, ""); !errors.Is(err, helpers.Unavailable) || *config != (authn.AuthConfig{}) {
		t.Errorf("while the store is away: %v", err)
	}
	f.wantRuns(2)
}

func TestNegativeAnswersAreKeptForSeconds(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "throttled")
	c := newClock(f)
	s := &tenant{material: material(t, here, "swordfish")}
	p := f.provider(Options{Source: s, Now: c.Now})
	failing := func(scope string) {
		t.Helper()
		if _, err := p.GetCredentials(t.Context(), here, scope); !errors.Is(err, helpers.Throttled) {
			t.Errorf("failed: %v", err)
		}
	}
	failing("a")
	failing("a")
	failing("b") // another question, the same material
	f.wantRuns(1)
	c.Advance(failureLife)
	failing("a")
	f.wantRuns(2)

	s.set(helpers.Material{}, helpers.ErrNotFound)
	c.Advance(failureLife)
	asked := s.asked
	for range 3 {
		if _, err := p.GetCredentials(t.Context(), here, "a"); err != nil {
			t.Errorf("none: %v", err)
		}
	}
	if s.asked != asked+1 {
		t.Errorf("the source was asked %d times for one look-up", s.asked-asked)
	}
	s.set(material(t, here, "swordfish"), nil)
	f.write("behaviour", "honest")
	c.Advance(recheck)
	if got := secretOf(t, p, here, "a"); got != "swordfish/3" {
		t.Errorf("after a secret was given: %q", got)
	}
}

func TestOneRunForManyCallers(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "gated")
	gate := f.pipe("gate")
	p := f.isolated(here, "swordfish")
	var wait sync.WaitGroup
	for i := range 64 {
		wait.Go(func() {
			// Different questions to which one material is the answer.
			scope := fmt.Sprintf("acme/app%d", i%4)
			if got := secretOf(t, p, here, scope); got != "swordfish/1" {
				t.Errorf("got %q", got)
			}
		})
	}
	open(t, gate)
	wait.Wait()
	f.wantRuns(1)
}

// open lets the helper through that waits, or will wait, at the gate.
func open(t *testing.T, gate string) {
	t.Helper()
	w, err := os.OpenFile(gate, os.O_WRONLY, 0) // returns once the helper has opened its end
	must(t, err)
	must(t, w.Close())
}

func TestCallerWhoGivesUpDoesNotEndTheOthersRun(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "gated")
	gate := f.pipe("gate")
	running := make(chan struct{})
	p := f.provider(Options{
		Source: Materials{material(t, here, "swordfish")},
		Trace:  Trace{ExecStart: func(Exec) { close(running) }},
	})
	first, cancel := context.WithCancel(t.Context())
	gaveUp := make(chan error, 1)
	go func() {
		config, err := p.GetCredentials(first, here, "")
		if config == nil {
			t.Error("no configuration")
		}
		gaveUp <- err
	}()
	<-running
	second := make(chan string, 1)
	go func() { second <- secretOf(t, p, here, "") }()
	cancel()
	if err := <-gaveUp; !errors.Is(err, helpers.Canceled) || !errors.Is(err, context.Canceled) {
		t.Errorf("the one who gave up: %v", err)
	}
	open(t, gate)
	if got := <-second; got != "swordfish/1" {
		t.Errorf("the other: %q", got)
	}
	f.wantRuns(1)

	expired, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancel()
	if _, err := p.GetCredentials(expired, "other.example.com", ""); !errors.Is(err, helpers.Timeout) {
		t.Errorf("a context without time left: %v", err)
	}
}

// Three lifetimes of a credential under a clock, asked for all the time.
func TestExpiryOverThreeLifetimes(t *testing.T) {
	t.Parallel()
	for _, life := range []time.Duration{12 * time.Hour, time.Hour, 9 * time.Minute, 20 * time.Second} {
		t.Run(life.String(), func(t *testing.T) {
			t.Parallel()
			f := newFolder(t, "honest")
			f.write("life", life.String())
			c := newClock(f)
			var ahead, waited atomic.Int64
			ended := make(chan struct{}, 100)
			p := f.provider(Options{
				Source: Materials{material(t, here, "swordfish")}, Now: c.Now,
				Trace: Trace{
					ExecStart: func(e Exec) {
						if e.Ahead {
							ahead.Add(1)
						} else {
							waited.Add(1)
						}
					},
					ExecEnd: func(Exec, error) { ended <- struct{}{} },
				},
			})
			expires := map[string]time.Time{}
			r := registry(t, here)
			runs := 0
			for range 3 * 200 {
				got, err := p.Token(t.Context(), r)
				must(t, err)
				if now := c.Now(); !now.Before(got.ExpiresAt()) {
					t.Fatalf("expired since %s", now.Sub(got.ExpiresAt()))
				}
				expires[got.Secret()] = got.ExpiresAt()
				// The helpers read the clock: none may be under way when it is set.
				for started := int(ahead.Load() + waited.Load()); runs < started; runs++ {
					<-ended
				}
				c.Advance(life / 200)
			}
			if waited.Load() != 1 {
				t.Errorf("callers waited for %d runs; only for the first there is nothing else to give", waited.Load())
			}
			// Each credential has one successor, fetched at 85 to 95 hundredths of the usable time. Of a long life that
			// is more than three quarters, of a short one, half of which is margin, more than a third.
			most := int64(3)
			if life <= 2*maxMargin {
				most = 8
			}
			if n := ahead.Load(); n < 2 || n > most || int(n) < len(expires)-1 {
				t.Errorf("%d successors of %d credentials were fetched in three lifetimes", n, len(expires))
			}
			f.wantRuns(int(ahead.Load() + waited.Load()))
		})
	}
}

// late is when the successor of a credential of one hour is due. Of its usable 53:45 to 55 minutes 95 hundredths are
// 52:15 at most, so it still serves for more than a minute.
const late = 52*time.Minute + 30*time.Second

func TestOldCredentialServesWhileItsSuccessorIsFetched(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "honest")
	f.write("life", "1h")
	c := newClock(f)
	started, ended := make(chan Exec, 10), make(chan Exec, 10)
	p := f.provider(Options{
		Source: Materials{material(t, here, "swordfish")}, Now: c.Now,
		Trace: Trace{
			ExecStart: func(e Exec) { started <- e },
			ExecEnd:   func(e Exec, _ error) { ended <- e },
		},
	})
	if got := secretOf(t, p, here, ""); got != "swordfish/1" {
		t.Fatalf("got %q", got)
	}
	<-started
	<-ended
	f.write("behaviour", "gated")
	gate := f.pipe("gate")
	c.Advance(late)
	for range 100 {
		if got := secretOf(t, p, here, ""); got != "swordfish/1" {
			t.Fatalf("while the successor is fetched: %q", got)
		}
		c.Advance(time.Second / 2)
	}
	if e := <-started; !e.Ahead {
		t.Error("the run is not ahead of time")
	}
	open(t, gate)
	<-ended
	c.Advance(recheck)
	// The successor is kept before its run is over for those who ask next, but after ExecEnd: whoever comes in between
	// gets the old one, so the last word is that of a look-up which starts later.
	for got := ""; got != "swordfish/2"; got = secretOf(t, p, here, "") {
		c.Advance(time.Millisecond)
	}
	if len(started) != 0 {
		t.Error("there was another run")
	}
}

// A successor that cannot be had is asked for again before the old one ends, with time in between.
func TestSuccessorThatFailsIsAskedForAgain(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "honest")
	f.write("life", "12h")
	c := newClock(f)
	ended := make(chan error, 10)
	p := f.provider(Options{
		Source: Materials{material(t, here, "swordfish")}, Now: c.Now,
		Trace: Trace{ExecEnd: func(_ Exec, err error) { ended <- err }},
	})
	fails := func() {
		t.Helper()
		if got := secretOf(t, p, here, ""); got != "swordfish/1" {
			t.Errorf("got %q", got)
		}
		if err := <-ended; !errors.Is(err, helpers.Throttled) {
			t.Fatalf("the successor: %v", err)
		}
		p.rest()
	}
	secretOf(t, p, here, "")
	must(t, <-ended)
	f.write("behaviour", "throttled")
	c.Advance(680 * time.Minute) // of the 713:45 to 715 that it serves
	fails()
	for range 10 {
		c.Advance(recheck)
		if got := secretOf(t, p, here, ""); got != "swordfish/1" {
			t.Errorf("got %q", got)
		}
	}
	f.wantRuns(2)
	c.Advance(22 * time.Minute) // five eighths of what was left are over
	fails()
	c.Advance(30 * time.Minute) // and now all of it is
	if _, err := p.GetCredentials(t.Context(), here, ""); !errors.Is(err, helpers.Throttled) {
		t.Errorf("an expired credential and nothing to take its place: %v", err)
	}
	f.wantRuns(4)
}

// One that is lost by a hook that panics is asked for again as well.
func TestSuccessorThatIsLost(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "honest")
	f.write("life", "12h")
	c := newClock(f)
	var starts atomic.Int32
	p := f.provider(Options{
		Source: Materials{material(t, here, "swordfish")}, Now: c.Now,
		Trace: Trace{ExecStart: func(Exec) {
			if starts.Add(1) == 2 {
				panic("not-a-secret")
			}
		}},
	})
	secretOf(t, p, here, "")
	c.Advance(680 * time.Minute) // of the 713:45 to 715 that it serves
	for starts.Load() < 2 {
		secretOf(t, p, here, "")
	}
	p.rest()
	c.Advance(22 * time.Minute)
	secretOf(t, p, here, "")
	p.rest()
	c.Advance(recheck)
	if got := secretOf(t, p, here, ""); got != "swordfish/2" || starts.Load() != 3 {
		t.Errorf("got %q after %d runs", got, starts.Load())
	}
}

// rest returns when no helper runs.
func (p *Provider) rest() {
	for running := 1; running > 0; runtime.Gosched() {
		p.runs.mu.Lock()
		running = len(p.runs.running)
		p.runs.mu.Unlock()
	}
}

// The trace hears of each answer from memory, have and none, with the registry that was asked for, and of no other.
func TestTraceHearsHits(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "honest")
	c := newClock(f)
	var mu sync.Mutex
	var heard []string
	p := f.provider(Options{
		Source: Materials{material(t, here, "swordfish")}, Now: c.Now,
		Trace: Trace{Hit: func(r helpers.Registry) {
			mu.Lock()
			defer mu.Unlock()
			heard = append(heard, r.String())
		}},
	})
	want := func(step string, hits ...string) {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		if !slices.Equal(heard, hits) {
			t.Errorf("%s: heard %q, want %q", step, heard, hits)
		}
		heard = nil
	}
	none := func() {
		t.Helper()
		if config, err := p.GetCredentials(t.Context(), "none.example.com", ""); err != nil || *config != (authn.AuthConfig{}) {
			t.Error(err)
		}
	}
	secretOf(t, p, here, "acme/app")
	none()
	want("the first time")
	secretOf(t, p, here, "acme/app")
	none()
	want("the second time", here+"/acme/app", "none.example.com")
	_, err := p.Token(t.Context(), registry(t, here+"/acme/app"))
	must(t, err)
	_, err = p.Preflight(t.Context(), here+"/acme/app:1")
	must(t, err)
	want("by the other ways to ask", here+"/acme/app", here+"/acme/app")
	c.Advance(recheck)
	secretOf(t, p, here, "acme/app") // the material is looked at again
	want("after a while")
	p.Invalidate(here)
	secretOf(t, p, here, "acme/app")
	want("after Invalidate")
}

func TestInvalidate(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "honest")
	f.write("life", "1h")
	p := f.provider(Options{Policy: Ambient})
	secretOf(t, p, here, "acme/a")
	secretOf(t, p, "other.example.com", "")
	p.Invalidate("https://" + strings.ToUpper(here) + "/v2/")
	p.Invalidate("\n")
	if got := secretOf(t, p, here, "acme/a"); got != "ambient/3" {
		t.Errorf("after Invalidate: %q", got)
	}
	if got := secretOf(t, p, "other.example.com", ""); got != "ambient/2" {
		t.Errorf("another registry: %q", got)
	}
	secretOf(t, p, here, "acme/b")
	trust := []bool{true, true, false, true}
	for i, r := range f.runs() {
		if distrusted := strings.Contains(strings.Join(r.environ, "\n"), "BETA9_CREDENTIAL_CACHE=renew"); distrusted == trust[i] {
			t.Errorf("run %d: the helper's own cache is renewed: %t", i+1, distrusted)
		}
	}
}

// Who wants no token on the disk gets none there by a renewal.
func TestInvalidateWritesNothing(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "honest")
	p := f.provider(Options{Policy: Ambient, Environ: []string{"BETA9_CREDENTIAL_CACHE=off"}})
	p.Invalidate(here)
	secretOf(t, p, here, "")
	if env := strings.Join(f.runs()[0].environ, "\n"); strings.Count(env, "BETA9_CREDENTIAL_CACHE=") != 1 {
		t.Errorf("%s", env)
	}
}

// What was fetched before Invalidate is not kept after it, even when it arrives later.
func TestInvalidateReachesWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "gated")
	gate := f.pipe("gate")
	p := f.isolated(here, "swordfish")
	first := make(chan string, 1)
	go func() { first <- secretOf(t, p, here, "") }()
	w, err := os.OpenFile(gate, os.O_WRONLY, 0)
	must(t, err)
	p.Invalidate(here)
	must(t, w.Close())
	if got := <-first; got != "swordfish/1" {
		t.Errorf("the one who waited: %q", got)
	}
	f.write("behaviour", "honest")
	if got := secretOf(t, p, here, ""); got != "swordfish/2" {
		t.Errorf("the next: %q", got)
	}
}

// Who asks after Invalidate does not wait for a run that was begun before it.
func TestInvalidateStartsAnew(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "gated")
	gate := f.pipe("gate")
	p := f.isolated(here, "swordfish")
	first := make(chan string, 1)
	go func() { first <- secretOf(t, p, here, "") }()
	w, err := os.OpenFile(gate, os.O_WRONLY, 0)
	must(t, err)
	p.Invalidate(here)
	f.write("behaviour", "honest")
	for range 2 {
		if got := secretOf(t, p, here, ""); got != "swordfish/2" {
			t.Errorf("while the run from before is under way: %q", got)
		}
	}
	must(t, w.Close())
	<-first
	f.wantRuns(2)
}

// An answer that comes after its registry was dropped is not remembered, however close the two are.
func TestMemoryTakesNothingFromBeforeItsDrop(t *testing.T) {
	t.Parallel()
	var m memory
	now := time.Now()
	at := place{registry: here}
	a := &answer{registry: registry(t, here), life: newSpan(now, now.Add(time.Hour))}
	generation := m.begin()
	m.drop(here)
	m.put(at, a, now, generation)
	if m.get(at, now) != nil {
		t.Error("an answer from before is remembered")
	}
	m.put(at, a, now, m.begin())
	if m.get(at, now) != a {
		t.Error("an answer from after is not")
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "honest")
	p := f.provider(Options{Source: Materials{}})
	for i := range 3 * maxAnswers {
		if _, err := p.GetCredentials(t.Context(), fmt.Sprintf("r%d.example.com", i), ""); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(*p.memory.answers.Load()); n > maxAnswers {
		t.Errorf("%d answers are kept", n)
	}
	if _, err := p.GetCredentials(t.Context(), here, strings.Repeat("a/", maxPlace)+"a"); err == nil {
		t.Error("a repository of 2 KiB")
	}
	for at := range *p.memory.answers.Load() {
		if len(at.scope) > maxPlace {
			t.Error("a long question is kept")
		}
	}
	now := time.Now()
	for i := range 3 * maxTokens {
		p.tokens.put(key{identity: fmt.Sprint(i)}, newToken(helpers.NewCredential("u", "s", time.Time{}), nil, now, Isolated), now, 0)
	}
	if n := len(p.tokens.kept); n > maxTokens {
		t.Errorf("%d tokens are kept", n)
	}
	for i := range 3 * maxTokens {
		p.Invalidate(fmt.Sprintf("r%d.example.com", i))
	}
	if n := len(p.tokens.distrusted); n > maxTokens {
		t.Errorf("%d registries are distrusted", n)
	}
}

func TestHitAllocatesOnce(t *testing.T) {
	p := newFolder(t, "honest").isolated(here, "swordfish")
	secretOf(t, p, here, "acme/app")
	ctx := t.Context()
	allocations := testing.AllocsPerRun(1000, func() {
		if config, err := p.GetCredentials(ctx, here, "acme/app"); err != nil || config.Password == "" {
			t.Fatal(err)
		}
	})
	if allocations > 1 {
		t.Errorf("%v allocations", allocations)
	}
}

func TestPlanEndsBeforeTheCredential(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, "now"), 0)
		left := time.Duration(rapid.Int64Range(1, int64(400*24*time.Hour)).Draw(t, "left"))
		s, ahead := plan(now, now.Add(left))
		if margin := now.Add(left).Sub(s.until); margin < min(maxMargin, left/2) || margin > left*5/8+1 {
			t.Errorf("margin %s of %s", margin, left)
		}
		if ahead.Before(now) || ahead.After(s.until) {
			t.Errorf("the successor is fetched %s after now, the credential ends after %s", ahead.Sub(now), s.until.Sub(now))
		}
		if s.holds(s.until) || s.holds(now.Add(-1)) {
			t.Error("holds outside of itself")
		}
	})
}

// A credential that ends in the year 9999 is kept like any other that lives long.
func TestPlanOfCredentialsThatNearlyNeverEnd(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, year := range []int{2031, 2034, 2040, 2262, 2290, 9999} {
		s, ahead := plan(now, time.Date(year, 12, 31, 23, 59, 59, 0, time.UTC))
		if !s.holds(now.Add(300*24*time.Hour)) || ahead.Before(now.Add(300*24*time.Hour)) || ahead.After(s.until) {
			t.Errorf("%d: holds until %v, the successor is fetched at %v", year, s.until, ahead)
		}
	}
}

// The two clocks of a time are looked at both: the wall clock may be set, and the monotonic one stands still while a
// machine sleeps.
func TestSpanHoldsByBothClocks(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s := newSpan(now, now.Add(time.Hour))
	if !s.holds(now) || !s.holds(now.Add(time.Hour-1)) {
		t.Error("does not hold inside of itself")
	}
	day := 24 * time.Hour
	wall := now.Round(0) // without the monotonic clock
	for name, at := range map[string]time.Time{
		"a day later": now.Add(day), "a day earlier": now.Add(-day),
		"the wall clock set on": wall.Add(day), "the wall clock set back": wall.Add(-day),
	} {
		if s.holds(at) {
			t.Errorf("holds: %s", name)
		}
	}
	slept := span{until: s.until.Add(day), wallFrom: s.wallFrom, wallUntil: s.wallUntil}
	if slept.holds(now.Add(2 * time.Hour)) {
		t.Error("holds by the monotonic clock alone")
	}
	set := span{until: s.until, wallFrom: s.wallFrom, wallUntil: s.wallUntil + int64(day)}
	if set.holds(now.Add(2 * time.Hour)) {
		t.Error("holds by the wall clock alone")
	}
}
