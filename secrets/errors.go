package secrets

import (
	"errors"
	"fmt"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// The outcomes of a store besides success, to be asked for with errors.Is. Each arrives in an error that names the
// record or the image it is about.
var (
	// ErrNotFound says that the store was asked and has no such thing. It is the outcome "none".
	ErrNotFound = helpers.ErrNotFound
	// ErrUnavailable says that the store could not be asked, or could not do it: nothing is known of the record.
	ErrUnavailable = errors.New("the store is unavailable")
	// ErrConflict says that somebody else changed the record since it was read.
	ErrConflict = errors.New("was changed by another writer")
	// ErrSealed says that the record is there and does not open.
	ErrSealed = errors.New("does not open")
	// ErrNoKey is the [ErrSealed] of a record whose key is not in the keyring.
	ErrNoKey = errors.New("the keyring does not have the key")
)

// missing is ErrNotFound with the name of what is not there.
type missing struct{ what string }

func (m *missing) Error() string { return m.what + ": there is none" }
func (m *missing) Unwrap() error { return ErrNotFound }

// NotFound returns an [ErrNotFound] about what was looked for.
func NotFound(what fmt.Stringer) error { return &missing{what.String()} }

// Unavailable returns an [ErrUnavailable] about what was to be read or written. The cause is printed: it must not hold
// a secret. The hint may be empty.
func Unavailable(what fmt.Stringer, cause error, hint string) error {
	return &helpers.Failure{
		Reason: helpers.Unavailable,
		Text:   what.String() + ": " + ErrUnavailable.Error() + ": " + cause.Error(),
		Hint:   hint,
		Cause:  fmt.Errorf("%w: %w", ErrUnavailable, cause),
	}
}

// Conflict returns an [ErrConflict] about a record.
func Conflict(what fmt.Stringer) error {
	return &helpers.Failure{
		Reason: helpers.StoreFailed,
		Text:   what.String() + " " + ErrConflict.Error(),
		Hint:   "read it again, and decide anew",
		Cause:  ErrConflict,
	}
}

// Sealed returns an [ErrSealed] about a record. Why is a clause that holds no part of the record.
func Sealed(what fmt.Stringer, why, hint string) error {
	return &helpers.Failure{
		Reason: helpers.StoreFailed,
		Text:   what.String() + " " + ErrSealed.Error() + ": " + why,
		Hint:   hint,
		Cause:  ErrSealed,
	}
}
