package cases

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
)

// A stage is the [testing.TB] of a case: the stand-ins are made for tests and want one. What fails ends the case.
type stage struct {
	testing.TB // for the method that keeps others from implementing it; nothing else is called
	ctx        context.Context
	name, dir  string
	cleanups   []func()
}

// stopped is what a case that ends early panics with.
type stopped struct{ err error }

// errMissing is for a case that needs something that is not here.
var errMissing = errors.New("not here")

// perform runs a case on a stage of its own, which is cleared away at the end.
func perform(ctx context.Context, name string, f func(*stage)) (err error) {
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &stage{ctx: ctx, name: name, dir: dir}
	defer func() {
		s.clear()
		cancel()
		err = errors.Join(err, os.RemoveAll(dir))
	}()
	defer func() {
		if p := recover(); p != nil {
			end, ok := p.(stopped)
			if !ok {
				panic(p)
			}
			err = fmt.Errorf("%s: %w", name, end.err)
		}
	}()
	f(s)
	return nil
}

func (s *stage) clear() {
	for _, f := range slices.Backward(s.cleanups) {
		f()
	}
	s.cleanups = nil
}

func (s *stage) Helper() {}

func (s *stage) Name() string { return s.name }

func (s *stage) Context() context.Context { return s.ctx }

func (s *stage) Cleanup(f func()) { s.cleanups = append(s.cleanups, f) }

func (s *stage) TempDir() string {
	dir, err := os.MkdirTemp(s.dir, "")
	if err != nil {
		s.Fatal(err)
	}
	return dir
}

func (s *stage) Log(...any) {}

func (s *stage) Logf(string, ...any) {}

func (s *stage) Fatal(args ...any) { panic(stopped{errors.New(fmt.Sprint(args...))}) }

func (s *stage) Fatalf(format string, args ...any) { panic(stopped{fmt.Errorf(format, args...)}) }

// Error ends the case as Fatal does: a result beside an error is none.
func (s *stage) Error(args ...any) { s.Fatal(args...) }

func (s *stage) Errorf(format string, args ...any) { s.Fatalf(format, args...) }

// Skipf ends the case: what it needs is not here.
func (s *stage) Skipf(format string, args ...any) {
	panic(stopped{fmt.Errorf("%w: "+format, append([]any{errMissing}, args...)...)})
}

// do ends the case when there is an error.
func (s *stage) do(err error) {
	if err != nil {
		panic(stopped{err})
	}
}

// must returns the value, or ends the case.
func must[T any](v T, err error) func(*stage) T {
	return func(s *stage) T {
		s.do(err)
		return v
	}
}

// part runs a part of a case that may need something that is not here, and returns what that is. Any other failure ends the
// case.
func (s *stage) part(f func()) (missing error) {
	defer func() {
		if p := recover(); p != nil {
			end, ok := p.(stopped)
			if !ok || !errors.Is(end.err, errMissing) {
				panic(p)
			}
			missing = end.err
		}
	}()
	f()
	return nil
}
