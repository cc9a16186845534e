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
	// exitNone says that there is no credential for a registry that was asked for.
	exitNone = 3
)

const exitCodes = `Exit codes:
  0  done
  1  failed; stderr says what and what to do
  2  the command line is wrong
  3  there is no credential for a registry that was asked for`

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
	fmt.Fprintf(c.stderr, "error: %s\n", helpers.Printable(strings.TrimSpace(err.Error())))
	if hint := hintOf(err); hint != "" {
		fmt.Fprintf(c.stderr, "hint: %s\n", helpers.Printable(hint))
	}
	return code
}

func hintOf(err error) string {
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
