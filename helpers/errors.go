package helpers

import (
	"errors"

	"github.com/docker/docker-credential-helpers/credentials"
)

// The three errors whose text is part of the protocol: clients compare the line that a helper prints with them.
var (
	// ErrNotFound is the outcome "none": the host is not this helper's, or nothing is configured for it.
	// Clients go on without a credential.
	ErrNotFound = credentials.NewErrCredentialsNotFound()
	// ErrNoServerURL says that the request names no host.
	ErrNoServerURL = credentials.NewErrCredentialsMissingServerURL()
	// ErrNoUsername says that a login to be stored names no user.
	ErrNoUsername = credentials.NewErrCredentialsMissingUsername()
)

// ErrNoAnswer is [ErrNotFound] for want of an answer: whoever would have said that there is something is silent or out of
// order, as the metadata service of a machine that may be in no cloud. It reads like ErrNotFound, which errors.Is finds
// in it, and leads to the same. Only whoever has a credential from before can tell it apart, and go on with that one.
var ErrNoAnswer error = noAnswer{}

type noAnswer struct{}

func (noAnswer) Error() string { return ErrNotFound.Error() }

func (noAnswer) Unwrap() error { return ErrNotFound }

// A Reason is the stable code of a failure. It stands in front of the error line a helper prints, in the JSON of the
// commands, and is an error itself: errors.Is(err, helpers.Throttled) asks for it.
type Reason string

// The reasons there are. A caller that meets an unknown one treats it as [Internal].
const (
	AccessDenied    Reason = "access_denied"    // the identity is known and may not have a credential
	BadAnswer       Reason = "bad_answer"       // a server or a helper answered something that cannot be understood
	BadMaterial     Reason = "bad_material"     // what was configured cannot work as it is
	BadRequest      Reason = "bad_request"      // the request itself is malformed
	Canceled        Reason = "canceled"         // the caller or a signal ended the call
	ExpiredIdentity Reason = "expired_identity" // the identity was good once and has to be renewed
	Internal        Reason = "internal"         // none of the others
	LoginRequired   Reason = "login_required"   // a person has to log in again
	StoreFailed     Reason = "store_failed"     // what is kept on disk cannot be read or written
	Throttled       Reason = "throttled"        // too many calls; later it works
	Timeout         Reason = "timeout"          // the deadline passed
	Unavailable     Reason = "unavailable"      // the server answered that it is out of order
	Unreachable     Reason = "unreachable"      // no connection to the server
	WrongHost       Reason = "wrong_host"       // a credential was asked for a host that it is not bound to
)

var reasons = [...]Reason{
	AccessDenied, BadAnswer, BadMaterial, BadRequest, Canceled, ExpiredIdentity, Internal, LoginRequired, StoreFailed,
	Throttled, Timeout, Unavailable, Unreachable, WrongHost,
}

// Error returns the code.
func (r Reason) Error() string { return string(r) }

// A Failure is the outcome "failed". Its text is meant to be printed: it names what failed and holds no secret and no
// part of a server's answer.
type Failure struct {
	Reason Reason
	// Text is one clause without a capital and without a period.
	Text string
	// Hint says what a person can do about it; it may be empty.
	Hint string
	// Cause is kept for errors.Is and errors.As; it is never printed.
	Cause error `json:"-"`
}

// Error returns the reason and the text, as they stand on a helper's error line.
func (f *Failure) Error() string { return string(f.Reason) + ": " + f.Text }

// Unwrap makes errors.Is find the reason and the cause. A cause that is [ErrNotFound] is not found: whoever made a
// failure of it has said that the outcome is not "none".
func (f *Failure) Unwrap() []error {
	if f.Cause == nil || errors.Is(f.Cause, ErrNotFound) {
		return []error{f.Reason}
	}
	return []error{f.Reason, f.Cause}
}

// Fail makes a [*Failure] without a cause.
func Fail(reason Reason, text, hint string) *Failure {
	return &Failure{Reason: reason, Text: text, Hint: hint}
}

// ReasonOf returns the reason of err: the empty reason for nil and for [ErrNotFound], [Internal] for an error that
// carries none.
func ReasonOf(err error) Reason {
	if err == nil || errors.Is(err, ErrNotFound) {
		return ""
	}
	if f, ok := errors.AsType[*Failure](err); ok {
		return f.Reason
	}
	if r, ok := errors.AsType[Reason](err); ok {
		return r
	}
	if errors.Is(err, ErrNoServerURL) || errors.Is(err, ErrNoUsername) {
		return BadRequest
	}
	return Internal
}

// IsNotFound tells whether err is the outcome "none".
func IsNotFound(err error) bool { return errors.Is(err, ErrNotFound) }

// IsOutage tells whether err says something of a service alone, and nothing of the identity that it was asked with: it
// cannot be reached, is silent, out of order or too busy, or answers what cannot be understood. Later it may answer
// otherwise. For a denial it is false.
func IsOutage(err error) bool {
	switch ReasonOf(err) {
	case BadAnswer, Throttled, Timeout, Unavailable, Unreachable:
		return true
	}
	return errors.Is(err, ErrNoAnswer)
}

// HintOf returns the hint that err carries, or nothing.
func HintOf(err error) string {
	if f, ok := errors.AsType[*Failure](err); ok {
		return f.Hint
	}
	return ""
}
