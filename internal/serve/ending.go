package serve

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// An ending is how a call ends: once, by the goroutine that carries it out, or by the one that has waited long enough for
// it. A call that is carried out in a goroutine of its own, with somebody to wait for it, takes a twentieth longer.
type ending struct {
	process Process
	say     sayings
	claimed atomic.Bool
	done    chan struct{}
}

// giveUp is called when the context has ended. After a last moment it ends a process that is still at it.
func (e *ending) giveUp(ctx context.Context) {
	time.Sleep(lastMoment)
	if e.claim() {
		e.process.Exit(e.finish(Outcome{}, over(ctx)))
		close(e.done)
	}
}

// print prints the outcome, or the error line, and returns the exit code. When the other goroutine is about to do so, it
// waits for the end instead.
func (e *ending) print(o Outcome, err error) int {
	if !e.claim() {
		<-e.done
		return 1
	}
	return e.finish(o, err)
}

func (e *ending) claim() bool { return e.claimed.CompareAndSwap(false, true) }

// finish prints: first what the call is for, and then what is said besides, which nobody may read. An answer that could not
// be written whole is a failure, so that no client takes silence for success; a reader that takes nothing for as long as a
// whole call may need, and a last moment at least, ends the process, with the exit code that what was written deserves.
func (e *ending) finish(o Outcome, err error) int {
	if err != nil {
		o = Outcome{Code: 1, Stdout: []byte(helpers.ErrorLine(err) + "\n")}
	}
	timeout, wrong := e.process.Timeout()
	if wrong != nil {
		timeout = defaultTimeout
	}
	var code atomic.Int32
	code.Store(1)
	defer time.AfterFunc(max(timeout, lastMoment), func() { e.process.Exit(int(code.Load())) }).Stop()
	if len(o.Stdout) > 0 {
		if _, err := e.process.Stdout.Write(o.Stdout); err != nil {
			o.Code = 1
		}
	}
	code.Store(int32(o.Code))
	if said := append(o.Stderr, e.say.end(err)...); len(said) > 0 {
		_, _ = e.process.Stderr.Write(said)
	}
	return o.Code
}

// over says in the protocol's words that the context has ended.
func over(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return helpers.Fail(helpers.Timeout, "the call did not end within its deadline",
			"set "+TimeoutVariable+" to wait longer, or "+DebugVariable+"=1 to see for what")
	}
	return helpers.Fail(helpers.Canceled, "the call was interrupted", "")
}
