//go:build unix

package file_test

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/internal/file"
	"github.com/beam-cloud/docker-credential-beta9/internal/file/filetest"
)

// holder starts a process that has the lock, and returns it when it has.
func holder(t *testing.T, role string, args ...string) (cmd *exec.Cmd, release func()) {
	t.Helper()
	cmd = filetest.Process(t, role, nil, args...)
	stdin, err := cmd.StdinPipe()
	do(t, err)
	stdout, err := cmd.StdoutPipe()
	do(t, err)
	do(t, cmd.Start())
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
		t.Fatalf("the process that holds the lock says %q, %v", line, err)
	}
	return cmd, func() { stdin.Close() }
}

func TestLockLosesNoUpdateOfManyProcesses(t *testing.T) {
	t.Parallel()
	d, folder := private(t)
	do(t, d.Write("count", []byte("0")))
	filetest.RunMany(t, 16, "count", nil, folder)
	if content, err := d.Read("count", 20); err != nil || string(content) != "1600" {
		t.Errorf("16 processes added 1 a hundred times each: %s, %v", content, err)
	}
}

func TestLockEndsWithItsHolder(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*exec.Cmd, func()){
		"ended":  func(_ *exec.Cmd, release func()) { release() },
		"killed": func(cmd *exec.Cmd, _ func()) { cmd.Process.Kill() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, folder := private(t)
			cmd, release := holder(t, "hold", folder)
			if _, err := d.TryLock("lock"); !errors.Is(err, file.ErrBusy) {
				t.Fatalf("while it is held: %v", err)
			}
			end(cmd, release)
			cmd.Wait()
			lock, err := d.TryLock("lock")
			do(t, err)
			lock.Release()
		})
	}
}

func TestLockIsNotInherited(t *testing.T) {
	t.Parallel()
	d, folder := private(t)
	cmd, release := holder(t, "keep lock", folder, folder+"2")
	defer release() // which ends what the holder started
	if _, err := cmd.Process.Wait(); err != nil {
		t.Fatal(err)
	}
	lock, err := d.TryLock("lock")
	if err != nil {
		t.Fatalf("after its holder ended, with a program still there that it started: %v", err)
	}
	lock.Release()
}

func TestLockWaitsNoLongerThanItsContext(t *testing.T) {
	t.Parallel()
	d, _ := private(t)
	held, err := d.TryLock("lock")
	do(t, err)
	defer held.Release()
	for name, tt := range map[string]struct {
		ctx  func() (context.Context, context.CancelFunc)
		want error
	}{
		"deadline": {func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(t.Context(), 30*time.Millisecond)
		}, context.DeadlineExceeded},
		"ended before": {func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			return ctx, cancel
		}, context.Canceled},
	} {
		ctx, cancel := tt.ctx()
		_, err := d.Lock(ctx, "lock")
		cancel()
		if !errors.Is(err, tt.want) || !errors.Is(err, file.ErrBusy) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLockPassesFromGoroutineToGoroutine(t *testing.T) {
	t.Parallel()
	d, _ := private(t)
	inside := make(chan struct{}, 1) // holds one: a second one inside would block, and the test with it
	done := make(chan error)
	for i := range 8 {
		go func() {
			for range 20 {
				lock, err := d.Lock(t.Context(), "lock")
				if err != nil {
					done <- err
					return
				}
				select {
				case inside <- struct{}{}:
				default:
					done <- errors.New("two have the lock")
					return
				}
				<-inside
				if i%2 == 0 {
					lock.Discard()
				} else {
					lock.Release()
				}
			}
			done <- nil
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestLockDoesNotReachThroughLinks(t *testing.T) {
	t.Parallel()
	for name, link := range map[string]func(t *testing.T, other, path string){
		"link":            func(t *testing.T, other, path string) { do(t, os.Symlink(other, path)) },
		"link to nothing": func(t *testing.T, other, path string) { do(t, os.Symlink("nothing", path)) },
		"second name":     func(t *testing.T, other, path string) { do(t, os.Link(other, path)) },
	} {
		d, folder := private(t)
		other := filepath.Join(filepath.Dir(folder), "other")
		do(t, os.WriteFile(other, nil, 0o600))
		link(t, other, filepath.Join(folder, "lock"))
		if _, err := d.Lock(t.Context(), "lock"); !errors.Is(err, file.ErrLink) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Lstat(filepath.Join(folder, "nothing")); err == nil {
			t.Errorf("%s: created what the link stands for", name)
		}
	}
}
