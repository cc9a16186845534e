//go:build unix

package execute

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// outcome is what a call in the background came to.
type outcome struct {
	Result
	err error
}

// begin makes a call in the background.
func begin(ctx context.Context, folder *Folder, c Call) <-chan outcome {
	done := make(chan outcome, 1)
	go func() {
		result, err := folder.Run(ctx, c)
		done <- outcome{result, err}
	}()
	return done
}

// TestFlood is not parallel to others, so that the memory it counts is its own.
func TestFlood(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var pid int
	got, err := behaving(t, Options{}).Run(context.Background(), Call{Type: "flood", Verb: "get", Started: func(p int) { pid = p }})
	runtime.ReadMemStats(&after)
	checkError(t, err, ErrOutput)
	if got.Stdout != nil {
		t.Errorf("returned %d bytes of output", len(got.Stdout))
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 8*MaxStdout {
		t.Errorf("allocated %d bytes to keep %d", used, MaxStdout)
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the helper is still there: %v", err)
	}
}

func TestNoiseIsCut(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, err := behaving(t, Options{}).Run(context.Background(), Call{Type: "noise", Verb: "get"})
	runtime.ReadMemStats(&after)
	if err != nil || string(got.Stdout) != "answer" {
		t.Fatalf("got %q, %v", got.Stdout, err)
	}
	if len(got.Stderr) != MaxStderr || !bytes.HasPrefix(got.Stderr, []byte("noisenoise")) {
		t.Errorf("kept %d bytes, want %d", len(got.Stderr), MaxStderr)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > MaxStdout {
		t.Errorf("allocated %d bytes to keep %d", used, MaxStderr)
	}
}

// TestNothingIsKept counts the descriptors before and after calls of every kind.
// It is not parallel to others for that.
func TestNothingIsKept(t *testing.T) {
	folder := behaving(t, Options{Types: append(types(), "absent")})
	round := func() {
		for _, name := range []string{"answer", "refuse", "silent", "suicide", "deaf", "flood", "absent"} {
			_, _ = folder.Run(context.Background(), Call{Type: name, Verb: "get", Stdin: []byte("x"), Material: make([]byte, 1<<17)})
		}
		canceled, cancel := context.WithCancel(context.Background())
		cancel()
		_, _ = folder.Run(canceled, Call{Type: "answer", Verb: "get"})
	}
	round()
	// The collector would close forgotten files.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	before := descriptors(t)
	for range 5 {
		round()
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors are open, there were %d", after, before)
	}
	if free := folder.turns.free; free != DefaultConcurrent || len(folder.turns.tenants) != 0 {
		t.Errorf("%d turns are free, of %d", free, DefaultConcurrent)
	}
}

func descriptors(t *testing.T) int {
	names, err := os.ReadDir("/dev/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

// clock is a context whose deadline passes when the test says so.
type clock struct {
	context.Context
	passed chan struct{}
}

func (c clock) Deadline() (time.Time, bool) { return time.Now().Add(patience), true }

func (c clock) Done() <-chan struct{} { return c.passed }

func (c clock) Err() error {
	select {
	case <-c.passed:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

func TestDeadline(t *testing.T) {
	t.Parallel()
	for _, behaviour := range []string{"hang", "close"} {
		t.Run(behaviour, func(t *testing.T) {
			t.Parallel()
			w := newWitness(t)
			ctx := clock{context.Background(), make(chan struct{})}
			done := begin(ctx, behaving(t, Options{}), Call{Type: behaviour, Verb: "get", Env: w.env()})
			child := w.next()
			close(ctx.passed)
			got := <-done
			checkError(t, got.err, ErrDeadline)
			if !errors.Is(got.err, context.DeadlineExceeded) {
				t.Errorf("does not match the context's own error: %v", got.err)
			}
			child.gone()
			if got.Stdout != nil {
				t.Errorf("returned %q", got.Stdout)
			}
			if behaviour == "hang" && string(got.Stderr) != "waiting" {
				t.Errorf("standard error was %q", got.Stderr)
			}
		})
	}
}

// TestDeadlineOfTheFolder has no deadline but the folder's, which the wait for a
// turn counts towards.
func TestDeadlineOfTheFolder(t *testing.T) {
	t.Parallel()
	w := newWitness(t)
	folder := behaving(t, Options{Concurrent: 1, Deadline: 100 * time.Millisecond})
	var pid int
	_, err := folder.Run(context.Background(), Call{Type: "hang", Verb: "get", Env: w.env(), Started: func(p int) { pid = p }})
	checkError(t, err, ErrDeadline)
	if pid != 0 {
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("the helper is still there: %v", err)
		}
	}

	folder.turns.free = 0
	_, err = folder.Run(context.Background(), Call{Type: "answer", Verb: "get", Started: func(int) { t.Error("it was started out of turn") }})
	checkError(t, err, ErrDeadline)
}

func TestCancelBeforeStart(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := behaving(t, Options{}).Run(ctx, Call{Type: "answer", Verb: "get", Started: func(int) { t.Error("it was started") }})
	checkError(t, err, ErrCanceled)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("does not match the context's own error: %v", err)
	}

	late, cancel := context.WithDeadline(context.Background(), time.Unix(0, 0))
	defer cancel()
	_, err = behaving(t, Options{}).Run(late, Call{Type: "answer", Verb: "get", Started: func(int) { t.Error("it was started") }})
	checkError(t, err, ErrDeadline)
}

func TestCancelWhileRunning(t *testing.T) {
	t.Parallel()
	w := newWitness(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := begin(ctx, behaving(t, Options{}), Call{Type: "hang", Verb: "get", Env: w.env(), Material: make([]byte, 2<<20)})
	child := w.next()
	cancel()
	checkError(t, (<-done).err, ErrCanceled)
	child.gone()
}

// Neither does it help a helper to be where signals to its group do not go, or to
// be stopped.
func TestCancelWhatIsOutOfTheWay(t *testing.T) {
	t.Parallel()
	for _, behaviour := range []string{"defect", "stop", "hang"} {
		for _, gentle := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, gentle %t", behaviour, gentle), func(t *testing.T) {
				t.Parallel()
				w := newWitness(t)
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				done := begin(ctx, behaving(t, Options{}), Call{Type: behaviour, Verb: "get", Env: w.env(), Gentle: gentle})
				child := w.next()
				cancel()
				checkError(t, (<-done).err, ErrCanceled)
				child.gone()
			})
		}
	}
}

// A helper that ends what it has started, in a group of its own, gets to do so when the call is a gentle one that is given
// up, and not when its time is over.
func TestCancelGently(t *testing.T) {
	t.Parallel()
	w := newWitness(t)
	folder := behaving(t, Options{})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := begin(ctx, folder, Call{Type: "polite", Verb: "get", Env: w.env(), Gentle: true})
	child := w.next()
	cancel()
	if got := <-done; got.err != nil || string(got.Stdout) != "last words" {
		t.Errorf("%q, %v", got.Stdout, got.err)
	}
	child.gone()
	late, stop := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer stop()
	done = begin(late, folder, Call{Type: "polite", Verb: "get", Env: w.env(), Gentle: true})
	checkError(t, (<-done).err, ErrDeadline)
}

func TestCancelWhileWaitingForATurn(t *testing.T) {
	t.Parallel()
	w := newWitness(t)
	folder := behaving(t, Options{Concurrent: 1})
	first := begin(context.Background(), folder, Call{Type: "gate", Verb: "get", Env: w.env()})
	child := w.next()
	ctx, cancel := context.WithCancel(context.Background())
	second := begin(ctx, folder, Call{Type: "answer", Verb: "get", Started: func(int) { t.Error("it was started out of turn") }})
	cancel()
	checkError(t, (<-second).err, ErrCanceled)
	child.release()
	if got := <-first; got.err != nil || string(got.Stdout) != "through" {
		t.Errorf("got %q, %v", got.Stdout, got.err)
	}
}

func TestSignal(t *testing.T) {
	t.Parallel()
	got, err := behaving(t, Options{}).Run(context.Background(), Call{Type: "suicide", Verb: "get"})
	checkError(t, err, ErrKilled)
	if got.Stdout != nil || string(got.Stderr) != "dying" {
		t.Errorf("returned %q and %q", got.Stdout, got.Stderr)
	}
}

// TestTurns has 64 callers at once. The helpers wait until eight of them are
// there; a ninth would be counted before any is let go.
func TestTurns(t *testing.T) {
	t.Parallel()
	const callers = 64
	w := newWitness(t)
	folder := behaving(t, Options{})
	var failed atomic.Int32
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			got, err := folder.Run(context.Background(), Call{Type: "gate", Verb: "get", Env: w.env()})
			if err != nil || string(got.Stdout) != "through" {
				failed.Add(1)
				t.Errorf("got %q, %v", got.Stdout, err)
			}
		})
	}
	for range callers / DefaultConcurrent {
		var waiting []*seen
		for range DefaultConcurrent {
			waiting = append(waiting, w.next())
		}
		// All turns are taken. Whoever else is there came without one.
		folder.turns.mu.Lock()
		if free := folder.turns.free; free != 0 {
			t.Errorf("%d turns are free", free)
		}
		folder.turns.mu.Unlock()
		w.nobody()
		for _, child := range waiting {
			child.release()
		}
	}
	group.Wait()
}
