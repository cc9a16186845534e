// Command beta9-credentials is this project's command for people: it configures clients to use the credential helpers,
// logs in and out without docker, and shows which credentials there are.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/internal/harden"
)

// lastMoment is how long an interrupted command may take to finish or take back what it is writing. Reading from a
// terminal or a pipe cannot be ended, and is not waited for.
const lastMoment = 500 * time.Millisecond

func main() {
	_ = harden.Process() // what it protects is protected by other means as well
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	c := console{os.Stdin, &output{File: os.Stdout}, os.Stderr, os.Environ(), new(atomic.Bool)}
	done := make(chan int, 1)
	go func() { done <- run(ctx, os.Args[1:], c) }()
	select {
	case code := <-done:
		os.Exit(code)
	case <-ctx.Done():
	}
	stop() // another signal ends the process at once
	if c.mounted.Load() {
		os.Exit(<-done)
	}
	select {
	case code := <-done:
		os.Exit(code)
	case <-time.After(lastMoment):
		fmt.Fprintln(os.Stderr, "error: canceled: the command was interrupted")
		os.Exit(exitFailed)
	}
}
