// Package interrupt ends a context when somebody wants the process to end, for one that has others to end first. To listen
// for signals costs a fifth of an empty program's whole run: it is done when there is somebody to be ended.
package interrupt

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// Context returns a context that ends with the first signal that would end the process. One that is ignored from the
// start, as SIGHUP is under nohup, stays so.
func Context(ctx context.Context) (context.Context, context.CancelFunc) {
	signals := []os.Signal{syscall.SIGTERM} // the runtime lets nobody ignore it from the start
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGHUP, syscall.SIGQUIT} {
		if !signal.Ignored(s) {
			signals = append(signals, s)
		}
	}
	return signal.NotifyContext(ctx, signals...)
}
