package cache

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// The times that decide what an entry is good for.
const (
	// margin is how much of its life a credential must have left to be handed out when a fresh one can be had. BuildKit
	// keeps an answer for 4 minutes and 50 seconds without asking again.
	margin = 5 * time.Minute
	// noneLife is how long "nothing is configured" is believed. A person who changes something that a key's origin does
	// not cover waits for less than a minute; a build that asks for every layer does not wait for every one.
	noneLife = 55 * time.Second
	// failureLife is how long a failure stays in its file at the most. Only those see it who waited for it.
	failureLife = time.Minute
	// retryAfter is how long an outage is left alone while there is a credential to bridge it.
	retryAfter = 30 * time.Second
	// jitter is the part of a time, as its divisor, by which it is lengthened at random, so that machines that were
	// started together do not ask together.
	jitter = 10
)

// An entry is what a file of the cache holds before it is sealed:
//
//	1 byte   version, 1
//	1 byte   kind: 1 a credential, 2 "nothing is configured", 3 a failure
//	8 bytes  when it came                   milliseconds since 1970, big-endian,
//	8 bytes  when it is no longer good      as the next three
//	8 bytes  when to ask for the next one
//	8 bytes  when upstream answered last, which is later than it came when that was an outage
//	then four strings with their lengths in front, 4 bytes each:
//	         origin, user name, secret, source of a credential; origin, reason, text, hint of the others
//
// Times are cut to milliseconds, which takes less than one of them from an entry's life.
type entry struct {
	kind                         kind
	came, expires, renews, asked time.Time
	origin                       string
	a, b, c                      string // user name, secret, source; or reason, text, hint
}

type kind byte

const (
	missing kind = iota
	credential
	none
	failed
)

const entryVersion = 1

var errMalformed = errors.New("no entry is in it")

// forCredential returns the entry of a credential that was had at a time. It is missing when the credential does not
// live long enough to be handed out again.
func forCredential(c helpers.Credential, origin string, now time.Time) entry {
	life := c.ExpiresAt().Sub(now)
	if c.ExpiresAt().IsZero() || life <= margin {
		return entry{}
	}
	return entry{kind: credential, came: now, expires: c.ExpiresAt(), renews: now.Add(lengthen(life / 2)), asked: now,
		origin: origin, a: c.Username(), b: c.Secret(), c: c.Source()}
}

// forError returns the entry of an outcome that is no credential. It is missing when the outcome says something about
// the call alone.
func forError(err error, origin string, now time.Time) entry {
	if helpers.IsNotFound(err) {
		if origin == "" {
			return entry{} // nothing would tell when it no longer counts
		}
		return entry{kind: none, came: now, expires: now.Add(noneLife), asked: now, origin: origin}
	}
	f, ok := errors.AsType[*helpers.Failure](err)
	if !ok || f.Reason == helpers.Timeout || f.Reason == helpers.Canceled {
		return entry{}
	}
	return entry{kind: failed, came: now, expires: now.Add(failureLife), asked: now, origin: origin,
		a: string(f.Reason), b: f.Text, c: f.Hint}
}

// afterOutage returns the entry of a credential after an outage, which is left alone for a while.
func (e entry) afterOutage(now time.Time) entry {
	e.asked, e.renews = now, now.Add(lengthen(retryAfter))
	return e
}

// lengthen returns d and up to a tenth more.
func lengthen(d time.Duration) time.Duration { return d + rand.N(d/jitter+1) }

// state is what an entry is good for at a time.
type state int

const (
	// useless: as if there were none.
	useless state = iota
	// decided: it is the answer.
	decided
	// aging: it is an answer, and somebody should ask for the next one.
	aging
	// ending: it is an answer only when no other can be had.
	ending
)

// at returns what the entry is good for, for a call that began at one time and looks at another. Those who waited for
// the process that asked upstream share its answer, an outage or a failure as well; who comes later asks again.
func (e entry) at(began, now time.Time, origin string) state {
	waited := began.Before(e.asked) && !now.Before(e.asked)
	switch {
	case e.kind == missing, !now.Before(e.expires):
		return useless
	case now.Before(e.came):
		return useless // the clock went back, and nobody knows how much of the entry's life is gone
	case e.kind == failed && !waited:
		return useless
	case e.kind == none && e.origin != origin:
		return useless
	case e.kind != credential:
		return decided
	case e.expires.Sub(now) < margin && !waited:
		return ending
	case !now.Before(e.renews):
		return aging
	}
	return decided
}

// outcome returns what the entry says.
func (e entry) outcome() (helpers.Credential, error) {
	switch e.kind {
	case credential:
		return helpers.NewCredential(e.a, e.b, e.expires).WithSource(e.c), nil
	case failed:
		return helpers.Credential{}, helpers.Fail(helpers.Reason(e.a), e.b, e.c)
	}
	return helpers.Credential{}, helpers.ErrNotFound
}

// encode returns the entry's bytes.
func (e entry) encode() []byte {
	out := make([]byte, 0, 2+4*8+4*4+len(e.origin)+len(e.a)+len(e.b)+len(e.c))
	out = append(out, entryVersion, byte(e.kind))
	for _, t := range []time.Time{e.came, e.expires, e.renews, e.asked} {
		out = binary.BigEndian.AppendUint64(out, uint64(t.UnixMilli()))
	}
	for _, s := range []string{e.origin, e.a, e.b, e.c} {
		out = append(binary.BigEndian.AppendUint32(out, uint32(len(s))), s...)
	}
	return out
}

// decode reads what encode wrote.
func decode(in []byte) (entry, error) {
	if len(in) < 2+4*8 || in[0] != entryVersion || kind(in[1]) < credential || kind(in[1]) > failed {
		return entry{}, errMalformed
	}
	e := entry{kind: kind(in[1])}
	in = in[2:]
	for _, t := range []*time.Time{&e.came, &e.expires, &e.renews, &e.asked} {
		*t = time.UnixMilli(int64(binary.BigEndian.Uint64(in))).UTC()
		in = in[8:]
	}
	for _, s := range []*string{&e.origin, &e.a, &e.b, &e.c} {
		if len(in) < 4 || uint64(binary.BigEndian.Uint32(in)) > uint64(len(in)-4) {
			return entry{}, errMalformed
		}
		n := binary.BigEndian.Uint32(in)
		*s, in = string(in[4:4+n]), in[4+n:]
	}
	if len(in) != 0 {
		return entry{}, errMalformed
	}
	return e, nil
}
