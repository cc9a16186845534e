package execute

import (
	"context"
	"errors"
)

// The kinds of failure. Every error of this package is an [*Error] and matches
// exactly one of them with [errors.Is].
var (
	// ErrName means that the type or the verb is not one that may be run.
	ErrName = errors.New("not an allowed helper type or verb")
	// ErrMissing means that there is no such helper, or no such folder.
	ErrMissing = errors.New("not found")
	// ErrUntrusted means that somebody else could have replaced the helper.
	// The error unwraps to a [*TrustError], which names the rule.
	ErrUntrusted = errors.New("not trusted")
	// ErrStart means that the system refused to run the helper.
	ErrStart = errors.New("could not be run")
	// ErrDeadline means that the deadline passed first. Such an error matches
	// [context.DeadlineExceeded] as well.
	ErrDeadline = errors.New("did not answer in time")
	// ErrCanceled means that the caller gave up first. Such an error matches
	// [context.Canceled] as well.
	ErrCanceled = errors.New("call was canceled")
	// ErrOutput means that the helper printed more than it may, see
	// [Options.MaxStdout].
	ErrOutput = errors.New("printed more than an answer can have")
	// ErrKilled means that the helper died of a signal (on Windows: of an
	// unhandled exception) that this package did not send.
	ErrKilled = errors.New("was killed")
)

// Error is a call that did not come to an end of its own. It never holds
// anything the helper printed.
type Error struct {
	// Name is the helper's file name without suffix, or the folder's path when
	// there is no single helper to blame.
	Name string
	// Kind is one of the Err variables of this package.
	Kind error
	// Err is the cause, or nil when Kind says it all.
	Err error
}

func (e *Error) Error() string {
	text := e.Name + ": " + e.Kind.Error()
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap gives the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

// ended turns a context that is over into the error of the call it ended.
func ended(ctx context.Context, name string) error {
	kind := ErrCanceled
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		kind = ErrDeadline
	}
	return &Error{Name: name, Kind: kind, Err: ctx.Err()}
}
