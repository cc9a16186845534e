package provider

import (
	"math/rand/v2"
	"time"
)

const (
	// recheck is how long an answer is given without a look at the tenant's material: a secret that was rotated or taken
	// away is followed after this time. It is also how long the lack of a credential is remembered.
	recheck = 5 * time.Second
	// failureLife is how long a failure is given to those who ask again: long enough for a burst of callers to share it,
	// short enough to try again as soon as a person would.
	failureLife = 2 * time.Second
	// staticLife is how long a credential is kept that does not expire. It follows from its material, which is looked at
	// every few seconds, so this only bounds how long an upgrade of a helper goes unnoticed.
	staticLife = time.Hour
	// ambientLife is the same under the policy Ambient, where a login may come and go unseen.
	ambientLife = time.Minute
	// maxMargin is how long before its end a credential is no longer given out: clients keep what they get, BuildKit for
	// 4 minutes and 50 seconds.
	maxMargin = 5 * time.Minute
	// maxLife is how much of a credential's life is counted on. Servers say the year 9999 for never, and neither a duration
	// nor the nanoseconds since 1970 reach as far.
	maxLife = 365 * 24 * time.Hour
)

// span is a stretch of time. It ends early when the clock is set, either way, and when the machine sleeps, but never
// late: the wall clock and the monotonic one both have to lie in it.
type span struct {
	until               time.Time
	wallFrom, wallUntil int64 // nanoseconds since 1970
}

func newSpan(from, until time.Time) span {
	return span{until: until, wallFrom: from.UnixNano(), wallUntil: until.UnixNano()}
}

func (s span) holds(now time.Time) bool {
	wall := now.UnixNano()
	return now.Before(s.until) && s.wallFrom <= wall && wall < s.wallUntil
}

// plan says how long a credential that was got at now and ends at expires is given out, and from when on its successor
// is fetched. What lives for more than ten minutes keeps five of them as margin, what lives shorter half of its life.
// Both times are spread, so that credentials which were made together are not renewed together.
func plan(now, expires time.Time) (s span, ahead time.Time) {
	left := min(expires.Sub(now), maxLife)
	margin := min(maxMargin, left/2)
	usable := left - margin - spread(margin/4)
	return newSpan(now, now.Add(usable)), now.Add(usable*85/100 + spread(usable/10))
}

// again says when a successor is asked for once more that could not be had at now: when half of the time is over that the
// old one still serves, and so at last a few times in a short while, or never when hardly any is left.
func again(now, until time.Time) time.Time {
	const least = 30 * time.Second
	half := until.Sub(now) / 2
	if half < least {
		return time.Time{}
	}
	return now.Add(half + spread(half/4))
}

// spread returns a random time of up to d.
func spread(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return rand.N(d)
}
