package provider

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

const (
	// maxAnswers is how many answers are remembered. A tenant has a handful of images at a time on one worker.
	maxAnswers = 512
	// maxPlace is the longest question, in bytes, whose answer is remembered.
	maxPlace = 1024
)

// place is what is asked for, as the caller spells it, so that a hit parses nothing.
type place struct{ registry, scope string }

// answer is the outcome of a look-up.
type answer struct {
	registry   helpers.Registry
	typ        string
	credential helpers.Credential
	config     authn.AuthConfig
	err        error // nil, helpers.ErrNotFound, or a failure
	life       span
}

// reply gives the answer to a caller, who may do with the configuration as they like.
func (a *answer) reply() (*authn.AuthConfig, error) {
	config := a.config
	if a.err == nil || helpers.IsNotFound(a.err) {
		return &config, nil
	}
	return &config, a.err
}

// drops knows for which registries something was forgotten, and when: what was looked up before is not kept afterwards. The
// zero value is ready; it is not safe for concurrent use.
type drops struct {
	count int            // of all calls of note
	last  map[string]int // what count was then, by the identity of the registry
	floor int            // what count was when last was emptied, so as not to grow
}

func (d *drops) note(identity string) {
	d.count++
	if d.last == nil || len(d.last) >= maxTokens {
		d.last, d.floor = make(map[string]int), d.count
	}
	d.last[identity] = d.count
}

// since tells whether something was forgotten for a registry, or may have been, since count was begun.
func (d *drops) since(begun int, identity string) bool {
	return max(d.last[identity], d.floor) > begun
}

// memory holds the latest answers. Reading takes no lock and shares no cache line that is written on a hit, so it is as
// fast on many processors as on one: a change replaces the whole map, of which there are few, one every few seconds for
// each thing asked for. The zero value is ready.
type memory struct {
	answers atomic.Pointer[map[place]*answer]
	mu      sync.Mutex // held to change answers
	closed  bool
	drops   drops
}

// get returns the answer that holds now, or nil.
func (m *memory) get(at place, now time.Time) *answer {
	answers := m.answers.Load()
	if answers == nil {
		return nil
	}
	if a := (*answers)[at]; a != nil && a.life.holds(now) {
		return a
	}
	return nil
}

// begin is called before an answer is looked up, and returns what put takes.
func (m *memory) begin() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.drops.count
}

// put remembers an answer that was looked up since begin, and forgets those that no longer hold.
func (m *memory) put(at place, a *answer, now time.Time, begun int) {
	if len(at.registry)+len(at.scope) > maxPlace {
		return
	}
	m.change(func(answers map[place]*answer) {
		if m.drops.since(begun, a.registry.Identity()) {
			return
		}
		maps.DeleteFunc(answers, func(_ place, old *answer) bool { return !old.life.holds(now) })
		if len(answers) >= maxAnswers {
			clear(answers)
		}
		answers[at] = a
	})
}

// drop forgets the answers for a registry.
func (m *memory) drop(identity string) {
	m.change(func(answers map[place]*answer) {
		m.drops.note(identity)
		maps.DeleteFunc(answers, func(_ place, a *answer) bool { return a.registry.Identity() == identity })
	})
}

// change has f change a copy of the answers, which then takes their place. f is called with mu held.
func (m *memory) change(f func(map[place]*answer)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return
	}
	next := make(map[place]*answer)
	if answers := m.answers.Load(); answers != nil {
		maps.Copy(next, *answers)
	}
	f(next)
	m.answers.Store(&next)
}

// close forgets everything for good.
func (m *memory) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	m.answers.Store(nil)
}
