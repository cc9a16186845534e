package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"

	"golang.org/x/term"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// A console is what the command gets from whoever started it. Tests make their own.
type console struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	environ        []string
	// mounted is set while a file system is mounted: an interrupted command is then waited for, until it has unmounted it.
	mounted *atomic.Bool
}

// getenv looks up a variable; the last of two equal names counts.
func (c console) getenv(name string) string {
	for i := len(c.environ) - 1; i >= 0; i-- {
		if key, value, ok := strings.Cut(c.environ[i], "="); ok && key == name {
			return value
		}
	}
	return ""
}

// An output is a file that remembers that something written to it was lost.
type output struct {
	*os.File
	lost error
}

// Write writes to the file.
func (o *output) Write(b []byte) (int, error) {
	n, err := o.File.Write(b)
	if err != nil && o.lost == nil {
		o.lost = err
	}
	return n, err
}

// isTerminal tells whether a person is at the other end of a stream.
func isTerminal(stream any) bool {
	f, ok := stream.(interface{ Fd() uintptr })
	return ok && term.IsTerminal(int(f.Fd()))
}

// A style marks text for a terminal. It leaves everything as it is where there is none, or where NO_COLOR is set
// (https://no-color.org).
type style bool

func (c console) style() style {
	return style(isTerminal(c.stdout) && c.getenv("NO_COLOR") == "" && c.getenv("TERM") != "dumb")
}

const (
	bold  = "1"
	red   = "31"
	green = "32"
	grey  = "90"
)

// paint marks text with one of the codes of ECMA-48's SGR.
func (s style) paint(code, text string) string {
	if !s || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// hint prints what a person may want to do.
func (c console) hint(text string) { fmt.Fprintf(c.stderr, "hint: %s\n", helpers.Printable(text)) }
