package cache

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/file"
)

// source answers from the cache where it can.
type source struct {
	cache *Cache
	from  helpers.Keyed
}

// A call is one question to the source.
type call struct {
	*source
	registry helpers.Registry
	key      helpers.Key
	began    time.Time
}

// Token returns a credential for the registry.
func (s *source) Token(ctx context.Context, r helpers.Registry) (helpers.Credential, error) {
	key, err := s.from.Key(ctx, r)
	if err != nil {
		return helpers.Credential{}, err
	}
	c := &call{source: s, registry: r, key: key, began: s.cache.now()}
	if key.Token == "" || s.cache.mode == Off {
		return c.ask(ctx)
	}
	return c.answer(ctx)
}

// answer answers from the cache, or asks upstream and keeps the answer.
func (c *call) answer(ctx context.Context) (helpers.Credential, error) {
	place, err := c.cache.find(c.key)
	if errors.Is(err, fs.ErrNotExist) {
		place, err = c.cache.make(ctx, c.key)
	}
	if err != nil {
		helpers.LeaveSource(ctx, traceName, err.Error())
		return c.ask(ctx)
	}
	defer place.close()
	e := place.read(ctx)
	switch c.state(e) {
	case decided:
		return c.use(ctx, e)
	case aging:
		return c.renew(ctx, place, e)
	case ending:
		return c.wait(ctx, place, e)
	}
	return c.wait(ctx, place, entry{})
}

// state returns what an entry is good for now.
func (c *call) state(e entry) state {
	if c.renewing() && !c.began.Before(e.came) {
		return useless
	}
	return e.at(c.began, c.cache.now(), c.key.Origin)
}

// renewing tells that what is kept is not trusted.
func (c *call) renewing() bool { return c.cache.mode == Renew }

// use answers with an entry.
func (c *call) use(ctx context.Context, e entry) (helpers.Credential, error) {
	if e.kind == credential {
		helpers.TakeSource(ctx, traceName)
	} else {
		helpers.LeaveSource(ctx, traceName, "this is what came of it when it was asked for a moment ago")
	}
	return e.outcome()
}

// renew asks for the next credential, while old is good for a while yet. One process does. When that is another one,
// or when what comes could not be kept, old is the answer.
func (c *call) renew(ctx context.Context, place *slot, old entry) (helpers.Credential, error) {
	lock, err := place.tryLock()
	if err != nil {
		return c.use(ctx, old)
	}
	defer lock.Discard()
	return c.refill(ctx, place)
}

// wait asks for a credential, or waits for the process that does. old, unless it is missing, is the answer when no
// other can be had.
//
// A process that was stopped (SIGSTOP) while it held the lock keeps it, and lets the others wait until they have no time
// left. Nothing tells it from one whose service is slow but the end of its own deadline, which nobody else knows, and
// the clock that a deadline could be written down by may jump: any bound would let waiters call a slow service twice.
// Whoever is killed, and whoever meets a deadline, frees the lock.
func (c *call) wait(ctx context.Context, place *slot, old entry) (helpers.Credential, error) {
	waiting := ctx
	if old.kind != missing {
		var cancel context.CancelFunc
		waiting, cancel = context.WithTimeout(ctx, patience(ctx))
		defer cancel()
	}
	lock, err := place.lock(waiting)
	switch {
	case err == nil:
		defer lock.Discard()
		return c.refill(ctx, place)
	case !errors.Is(err, file.ErrBusy): // what cannot be locked cannot be written
		helpers.LeaveSource(ctx, traceName, err.Error())
		return c.fill(ctx, old, func(entry) {})
	case c.state(old) != useless:
		return c.use(ctx, old)
	}
	return helpers.Credential{}, &helpers.Failure{Reason: endReason(ctx), Cause: err,
		Text: "the time was over before another process that asks for the same credential had it", Hint: "try again"}
}

// refill looks again, now that nobody else writes the entry, and asks upstream if there is still need to.
func (c *call) refill(ctx context.Context, place *slot) (helpers.Credential, error) {
	e := place.read(ctx)
	switch c.state(e) {
	case decided:
		return c.use(ctx, e)
	case useless:
		e = entry{}
	}
	return c.fill(ctx, e, func(e entry) {
		if c.renewing() && e.kind == missing {
			place.drop(ctx) // what nobody is to get any more
			return
		}
		place.keep(ctx, e, c.cache.now())
	})
}

// fill asks upstream and keeps what comes of it. While old is good, an outage is bridged with it.
func (c *call) fill(ctx context.Context, old entry, keep func(entry)) (helpers.Credential, error) {
	asking := ctx
	if old.kind != missing {
		var cancel context.CancelFunc
		asking, cancel = context.WithTimeout(ctx, patience(ctx))
		defer cancel()
	}
	got, err := c.ask(asking)
	now := c.cache.now()
	switch {
	case err == nil:
		keep(forCredential(got, c.key.Origin, now))
	case c.state(old) != useless && c.outage(err, old):
		keep(old.afterOutage(now))
		return c.use(ctx, old)
	default:
		keep(forError(err, c.key.Origin, now))
	}
	return got, err
}

// patience returns how long upstream, or another process that asks it, is waited for while there is a credential to go on
// with: half the time that is left, so that it can still be handed out.
func patience(ctx context.Context) time.Duration {
	const usual = 5 * time.Second // half of a helper's usual deadline
	if deadline, ok := ctx.Deadline(); ok {
		return time.Until(deadline) / 2
	}
	return usual
}

// outage reports whether an error says that the service is out of order, and nothing about the identity. That there is
// none is the machine's answer and counts at once, as any denial does. When it is for want of an answer, it is an outage
// while nothing of the configuration changed.
func (c *call) outage(err error, old entry) bool {
	if helpers.IsNotFound(err) {
		return helpers.IsOutage(err) && old.origin != "" && old.origin == c.key.Origin
	}
	return helpers.IsOutage(err) || errors.Is(err, context.DeadlineExceeded)
}

// ask asks upstream.
func (c *call) ask(ctx context.Context) (helpers.Credential, error) {
	got, err := c.from.Token(ctx, c.registry)
	if err == nil && !got.ValidAt(c.cache.now()) {
		return helpers.Credential{}, helpers.Fail(helpers.BadAnswer, "the credential that came has expired already",
			"set this machine's clock")
	}
	return got, err
}

// endReason returns the reason for which a context ended.
func endReason(ctx context.Context) helpers.Reason {
	if errors.Is(ctx.Err(), context.Canceled) {
		return helpers.Canceled
	}
	return helpers.Timeout
}
