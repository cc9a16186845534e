package serve

import (
	"context"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/harden"
)

// A Process is what a helper gets from whoever started it. Tests make their own.
type Process struct {
	Args    []string // without the program's name
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
	Environ []string
	// Exit ends the process with an exit code, from another goroutine than the one that carries out the call, when that
	// one is stuck.
	Exit func(code int)
}

// Main runs a helper as this process and returns the exit code. While a verb writes, SIGTERM and SIGINT end it by its
// context, so that what is being written is finished or taken back. A verb that reads has nothing to take back and is
// ended by the signal itself, unless it runs a program of somebody else's: to listen for signals costs a fifth of an empty
// program's whole run.
func Main(k Kind) int {
	_ = harden.Process() // what it protects is protected by other means as well
	ctx := context.Background()
	if len(os.Args) == 2 && (os.Args[1] == helpers.VerbStore || os.Args[1] == helpers.VerbErase) {
		var stop context.CancelFunc
		ctx, stop = signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
		defer stop()
	}
	return Run(ctx, k, Own())
}

// Own returns what this process got from whoever started it.
func Own() Process {
	p := Process{os.Args[1:], os.Stdin, os.Stdout, besides{}, os.Environ(), os.Exit}
	if wasClosed() {
		p.Stdout = nobody{}
	}
	return p
}

// nobody is a standard output that was closed before this process began.
type nobody struct{}

func (nobody) Write([]byte) (int, error) { return 0, os.ErrClosed }

// besides is the standard error of this process. What is written there is not what a call is for: that its reader has gone
// is no reason to die by SIGPIPE.
type besides struct{}

func (besides) Write(p []byte) (int, error) {
	signal.Ignore(syscall.SIGPIPE)
	return os.Stderr.Write(p)
}

// Getenv looks up a variable of the process. As in a shell, the last of two equal names counts.
func (p Process) Getenv(name string) string {
	for i := len(p.Environ) - 1; i >= 0; i-- {
		if key, value, ok := strings.Cut(p.Environ[i], "="); ok && key == name {
			return value
		}
	}
	return ""
}
