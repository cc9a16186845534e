package serve

import (
	"context"
	"sync"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// sayings collects what is said to the person at the keyboard. It is written once, at the end, because a client that
// sees a line of it takes it for part of the outcome.
type sayings struct {
	mu     sync.Mutex
	lines  []byte
	closed bool
}

func (s *sayings) add(kind, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.lines = append(s.lines, kind+": "+helpers.Printable(text)+"\n"...)
	}
}

// end returns what was said, with the hint of the error as the last line. What is said later, by a goroutine that was
// left behind, is dropped.
func (s *sayings) end(err error) []byte {
	if hint := helpers.HintOf(err); hint != "" {
		s.add("hint", hint)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return s.lines
}

// trace returns a context under which hints are heard always, advice when a login is stored, and what was tried only
// when it was asked for.
func (p Process) trace(ctx context.Context, say *sayings) context.Context {
	t := helpers.Trace{Hint: func(text string) { say.add("hint", text) }}
	debug := p.Getenv(DebugVariable) == "1"
	if debug || p.Args[0] == helpers.VerbStore {
		t.Advice = t.Hint
	}
	if debug {
		t.SourceLeft = func(source, why string) { say.add("debug", source+": "+why) }
		t.SourceTaken = func(source string) { say.add("debug", source+": taken") }
	}
	return helpers.WithTrace(ctx, t)
}
