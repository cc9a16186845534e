//go:build unix

// Command demo shows the helpers at work on this machine: a private registry, an image, logging in, a pull by a client that
// people use, and everything gone again at the end. Each step prints one line. make demo builds what it needs and runs it:
//
//	go run ./internal/demo
//
// It exits 0 when every step did what it is there to show, 1 when one did not, and 130 when it was interrupted.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

const (
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130 // what a shell makes of SIGINT
)

// run carries out the demonstration and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(stderr)
	bin := flags.String("bin", "bin", "folder of the commands, as make build leaves it")
	if flags.Parse(args) != nil || flags.NArg() > 0 {
		return exitUsage
	}
	folder, err := filepath.Abs(*bin)
	if err != nil {
		fmt.Fprintf(stderr, "error: %v\n", err)
		return exitFailed
	}
	return (&show{bin: folder, stdout: stdout, stderr: stderr}).play(ctx, steps)
}
