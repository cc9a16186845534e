package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// The exit codes. They are part of the command's interface: scripts rely on them.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
	// exitNone says that what was asked for is not there: the credential of a registry, a login, a secret, an image or its
	// workspace.
	exitNone = 3
)

const exitCodes = `Exit codes:
  0  done
  1  failed; stderr says what and what to do
  2  the command line is wrong
  3  what was asked for is not there: a credential for a registry, a login,
     a secret, an image or its workspace`

// An exitError ends the command with a code, and with nothing printed when err is nil.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return "exit"
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usageError says what is wrong with the command line.
func usageError(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// errInterrupted is the cause of the error of a command that was interrupted.
var errInterrupted = errors.New("interrupted")

// interrupted is the error of a command that was interrupted, whatever failed because of that.
func interrupted(hint string) error {
	return &helpers.Failure{Reason: helpers.Canceled, Text: "the command was interrupted", Hint: hint, Cause: errInterrupted}
}

// report prints an error as one sentence and what to do about it as another, and returns the exit code.
func report(c console, err error) int {
	if o, ok := c.stdout.(*output); ok && o.lost != nil && err == nil {
		err = fmt.Errorf("the output cannot be written: %w", o.lost)
	}
	if err == nil {
		return exitOK
	}
	code := exitFailed
	if e, ok := errors.AsType[*exitError](err); ok {
		code = e.code
		if e.err == nil {
			return code
		}
	}
	each := parts(err)
	for i, err := range each {
		fmt.Fprintf(c.stderr, "error: %s\n", helpers.Printable(strings.TrimSpace(err.Error())))
		// What is to be done about several in a row is said once.
		if hint := hintOf(err); hint != "" && (i == len(each)-1 || hint != hintOf(each[i+1])) {
			c.hint(hint)
		}
	}
	return code
}

// parts takes apart what errors.Join has put together, so that each error has a line of its own.
func parts(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var each []error
	var texts []string
	for _, one := range joined.Unwrap() {
		each = append(each, parts(one)...)
		texts = append(texts, one.Error())
	}
	if strings.Join(texts, "\n") != err.Error() { // it has words of its own
		return []error{err}
	}
	return each
}

// A hinted error also says what to do about it.
type hinted struct {
	error
	hint string
}

// withHint adds a hint to an error, in the place of one that it has.
func withHint(err error, hint string) error { return &hinted{err, hint} }

func (h *hinted) Unwrap() error { return h.error }

func hintOf(err error) string {
	if h, ok := errors.AsType[*hinted](err); ok {
		return h.hint
	}
	if hint := helpers.HintOf(err); hint != "" {
		return hint
	}
	if h, ok := errors.AsType[interface {
		error
		Hint() string
	}](err); ok {
		return h.Hint()
	}
	return ""
}
