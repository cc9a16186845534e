package provider

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// patience is how long a caller waits for a look-up that is past its deadline: longer than a helper that was killed takes
// to go. A Source that does not end with its context keeps the look-up, but not its callers.
const patience = time.Second

// look is a look-up that memory did not answer. Callers with the same question share it.
func (p *Provider) look(ctx context.Context, at place) *answer {
	if err := ctx.Err(); err != nil {
		return &answer{err: gaveUp(err)}
	}
	ctx, cancel := context.WithTimeout(ctx, p.options.Deadline+patience)
	defer cancel()
	a, err := p.lookups.do(ctx, at, p.work.launch, func() *answer {
		// The answer may have come between the caller's look at the memory and this one.
		if a := p.memory.get(at, p.now()); a != nil {
			return a
		}
		ctx, cancel := p.work.detach(ctx, p.options.Deadline)
		defer cancel()
		begun := p.memory.begin()
		a := p.find(ctx, at)
		if a.err != nil && !helpers.IsNotFound(a.err) {
			p.options.Trace.failed(a.registry, a.err)
		}
		if now := p.now(); a.life.holds(now) {
			p.memory.put(at, a, now, begun)
		}
		return a
	})
	if err != nil {
		return &answer{err: gaveUp(err)}
	}
	return a
}

// gaveUp is the failure of a caller who did not wait for the outcome.
func gaveUp(err error) error {
	f := &helpers.Failure{Reason: helpers.Canceled, Text: "the look-up of a credential was given up", Cause: err}
	if errors.Is(err, context.DeadlineExceeded) {
		f.Reason, f.Text = helpers.Timeout, "the look-up of a credential did not end in time"
	}
	if errors.Is(err, errClosed) {
		f.Text = errClosed.Error()
	}
	return f
}

// find goes the whole way: registry, type, material, helper.
func (p *Provider) find(ctx context.Context, at place) *answer {
	r, err := parse(at)
	if err != nil {
		return p.end(&answer{err: err}, token{})
	}
	a := &answer{registry: r}
	t, ok := p.registries.Lookup(r)
	if !ok {
		a.err = helpers.ErrNotFound // it serves public images only
		return p.end(a, token{})
	}
	a.typ = t.Name
	var m helpers.Material
	if p.options.Policy == Isolated {
		if m, a.err = p.material(ctx, t, r); a.err != nil {
			return p.end(a, token{})
		}
		r = r.WithScope("") // the material's scope was checked; the credential is the same all over it
	}
	got, err := p.token(ctx, ask{typ: t, registry: r, material: m})
	if err != nil {
		a.err = gaveUp(err)
		return p.end(a, token{})
	}
	a.credential, a.err = got.credential, got.err
	return p.end(a, got)
}

// parse reads a question.
func parse(at place) (helpers.Registry, error) {
	r, err := helpers.ParseServerURL(at.registry)
	if err != nil {
		if errors.Is(err, helpers.ErrNoServerURL) {
			err = helpers.Fail(helpers.BadRequest, "the registry has no host", "")
		}
		return helpers.Registry{}, err
	}
	if at.scope == "" {
		return r, nil
	}
	// An index of an image by digest has CLIP ask with the digest's algorithm behind the repository.
	repository, _, _ := strings.Cut(at.scope, "@")
	scope, err := helpers.ParseScope(repository)
	if err == nil && scope == "" {
		err = helpers.Fail(helpers.BadRequest, "the scope names no repository", "")
	}
	return r.WithScope(scope), err
}

// end completes an answer: how long it holds, which is no longer than the token that it comes from, and how it is said to
// go-containerregistry.
func (p *Provider) end(a *answer, t token) *answer {
	now := p.now()
	until := now.Add(recheck)
	switch {
	case a.err == nil:
		a.config = configOf(a.credential)
	case helpers.ReasonOf(a.err) == helpers.Canceled:
		return a
	case !helpers.IsNotFound(a.err):
		until = now.Add(failureLife)
	}
	for _, bound := range []time.Time{t.life.until, t.ahead} {
		if !bound.IsZero() && bound.Before(until) {
			until = bound
		}
	}
	a.life = newSpan(now, until)
	return a
}

// configOf says a credential to go-containerregistry.
func configOf(c helpers.Credential) authn.AuthConfig {
	if c.Username() == helpers.IdentityToken {
		return authn.AuthConfig{IdentityToken: c.Secret()}
	}
	return authn.AuthConfig{Username: c.Username(), Password: c.Secret()}
}

// material asks the Source. Material that is bound to another registry, or to a part of this one that the repository
// does not lie in, is none.
func (p *Provider) material(ctx context.Context, t helpers.Type, r helpers.Registry) (helpers.Material, error) {
	m, err := p.consult(ctx, r)
	switch {
	case helpers.IsNotFound(err):
		return helpers.Material{}, helpers.ErrNotFound
	case err != nil:
		return helpers.Material{}, sourceFailure(ctx, err)
	case m.IsZero() || !covers(m, r):
		return helpers.Material{}, helpers.ErrNotFound
	}
	return m, m.Bound(t.Name, r)
}

// consult asks the Source. A panic in there is a failure like others, see [flights.carryOut], and known to be the Source's.
func (p *Provider) consult(ctx context.Context, r helpers.Registry) (m helpers.Material, err error) {
	defer func() {
		if recover() != nil {
			m, err = helpers.Material{}, helpers.Fail(helpers.Internal, "the source of the material panicked", "")
		}
	}()
	return p.options.Source.Material(ctx, r)
}

// sourceFailure keeps a failure of the Source as it is, since those who write one see to it that it holds no secret;
// the text of any other error, and what one says around a failure, is not taken over.
func sourceFailure(ctx context.Context, err error) error {
	if f, ok := errors.AsType[*helpers.Failure](err); ok {
		return f
	}
	f := &helpers.Failure{Reason: helpers.ReasonOf(err), Text: "the material for the registry cannot be had", Cause: err}
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(ctx.Err(), context.DeadlineExceeded):
		f.Reason = helpers.Timeout
	case ctx.Err() != nil:
		f.Reason = helpers.Canceled
	}
	return f
}

// ask is what a helper is run for.
type ask struct {
	typ      helpers.Type
	registry helpers.Registry
	material helpers.Material // zero under the policy Ambient
}

func (q ask) key() key {
	k := key{typ: q.typ.Name, identity: q.registry.Identity(), scope: q.registry.Scope()}
	if !q.material.IsZero() {
		k.fingerprint, k.scope = q.material.Fingerprint(), q.material.Scope()
	}
	return k
}

// token returns the outcome of a helper: the one that is kept, whose successor it has fetched when that is due, or that
// of a run which all who ask for the same share. It is called in the goroutine of a look-up. The error is that of ctx.
func (p *Provider) token(ctx context.Context, q ask) (token, error) {
	k := q.key()
	if t, fetch, ok := p.tokens.get(k, p.now()); ok {
		if fetch {
			p.runs.join(k, p.work.launch, func() token { return p.fetchApart(ctx, q, true) })
		}
		return t, nil
	}
	if err := ctx.Err(); err != nil {
		return token{}, err
	}
	fetch := p.fetch
	fly := func() token {
		if t, _, ok := p.tokens.get(k, p.now()); ok {
			return t
		}
		return fetch(ctx, q, false)
	}
	if end, ok := ctx.Deadline(); ok && time.Until(end) < p.options.Deadline*9/10 {
		// The Source has taken its time. Others who join the run get one that has all of its own, and this look-up waits
		// for it as long as it may.
		fetch = p.fetchApart
		return p.runs.do(ctx, k, p.work.launch, fly)
	}
	return p.runs.doHere(ctx, k, fly)
}

// fetchApart is fetch with a deadline of its own.
func (p *Provider) fetchApart(ctx context.Context, q ask, ahead bool) token {
	ctx, cancel := p.work.detach(ctx, p.options.Deadline)
	defer cancel()
	return p.fetch(ctx, q, ahead)
}

// fetch runs the helper and keeps the outcome.
func (p *Provider) fetch(ctx context.Context, q ask, ahead bool) token {
	begun, trusted := p.tokens.begin(q.registry.Identity())
	t := p.runs.lost // when a hook panics, see [flights.carryOut]
	defer func() { p.tokens.put(q.key(), t, p.now(), begun) }()
	start := time.Now() // not the options' clock: this is how long it took, not what time it is
	e := Exec{Type: q.typ.Name, Registry: q.registry, Ahead: ahead}
	p.options.Trace.execStart(e)
	c, err := p.run(ctx, q, trusted)
	e.Took = time.Since(start)
	p.options.Trace.execEnd(e, err)
	t = newToken(c, err, p.now(), p.options.Policy)
	return t
}
