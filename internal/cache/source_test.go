//go:build unix

package cache

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/file/filetest"
)

// A upstream is a token service: it counts, and answers as it is told.
type upstream struct {
	mu    sync.Mutex
	key   helpers.Key
	reply func(ctx context.Context, call int) (helpers.Credential, error)
	calls int
}

func (u *upstream) Key(context.Context, helpers.Registry) (helpers.Key, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.key, nil
}

func (u *upstream) Token(ctx context.Context, _ helpers.Registry) (helpers.Credential, error) {
	u.mu.Lock()
	u.calls++
	n, reply := u.calls, u.reply
	u.mu.Unlock()
	return reply(ctx, n)
}

func (u *upstream) set(reply func(ctx context.Context, call int) (helpers.Credential, error)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.reply = reply
}

// asked returns the number of calls since the last time.
func (u *upstream) asked() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	n := u.calls
	u.calls = 0
	return n
}

// The replies. Time is the bubble's of testing/synctest.

// lives answers with credentials that live for a while.
func lives(life time.Duration) func(context.Context, int) (helpers.Credential, error) {
	return func(context.Context, int) (helpers.Credential, error) {
		return helpers.NewCredential("user", "token of "+time.Now().Format(time.RFC3339), time.Now().Add(life)), nil
	}
}

// fails answers with an error.
func fails(err error) func(context.Context, int) (helpers.Credential, error) {
	return func(context.Context, int) (helpers.Credential, error) { return helpers.Credential{}, err }
}

// slowly answers after 100 ms.
func slowly(reply func(context.Context, int) (helpers.Credential, error)) func(context.Context, int) (helpers.Credential, error) {
	return func(ctx context.Context, call int) (helpers.Credential, error) {
		<-time.After(100 * time.Millisecond)
		return reply(ctx, call)
	}
}

// hangs does not answer.
func hangs(ctx context.Context, _ int) (helpers.Credential, error) {
	<-ctx.Done()
	return helpers.Credential{}, &helpers.Failure{Reason: helpers.Timeout, Text: "no answer", Cause: ctx.Err()}
}

var (
	throttled = helpers.Fail(helpers.Throttled, "too many calls", "wait")
	denied    = helpers.Fail(helpers.AccessDenied, "not for you", "ask your administrator")
)

// rig is a cache in a folder of its own, with a token service behind it.
type rig struct {
	t    testing.TB
	home string
	up   *upstream
}

func newRig(t testing.TB, life time.Duration) *rig {
	return &rig{t: t, home: t.TempDir(), up: &upstream{key: helpers.Key{Token: "token key", Origin: "origin"}, reply: lives(life)}}
}

// with sets up f for a rig in a bubble, where time stands still until everybody waits.
func with(t *testing.T, life time.Duration, f func(*testing.T, *rig)) {
	t.Helper()
	t.Parallel()
	home := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, life)
		r.home = home
		f(t, r)
	})
}

func (r *rig) env(name string) string {
	return map[string]string{"BETA9_CREDENTIAL_HOME": r.home}[name]
}

func (r *rig) cache() *Cache { return Open("test", r.env, time.Now) }

// get asks once, with a helper's usual deadline.
func (r *rig) get() (helpers.Credential, error) {
	ctx, cancel := context.WithTimeout(r.t.Context(), 10*time.Second)
	defer cancel()
	return r.cache().Source(r.up).Token(ctx, helpers.Registry{})
}

// must asks once, and returns when the answer was made and what it took upstream.
func (r *rig) must() (made time.Time, asked int) {
	r.t.Helper()
	r.up.asked()
	c, err := r.get()
	if err != nil {
		r.t.Fatal(err)
	}
	made, err = time.Parse(time.RFC3339, strings.TrimPrefix(c.Secret(), "token of "))
	if err != nil || c.Username() != "user" || !c.ValidAt(time.Now()) {
		r.t.Fatalf("not a credential of the service, or not valid: %v", err)
	}
	return made, r.up.asked()
}

// want asks once, and fails the test unless the answer took so many calls upstream.
func (r *rig) want(what string, asked int) {
	r.t.Helper()
	if _, n := r.must(); n != asked {
		r.t.Errorf("%s: %d calls upstream, want %d", what, n, asked)
	}
}

func do(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// pass lets time go by.
func pass(d time.Duration) { <-time.After(d) }

// files returns the names of what is in the cache's folder.
func (r *rig) files() []string {
	r.t.Helper()
	entries, err := os.ReadDir(filepath.Join(r.home, "tokens"))
	if err != nil && !os.IsNotExist(err) {
		r.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestT1ReusedForHalfItsLife(t *testing.T) {
	with(t, 12*time.Hour, func(t *testing.T, r *rig) {
		r.want("the first time", 1)
		for range 59 {
			pass(6 * time.Minute)
			r.want("before half its life", 0)
		}
		pass(time.Hour)
		r.want("after half its life", 1)
		r.want("and again", 0)
	})
}

func TestT2T5ClockGoes(t *testing.T) {
	for name, tt := range map[string]struct {
		by    time.Duration
		asked int
	}{
		"10 minutes ahead": {10 * time.Minute, 0},
		"past half life":   {40 * time.Minute, 1},
		"a day ahead":      {24 * time.Hour, 1},
		"a minute back":    {-time.Minute, 1},
		"10 minutes back":  {-10 * time.Minute, 1},
		"a day back":       {-24 * time.Hour, 1},
	} {
		t.Run(name, func(t *testing.T) {
			with(t, time.Hour, func(t *testing.T, r *rig) {
				r.want("the first time", 1)
				r.up.asked()
				now := func() time.Time { return time.Now().Add(tt.by) }
				r.up.set(func(context.Context, int) (helpers.Credential, error) {
					return helpers.NewCredential("user", "not-a-secret", now().Add(time.Hour)), nil
				})
				for range 2 {
					c, err := Open("test", r.env, now).Source(r.up).Token(t.Context(), helpers.Registry{})
					if err != nil || c.ExpiresAt().Sub(now()) > time.Hour || !c.ValidAt(now()) {
						t.Errorf("expires %v at %v, %v", c.ExpiresAt(), now(), err)
					}
				}
				if n := r.up.asked(); n != tt.asked {
					t.Errorf("%d calls upstream, want %d", n, tt.asked)
				}
			})
		})
	}
}

func TestT3ExpiredDuringAnOutageIsAnError(t *testing.T) {
	with(t, time.Hour, func(t *testing.T, r *rig) {
		r.want("the first time", 1)
		r.up.set(fails(throttled))
		pass(time.Hour)
		if c, err := r.get(); !errors.Is(err, helpers.Throttled) || !c.IsZero() {
			t.Errorf("%v", err)
		}
	})
}

func TestT4ShortLifeIsReturnedAndNotKept(t *testing.T) {
	with(t, margin, func(t *testing.T, r *rig) {
		r.want("the first time", 1)
		r.want("the second time", 1)
		if files := r.files(); len(files) != 0 {
			t.Errorf("kept: %v", files)
		}
	})
}

func TestExpiredUpstreamIsAnError(t *testing.T) {
	with(t, 0, func(t *testing.T, r *rig) {
		for _, key := range []helpers.Key{{Token: "token key"}, {}} {
			r.up.key = key
			if c, err := r.get(); !errors.Is(err, helpers.BadAnswer) || helpers.HintOf(err) == "" || !c.IsZero() {
				t.Errorf("%v", err)
			}
		}
	})
}

func TestOutageIsBridgedUntilTheExpiry(t *testing.T) {
	for name, outage := range map[string]func(context.Context, int) (helpers.Credential, error){
		"throttled":   fails(throttled),
		"unavailable": fails(helpers.Fail(helpers.Unavailable, "out of order", "")),
		"unreachable": fails(helpers.Fail(helpers.Unreachable, "no connection", "")),
		"no answer":   hangs,
		"no answer, bare error": func(ctx context.Context, _ int) (helpers.Credential, error) {
			<-ctx.Done()
			return helpers.Credential{}, ctx.Err()
		},
		"nonsense":                     fails(helpers.Fail(helpers.BadAnswer, "nonsense", "")),
		"machine's own service silent": fails(helpers.ErrNoAnswer),
	} {
		t.Run(name, func(t *testing.T) {
			with(t, time.Hour, func(t *testing.T, r *rig) {
				first, _ := r.must()
				pass(34 * time.Minute)
				r.up.set(outage)
				calls := 0
				for time.Since(first) < time.Hour-10*time.Second {
					began := time.Now()
					made, asked := r.must()
					if !made.Equal(first) || time.Since(began) > 5*time.Second {
						t.Fatalf("%v after it came: the one of %v, in %v", time.Since(first), made, time.Since(began))
					}
					if calls += asked; asked > 1 {
						t.Fatalf("%d calls upstream for one", asked)
					}
					pass(time.Second)
				}
				pass(20 * time.Second)
				if c, err := r.get(); err == nil || !c.IsZero() {
					t.Error("handed out after its expiry")
				}
				// 21 minutes at most twice a minute, and then five with every get.
				if calls > 2*21+5*60+2 {
					t.Errorf("%d calls upstream", calls)
				}
				pass(noneLife) // one of the outages cannot be told from "none" any more
				r.up.set(lives(time.Hour))
				r.want("after the outage", 1)
			})
		})
	}
}

func TestOutageThatEndsIsNoticed(t *testing.T) {
	with(t, time.Hour, func(t *testing.T, r *rig) {
		first, _ := r.must()
		pass(40 * time.Minute)
		r.up.set(fails(throttled))
		r.want("in the outage", 1)
		r.want("shortly after", 0)
		r.up.set(lives(time.Hour))
		pass(retryAfter + retryAfter/jitter + time.Second)
		if made, asked := r.must(); asked != 1 || !made.After(first) {
			t.Errorf("the one of %v, %d calls", made, asked)
		}
	})
}

func TestLessThanTheMarginIsHandedOutInAnOutageOnly(t *testing.T) {
	with(t, time.Hour, func(t *testing.T, r *rig) {
		first, _ := r.must()
		pass(time.Hour - margin + time.Second)
		r.up.set(fails(throttled))
		for range 2 {
			if made, asked := r.must(); !made.Equal(first) || asked != 1 {
				t.Errorf("in the outage: the one of %v, %d calls", made, asked)
			}
			pass(time.Second)
		}
		r.up.set(lives(time.Hour))
		if made, asked := r.must(); !made.After(first) || asked != 1 {
			t.Errorf("after the outage: the one of %v, %d calls", made, asked)
		}
	})
}

func TestDenialIsNotMasked(t *testing.T) {
	for name, err := range map[string]error{
		"denied":             denied,
		"login required":     helpers.Fail(helpers.LoginRequired, "log in", ""),
		"identity expired":   helpers.Fail(helpers.ExpiredIdentity, "expired", ""),
		"bad material":       helpers.Fail(helpers.BadMaterial, "bad", ""),
		"wrong host":         helpers.Fail(helpers.WrongHost, "another's", ""),
		"something unlisted": errors.New("other"),
	} {
		t.Run(name, func(t *testing.T) {
			with(t, time.Hour, func(t *testing.T, r *rig) {
				r.must()
				pass(40 * time.Minute)
				r.up.set(fails(err))
				for range 2 {
					c, got := r.get()
					if got == nil || got.Error() != err.Error() || helpers.HintOf(got) != helpers.HintOf(err) || !c.IsZero() {
						t.Errorf("%v, want %v", got, err)
					}
				}
				if n := r.up.asked(); n != 2 {
					t.Errorf("%d calls: a failure was kept", n)
				}
				r.up.set(lives(time.Hour))
				r.want("when it is allowed again", 1)
			})
		})
	}
}

// What the machine's own service says counts at once: that the identity was taken away is no outage.
func TestAnIdentityThatWasTakenAwayIsNotBridged(t *testing.T) {
	with(t, time.Hour, func(t *testing.T, r *rig) {
		r.must()
		pass(40 * time.Minute)
		r.up.set(fails(helpers.ErrNotFound))
		for i, asked := range []int{1, 0} {
			r.up.asked()
			if c, err := r.get(); !helpers.IsNotFound(err) || !c.IsZero() {
				t.Errorf("time %d: %v", i, err)
			}
			if n := r.up.asked(); n != asked {
				t.Errorf("time %d: %d calls upstream", i, n)
			}
		}
		pass(noneLife)
		r.up.set(lives(time.Hour))
		r.want("when it is given back", 1)
	})
}

// That nobody answers is an outage while nothing changed, and none once the configuration did.
func TestSilenceAfterAChangeIsNotBridged(t *testing.T) {
	with(t, time.Hour, func(t *testing.T, r *rig) {
		r.must()
		pass(40 * time.Minute)
		r.up.set(fails(helpers.ErrNoAnswer))
		r.up.key.Origin = "changed"
		if c, err := r.get(); !helpers.IsNotFound(err) || !c.IsZero() {
			t.Errorf("%v", err)
		}
	})
}

func TestNoneIsBelievedForLessThanAMinute(t *testing.T) {
	with(t, time.Hour, func(t *testing.T, r *rig) {
		none := func(what string, asked int) {
			t.Helper()
			r.up.asked()
			if _, err := r.get(); err != helpers.ErrNotFound {
				t.Errorf("%s: %v", what, err)
			}
			if n := r.up.asked(); n != asked {
				t.Errorf("%s: %d calls upstream, want %d", what, n, asked)
			}
		}
		r.up.set(fails(helpers.ErrNotFound))
		none("the first time", 1)
		pass(50 * time.Second)
		none("soon after", 0)
		r.up.key.Origin = "changed"
		none("with another configuration", 1)
		none("and again", 0)
		pass(59 * time.Second)
		none("a minute later", 1)
		r.up.set(lives(time.Hour))
		r.up.key.Origin = "configured"
		r.want("when it is configured", 1)

		// What was configured and is not any more is none, though a credential is there still.
		pass(40 * time.Minute)
		r.up.set(fails(helpers.ErrNotFound))
		r.up.key.Origin = "removed"
		none("when it is removed", 1)
		none("and again", 0)

		r.up.key.Origin = ""
		none("without an origin", 1)
		none("and again", 1)
	})
}

func TestKeysShareNothing(t *testing.T) {
	with(t, time.Hour, func(t *testing.T, r *rig) {
		seen := map[string]bool{}
		for _, typ := range []string{"ecr", "gcr"} {
			for _, key := range []string{"role one", "role two", "ecr", "gcr"} {
				pass(time.Second)
				r.up.key.Token = key
				for range 2 {
					c, err := Open(typ, r.env, time.Now).Source(r.up).Token(t.Context(), helpers.Registry{})
					do(t, err)
					seen[c.Secret()] = true
				}
			}
		}
		if n := r.up.asked(); n != 8 || len(seen) != 8 {
			t.Errorf("%d calls upstream and %d credentials for 8 keys", n, len(seen))
		}
	})
}

func TestManyCallersMakeOneCall(t *testing.T) {
	for name, tt := range map[string]struct {
		age   time.Duration // of what is in the cache, 0 for nothing
		reply func(context.Context, int) (helpers.Credential, error)
		calls int
		fails bool
	}{
		"nothing cached":        {0, lives(time.Hour), 1, false},
		"fresh":                 {10 * time.Minute, lives(time.Hour), 0, false},
		"aging":                 {40 * time.Minute, lives(time.Hour), 1, false},
		"ending":                {56 * time.Minute, lives(time.Hour), 1, false},
		"expired":               {61 * time.Minute, lives(time.Hour), 1, false},
		"nothing, denied":       {0, fails(denied), 1, true},
		"nothing, throttled":    {0, fails(throttled), 1, true},
		"nothing is configured": {0, fails(helpers.ErrNotFound), 1, true},
		"aging, throttled":      {40 * time.Minute, fails(throttled), 1, false},
		"ending, throttled":     {56 * time.Minute, fails(throttled), 1, false},
		"expired, throttled":    {61 * time.Minute, fails(throttled), 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			with(t, time.Hour, func(t *testing.T, r *rig) {
				if tt.age > 0 {
					r.must()
					pass(tt.age)
				}
				r.up.asked()
				r.up.set(slowly(tt.reply))
				const callers = 64
				results := make(chan error)
				for i := range callers {
					go func() {
						pass(time.Duration(i) * time.Millisecond) // all before the first has its answer
						_, err := r.get()
						results <- err
					}()
				}
				for range callers {
					if err := <-results; (err != nil) != tt.fails {
						t.Errorf("%v", err)
					}
				}
				if n := r.up.asked(); n != tt.calls {
					t.Errorf("%d calls upstream, want %d", n, tt.calls)
				}
			})
		})
	}
}

func TestRenewalKeepsNobodyWaiting(t *testing.T) {
	with(t, time.Hour, func(t *testing.T, r *rig) {
		first, _ := r.must()
		pass(40 * time.Minute)
		r.up.set(slowly(lives(time.Hour)))
		renewed := make(chan time.Time)
		go func() {
			made, _ := r.must()
			renewed <- made
		}()
		synctest.Wait() // it waits for the service
		began := time.Now()
		if made, _ := r.must(); !made.Equal(first) || time.Since(began) != 0 {
			t.Errorf("the one of %v, after %v", made, time.Since(began))
		}
		if made := <-renewed; !made.After(first) {
			t.Errorf("renewed to the one of %v", made)
		}
	})
}

func TestWaitingForAnotherEndsInTime(t *testing.T) {
	for name, tt := range map[string]struct {
		age    time.Duration
		reason helpers.Reason
	}{
		"nothing cached": {0, helpers.Timeout},
		"expired":        {61 * time.Minute, helpers.Timeout},
		"ending":         {56 * time.Minute, ""},
		"aging":          {40 * time.Minute, ""},
	} {
		t.Run(name, func(t *testing.T) {
			with(t, time.Hour, func(t *testing.T, r *rig) {
				if tt.age > 0 {
					r.must()
					pass(tt.age)
				}
				r.up.set(hangs)
				other, end := context.WithTimeout(t.Context(), time.Hour)
				done := make(chan struct{})
				go func() {
					r.cache().Source(r.up).Token(other, helpers.Registry{})
					close(done)
				}()
				defer func() { end(); <-done }()
				synctest.Wait()
				began := time.Now()
				_, err := r.get()
				// An answer at the deadline itself is lost: the process ends with it.
				if took := time.Since(began); helpers.ReasonOf(err) != tt.reason || took > 10*time.Second || err == nil && took == 10*time.Second {
					t.Errorf("%v after %v", err, time.Since(began))
				}
			})
		})
	}
}

func TestOffWritesNothing(t *testing.T) {
	with(t, time.Hour, func(t *testing.T, r *rig) {
		off := Open("test", func(name string) string {
			if name == Variable {
				return Off
			}
			return r.env(name)
		}, time.Now)
		for range 2 {
			_, err := off.Source(r.up).Token(t.Context(), helpers.Registry{})
			do(t, err)
		}
		do(t, off.Forget(t.Context(), r.up.key))
		if n := r.up.asked(); n != 2 {
			t.Errorf("%d calls upstream", n)
		}
		if entries, err := os.ReadDir(r.home); err != nil || len(entries) != 0 {
			t.Errorf("there is %v, %v", entries, err)
		}
	})
}

// A call that renews takes nothing that was there before, and shares what others who renew get meanwhile.
func TestRenew(t *testing.T) {
	renewing := func(r *rig) func() (helpers.Credential, error) {
		c := Open("test", func(name string) string {
			if name == Variable {
				return Renew
			}
			return r.env(name)
		}, time.Now)
		return func() (helpers.Credential, error) {
			ctx, cancel := context.WithTimeout(r.t.Context(), 10*time.Second)
			defer cancel()
			return c.Source(r.up).Token(ctx, helpers.Registry{})
		}
	}
	with(t, time.Hour, func(t *testing.T, r *rig) {
		renew := renewing(r)
		first, _ := r.must()
		pass(time.Minute)
		r.up.set(slowly(lives(time.Hour)))
		var together sync.WaitGroup
		for range 8 {
			together.Go(func() {
				if c, err := renew(); err != nil || c.Secret() == "token of "+first.Format(time.RFC3339) {
					t.Errorf("renewed to what was there: %v", err)
				}
			})
		}
		together.Wait()
		if n := r.up.asked(); n != 1 {
			t.Errorf("%d calls upstream for those who renew together", n)
		}
		made, asked := r.must()
		if !made.After(first) || asked != 0 {
			t.Errorf("afterwards there is the one of %v, after %d calls", made, asked)
		}
		// Whatever comes of it, what was there before is nobody's any more.
		for what, reply := range map[string]func(context.Context, int) (helpers.Credential, error){
			"an outage": slowly(fails(throttled)), "a denial": fails(denied), "silence": hangs, "a short life": lives(time.Minute),
		} {
			pass(time.Minute)
			r.up.set(lives(time.Hour))
			r.must()
			pass(time.Minute)
			r.up.set(reply)
			if c, err := renew(); (err == nil) != (what == "a short life") || err != nil && !c.IsZero() {
				t.Errorf("%s: %v", what, err)
			}
			r.up.set(lives(time.Hour))
			r.want("after "+what, 1)
		}
		// They share an outage, as everybody does.
		pass(time.Minute)
		r.up.set(slowly(fails(throttled)))
		r.up.asked()
		for range 8 {
			together.Go(func() {
				if _, err := renew(); helpers.ReasonOf(err) != helpers.Throttled {
					t.Errorf("%v", err)
				}
			})
		}
		together.Wait()
		if n := r.up.asked(); n != 1 {
			t.Errorf("%d calls upstream for those who meet an outage together", n)
		}
	})
}

func TestEmptyKeyIsNotCached(t *testing.T) {
	with(t, time.Hour, func(t *testing.T, r *rig) {
		r.up.key = helpers.Key{}
		r.want("the first time", 1)
		r.want("the second time", 1)
		if files := r.files(); len(files) != 0 {
			t.Errorf("kept: %v", files)
		}
	})
}

// keyless is a source that cannot tell its key.
type keyless struct{ *upstream }

func (keyless) Key(context.Context, helpers.Registry) (helpers.Key, error) {
	return helpers.Key{}, denied
}

func TestErrorOfTheKeyIsTheAnswer(t *testing.T) {
	with(t, time.Hour, func(t *testing.T, r *rig) {
		_, err := r.cache().Source(keyless{r.up}).Token(t.Context(), helpers.Registry{})
		if err != error(denied) || r.up.asked() != 0 {
			t.Errorf("%v", err)
		}
	})
}

func TestWithoutAHomeUpstreamIsAsked(t *testing.T) {
	with(t, time.Hour, func(t *testing.T, r *rig) {
		for _, home := range []string{"", "relative"} {
			r.home = home
			r.want("the first time", 1)
			r.want("the second time", 1)
		}
		r.home = ""
		do(t, r.cache().Forget(t.Context(), r.up.key))
	})
}

func TestNothingOnTheDiskTellsWhatIsCached(t *testing.T) {
	with(t, time.Hour, func(t *testing.T, r *rig) {
		r.up.key = helpers.Key{Token: "canary-key", Origin: "canary-origin"}
		r.up.set(func(context.Context, int) (helpers.Credential, error) {
			return helpers.NewCredential("canary-user", "canary-secret", time.Now().Add(time.Hour)).WithSource("canary-source"), nil
		})
		for range 2 {
			c, err := Open("canary-type", r.env, time.Now).Source(r.up).Token(t.Context(), helpers.Registry{})
			if err != nil || c.Username() != "canary-user" || c.Secret() != "canary-secret" || c.Source() != "canary-source" {
				t.Errorf("another credential than that upstream: %v", err)
			}
		}
		r.up.key.Token = "canary-key2"
		r.up.set(fails(helpers.Fail(helpers.AccessDenied, "canary-text", "canary-hint")))
		if _, err := r.get(); err == nil {
			t.Error("no error")
		}
		if files := r.files(); len(files) != 2 {
			t.Errorf("in the cache: %v", files)
		}
		filetest.NoTrace(t, r.home, "canary-key", "canary-origin", "canary-user", "canary-secret", "canary-source", "canary-type",
			"canary-text", "canary-hint")
	})
}
