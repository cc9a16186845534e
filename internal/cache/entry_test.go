package cache

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// start is when the tests begin, to the millisecond.
var start = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

// token makes a credential that expires at a time.
func token(expires time.Time) helpers.Credential {
	return helpers.NewCredential("user", "not-a-secret", expires)
}

// For a million random lives, clocks that are wrong and clocks that jump: what is handed out has not expired, has no
// more left than it had when it came, and has five minutes left where no outage explains less.
func TestNoClockMakesACredentialExpiredOrLonger(t *testing.T) {
	t.Parallel()
	const seed = 20300102
	r := rand.New(rand.NewPCG(seed, seed))
	between := func(from, to time.Duration) time.Duration { return from + time.Duration(r.Int64N(int64(to-from))) }
	handedOut := map[state]int{}
	for range 1_000_000 {
		// What the world does: the credential is issued at start and lives for a while, and the call comes later.
		life := between(-time.Hour, 13*time.Hour)
		later := between(0, 14*time.Hour)
		// What the machine's clock shows of it: skew from the beginning, and a jump in between.
		skew := between(-time.Hour, time.Hour)
		jump := between(-24*time.Hour, 24*time.Hour)
		if r.IntN(2) == 0 {
			skew, jump = 0, 0
		}
		came, now := start.Add(skew), start.Add(later).Add(skew).Add(jump)
		expires := start.Add(life)
		e := forCredential(token(expires), "origin", came)
		if e.kind == missing {
			if expires.Sub(came) > margin {
				t.Fatalf("life %v, skew %v: not kept", life, skew)
			}
			continue
		}
		outage := r.IntN(4) == 0
		if outage {
			e = e.afterOutage(came.Add(between(0, life+time.Hour+1)))
		}
		e, err := decode(e.encode())
		if err != nil {
			t.Fatal(err)
		}
		s := e.at(now.Add(-between(0, time.Minute)), now, "origin")
		handedOut[s]++
		if s == useless {
			if !now.Before(came) && now.Before(expires) && expires.Sub(now) > time.Millisecond {
				t.Fatalf("life %v, later %v, skew %v, jump %v: of no use", life, later, skew, jump)
			}
			continue
		}
		got, err := e.outcome()
		left := got.ExpiresAt().Sub(now)
		switch {
		case err != nil:
			t.Fatal(err)
		case got.ExpiresAt().After(expires):
			t.Fatalf("life %v: extended to %v", life, got.ExpiresAt())
		case left <= 0:
			t.Fatalf("life %v, later %v, skew %v, jump %v: expired by the machine's clock", life, later, skew, jump)
		case left > expires.Sub(came)+time.Millisecond:
			t.Fatalf("life %v, later %v, skew %v, jump %v: has more left than it had", life, later, skew, jump)
		case skew == 0 && jump == 0 && later >= life:
			t.Fatalf("life %v, later %v: expired", life, later)
		case !outage && s != ending && left < margin:
			t.Fatalf("life %v, later %v, skew %v, jump %v: %v left, state %d", life, later, skew, jump, left, s)
		}
	}
	t.Logf("seed %d: decided %d, aging %d, ending %d, useless %d", seed, handedOut[decided], handedOut[aging], handedOut[ending],
		handedOut[useless])
	if len(handedOut) != 4 {
		t.Error("not every state was seen")
	}
}

func TestRenewalIsSpreadAfterHalfTheLife(t *testing.T) {
	t.Parallel()
	const life = 12 * time.Hour
	first, last := life, time.Duration(0)
	for range 1000 {
		renews := forCredential(token(start.Add(life)), "", start).renews.Sub(start)
		first, last = min(first, renews), max(last, renews)
	}
	if first < life/2 || last > life*55/100 || last-first < life/40 {
		t.Errorf("between %v and %v", first, last)
	}
}

func TestWhatIsKept(t *testing.T) {
	t.Parallel()
	fail := func(r helpers.Reason) error { return helpers.Fail(r, "text", "hint") }
	tests := []struct {
		name string
		e    entry
		want kind
	}{
		{"an hour", forCredential(token(start.Add(time.Hour)), "", start), credential},
		{"a bit more than the margin", forCredential(token(start.Add(margin+time.Second)), "", start), credential},
		{"the margin", forCredential(token(start.Add(margin)), "", start), missing},
		{"expired", forCredential(token(start.Add(-time.Hour)), "", start), missing},
		{"no expiry", forCredential(token(time.Time{}), "", start), missing},
		{"none", forError(helpers.ErrNotFound, "origin", start), none},
		{"none of no origin", forError(helpers.ErrNotFound, "", start), missing},
		{"denied", forError(fail(helpers.AccessDenied), "origin", start), failed},
		{"throttled", forError(fail(helpers.Throttled), "", start), failed},
		{"timeout", forError(fail(helpers.Timeout), "origin", start), missing},
		{"canceled", forError(fail(helpers.Canceled), "origin", start), missing},
		{"what is no failure", forError(errors.New("other"), "origin", start), missing},
	}
	for _, tt := range tests {
		if tt.e.kind != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, tt.e.kind, tt.want)
		}
	}
}

func TestEntryComesBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		instant := rapid.Custom(func(t *rapid.T) time.Time {
			return time.UnixMilli(rapid.Int64Range(-1<<47, 1<<52).Draw(t, "milliseconds")).UTC()
		})
		e := entry{
			kind: rapid.SampledFrom([]kind{credential, none, failed}).Draw(t, "kind"),
			came: instant.Draw(t, "came"), expires: instant.Draw(t, "expires"),
			renews: instant.Draw(t, "renews"), asked: instant.Draw(t, "asked"),
			origin: rapid.String().Draw(t, "origin"),
			a:      rapid.String().Draw(t, "a"), b: rapid.String().Draw(t, "b"), c: rapid.String().Draw(t, "c"),
		}
		if got, err := decode(e.encode()); err != nil || got != e {
			t.Fatalf("%+v, %v", got, err)
		}
	})
}

func FuzzWhatIsNotRefusedIsAnEntry(f *testing.F) {
	whole := forCredential(token(start.Add(time.Hour)), "origin", start).encode()
	f.Add(whole)
	f.Add(whole[:len(whole)-1])
	f.Add(append(bytes.Clone(whole), 0))
	f.Add(forError(helpers.ErrNotFound, "origin", start).encode())
	f.Add([]byte{entryVersion, byte(credential)})
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, in []byte) {
		e, err := decode(in)
		if err != nil {
			if e != (entry{}) {
				t.Errorf("half an entry: %+v", e)
			}
			return
		}
		if !bytes.Equal(e.encode(), in) {
			t.Errorf("%x is read as %x", in, e.encode())
		}
	})
}
