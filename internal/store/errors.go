package store

import (
	"context"
	"errors"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/file"
	"github.com/beam-cloud/docker-credential-beta9/internal/seal"
)

// A RecordError is a stored login that is there and cannot be opened.
type RecordError struct {
	// Path is its file, whose name says nothing about the registry.
	Path string
	// Err is what is wrong with it.
	Err error
}

// Error names the file and what is wrong with it, and nothing of what is in it.
func (e *RecordError) Error() string {
	if f, ok := errors.AsType[*file.Error](e.Err); ok {
		return "the stored login " + f.Error()
	}
	return "the stored login " + e.Path + ": " + e.Err.Error()
}

// Unwrap returns what is wrong with the record.
func (e *RecordError) Unwrap() error { return e.Err }

// Hint says what to do about it.
func (e *RecordError) Hint() string {
	if errors.Is(e.Err, seal.ErrVersion) {
		return "use the release that wrote it, or log in again, which replaces it"
	}
	return "log in again, which replaces it"
}

// A LostError says that stored logins are there whose key is not. Whether one of them is the login that was asked for
// cannot be told.
type LostError struct {
	key, folder string
	// own is how the names of the files begin that the present key opens; it is empty when there is no key.
	own string
}

// Error says which key is missing.
func (e *LostError) Error() string {
	if e.own == "" {
		return "the logins in " + e.folder + " cannot be opened without the key file " + e.key
	}
	return "some of the logins in " + e.folder + " are sealed with another key than that in " + e.key
}

// Hint says how to get out of it.
func (e *LostError) Hint() string {
	if e.own == "" {
		return "restore " + e.key + ", or remove " + e.folder + " and log in again"
	}
	return "restore the key, or remove the files in " + e.folder + " whose names do not begin with " + e.own + " and log in again"
}

// failure turns what went wrong while doing something into what callers of the store get.
func failure(doing string, err error) error {
	if err == nil || errors.Is(err, helpers.ErrNotFound) {
		return err
	}
	reason := helpers.StoreFailed
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		reason = helpers.Timeout
	case errors.Is(err, context.Canceled):
		reason = helpers.Canceled
	}
	text := doing + ": " + err.Error()
	_, record := errors.AsType[*RecordError](err)
	_, lost := errors.AsType[*LostError](err)
	if record || lost { // which say themselves what it is about
		text = err.Error()
	}
	return &helpers.Failure{Reason: reason, Text: text, Hint: hintOf(err), Cause: err}
}

// hintOf returns the hint of the first error in the chain that has one to give.
func hintOf(err error) string {
	if h, ok := errors.AsType[interface {
		error
		Hint() string
	}](err); ok {
		return h.Hint()
	}
	return ""
}
