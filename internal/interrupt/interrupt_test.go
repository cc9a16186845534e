//go:build unix

package interrupt_test

import (
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/internal/interrupt"
)

// Whoever runs the tests may ignore a signal, so that each of them is heard first.
func hear(t *testing.T, s os.Signal) {
	t.Helper()
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, s)
	t.Cleanup(func() { signal.Stop(heard) })
}

func TestEachSignalEndsTheContext(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT} {
		t.Run(s.String(), func(t *testing.T) {
			hear(t, s)
			ctx, stop := interrupt.Context(t.Context())
			defer stop()
			if err := syscall.Kill(os.Getpid(), s); err != nil {
				t.Fatal(err)
			}
			<-ctx.Done()
		})
	}
}

func TestWhatIsIgnoredStaysSo(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGHUP} {
		t.Run(s.String(), func(t *testing.T) {
			hear(t, s)
			signal.Ignore(s)
			defer signal.Reset(s)
			_, stop := interrupt.Context(t.Context())
			defer stop()
			if !signal.Ignored(s) {
				t.Error("it is no longer ignored")
			}
		})
	}
}
