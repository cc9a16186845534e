//go:build unix

package execute

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestReadLate has the reader come so late that nobody would wait any longer. What
// was written is read all the same, by whomever the pipe is still held.
func TestReadLate(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 4096, 1 << 16} {
		for _, held := range []bool{true, false} {
			to := &capped{limit: MaxStdout}
			o, err := newOutput(to)
			if err != nil {
				t.Fatal(err)
			}
			written := bytes.Repeat([]byte("x"), size)
			if _, err := o.w.Write(written); err != nil {
				t.Fatal(err)
			}
			if held {
				other, err := syscall.Dup(int(o.w.Fd()))
				if err != nil {
					t.Fatal(err)
				}
				defer syscall.Close(other)
			}
			late := make(chan time.Time)
			close(late)
			o.start()
			o.finish(late)
			if !bytes.Equal(to.data, written) || o.cut {
				t.Errorf("%d bytes were read of %d, held %v, cut %v", len(to.data), size, held, o.cut)
			}
		}
	}
}

// TestReadLateAndTooMuch is the same for more than may be printed.
func TestReadLateAndTooMuch(t *testing.T) {
	t.Parallel()
	over := false
	to := &capped{limit: 10, over: func() { over = true }}
	o, err := newOutput(to)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.w.Write(make([]byte, 11)); err != nil {
		t.Fatal(err)
	}
	late := make(chan time.Time)
	close(late)
	o.start()
	o.finish(late)
	if !over || !to.full || len(to.data) != 10 {
		t.Errorf("kept %d bytes of 11, over the cap: %v", len(to.data), over)
	}
}

// TestBusyCaller makes calls from a process whose processors are taken.
func TestBusyCaller(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var over atomic.Bool
	var busy, calls sync.WaitGroup
	for range 20 {
		busy.Go(func() {
			for block := make([]byte, 1<<16); !over.Load(); {
				sha256.Sum256(block)
			}
		})
	}
	folder := behaving(t, Options{})
	for range 8 {
		calls.Go(func() {
			for i := range 4 {
				asked := fmt.Sprint(i)
				got, err := folder.Run(context.Background(), Call{Type: "answer", Verb: "get", Stdin: []byte(asked)})
				if err != nil || string(got.Stdout) != "get "+asked {
					t.Errorf("asked for %s, got %q, %v", asked, got.Stdout, err)
				}
			}
		})
	}
	calls.Wait()
	over.Store(true)
	busy.Wait()
}

// TestUnready has something else be missing than the helper.
func TestUnready(t *testing.T) {
	t.Parallel()
	err := unready("x", &fs.PathError{Op: "open", Path: "/dev/fd", Err: fs.ErrNotExist})
	if errors.Is(err, ErrMissing) || !errors.Is(err, ErrStart) {
		t.Errorf("got %v", err)
	}
	checkError(t, unready("x", &TrustError{Path: "/x", Rule: RuleScript}), ErrUntrusted)
}
