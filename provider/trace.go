package provider

import (
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// A Trace hears what a provider does, in the manner of net/http/httptrace. Its functions may be nil, are never given a
// secret, and may be called by several goroutines at once. They hold up the call that they hear of, and one that panics makes it fail.
type Trace struct {
	// Hit is called when a credential, or the lack of one, was answered from memory.
	Hit func(r helpers.Registry)
	// ExecStart is called before a helper is run.
	ExecStart func(e Exec)
	// ExecEnd is called after it, with the outcome: nil, [helpers.ErrNotFound] or a [*helpers.Failure].
	ExecEnd func(e Exec, err error)
	// Failed is called when a look-up failed, once for all the callers that wait for it.
	Failed func(r helpers.Registry, err error)
}

// Exec is one run of a helper.
type Exec struct {
	Type     string
	Registry helpers.Registry
	// Ahead tells that the run fetches the successor of a credential that still serves.
	Ahead bool
	// Took is how long the run took, the wait for a turn included. It is zero in ExecStart.
	Took time.Duration
}

// heard calls Hit, and tells whether it returned.
func (t Trace) heard(r helpers.Registry) (returned bool) {
	defer func() { _ = recover() }()
	t.Hit(r)
	return true
}

func (t Trace) execStart(e Exec) {
	if t.ExecStart != nil {
		t.ExecStart(e)
	}
}

func (t Trace) execEnd(e Exec, err error) {
	if t.ExecEnd != nil {
		t.ExecEnd(e, err)
	}
}

func (t Trace) failed(r helpers.Registry, err error) {
	if t.Failed != nil {
		t.Failed(r, err)
	}
}
