package provider

import (
	"crypto/sha256"
	"maps"
	"sync"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// maxTokens is how many outcomes of helpers are kept. A tenant has a handful of registries.
const maxTokens = 256

// key is what a token depends on. As a comparable value it needs no separators that a name could contain. The
// fingerprint stands for the tenant's material and is zero under the policy Ambient.
type key struct {
	fingerprint [sha256.Size]byte
	typ         string
	identity    string
	scope       helpers.Scope
}

// token is the outcome of a helper.
type token struct {
	credential helpers.Credential
	err        error // nil, helpers.ErrNotFound, or a failure
	life       span
	ahead      time.Time // from then on the successor is fetched; zero when there is to be none, or it is being asked for
}

// newToken says how long the outcome of a helper counts.
func newToken(c helpers.Credential, err error, now time.Time, policy Policy) token {
	t := token{credential: c, err: err}
	switch {
	case helpers.IsNotFound(err):
		t.life = newSpan(now, now.Add(recheck))
	case helpers.ReasonOf(err) == helpers.Canceled:
		// Somebody gave up, which says nothing about the next call: the life is empty.
	case err != nil:
		t.life = newSpan(now, now.Add(failureLife))
	case !c.ExpiresAt().IsZero():
		t.life, t.ahead = plan(now, c.ExpiresAt())
	case policy == Ambient:
		t.life = newSpan(now, now.Add(ambientLife))
	default:
		t.life = newSpan(now, now.Add(staticLife))
	}
	return t
}

// tokens keeps the outcomes of helpers. The zero value is ready.
type tokens struct {
	mu   sync.Mutex
	kept map[key]token
	// distrusted holds the registries whose credential was refused: the next run of a helper must not take it from the
	// helper's own cache, but renew it there, for whoever asks for another part of the registry.
	distrusted map[string]bool
	// refused holds the hashes of the secrets that a registry has refused, see [Provider.Refused].
	refused map[[sha256.Size]byte]bool
	drops   drops
}

// get returns the outcome that holds now. The second result tells that the caller is the one to fetch its successor.
func (ts *tokens) get(k key, now time.Time) (t token, fetch, ok bool) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t, ok = ts.kept[k]
	if !ok || !t.life.holds(now) {
		return token{}, false, false
	}
	if !t.ahead.IsZero() && !now.Before(t.ahead) {
		t.ahead, fetch = time.Time{}, true
		ts.kept[k] = t
	}
	return t, fetch, true
}

// begin is called before a helper is run: it returns what put takes, and whether the helper's own cache is trusted.
func (ts *tokens) begin(identity string) (begun int, trusted bool) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return ts.drops.count, !ts.distrusted[identity]
}

// put keeps an outcome that was fetched since begin, unless what is there is better: a failure does not take the place
// of a credential that still serves, whose successor is then asked for again, nor does one that ends no later, which would
// be asked for again and again.
func (ts *tokens) put(k key, t token, now time.Time, begun int) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.drops.since(begun, k.identity) {
		return
	}
	if t.err == nil {
		delete(ts.distrusted, k.identity)
	}
	if old, ok := ts.kept[k]; ok && old.err == nil && old.life.holds(now) {
		switch {
		case t.err != nil && !helpers.IsNotFound(t.err):
			old.ahead = again(now, old.life.until)
			ts.kept[k] = old
			return
		case t.err == nil && !t.ahead.IsZero() && !t.life.until.After(old.life.until):
			return
		}
	}
	if !t.life.holds(now) {
		return
	}
	if ts.kept == nil {
		ts.kept = make(map[key]token)
	}
	if _, ok := ts.kept[k]; !ok && len(ts.kept) >= maxTokens {
		maps.DeleteFunc(ts.kept, func(_ key, old token) bool { return !old.life.holds(now) })
		if len(ts.kept) >= maxTokens {
			clear(ts.kept)
		}
	}
	ts.kept[k] = t
}

// drop forgets what is kept for a registry, and distrusts what helpers keep for it.
func (ts *tokens) drop(identity string) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.drops.note(identity)
	maps.DeleteFunc(ts.kept, func(k key, _ token) bool { return k.identity == identity })
	if ts.distrusted == nil || len(ts.distrusted) >= maxTokens {
		ts.distrusted = make(map[string]bool)
	}
	ts.distrusted[identity] = true
}

// close forgets everything.
func (ts *tokens) close() {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.kept, ts.refused = nil, nil
}
