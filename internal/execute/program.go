package execute

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/internal/harden"
)

// lingering bounds the wait for standard output and error after the child is
// gone, or after it was told to go. By then its group is dead as well, and at
// most a pipe's buffer is left to read, so only a descendant that left the
// group makes anybody wait this long.
const lingering = 250 * time.Millisecond

// program is a helper that was opened and checked.
type program struct {
	name string
	path string
	file *os.File
}

// child is a program about to run, or running.
type child struct {
	cmd            *exec.Cmd
	group          *group
	feeds          []*feed
	spare          func() // ends the watch over the context
	stdout, stderr capped
}

// run executes the opened helper once and takes at most stdout bytes of what it
// prints. The caller closes the file.
func (p *program) run(ctx context.Context, c Call, stdout int) (Result, error) {
	// Too much output ends the call without making it look like the caller's
	// doing, hence a context of its own.
	running, stop := context.WithCancel(ctx)
	defer stop()
	k, err := p.prepare(ctx, c)
	if err != nil {
		return Result{}, err
	}
	defer k.close()
	k.stdout = capped{limit: stdout, over: stop}
	k.stderr = capped{limit: MaxStderr}

	if err := k.live(running, c.Started); err != nil {
		if ctx.Err() != nil {
			return Result{}, ended(ctx, p.name)
		}
		return Result{}, &Error{Name: p.name, Kind: ErrStart, Err: err}
	}
	err = k.wait()

	result := Result{Stderr: k.stderr.data}
	state := k.cmd.ProcessState
	switch {
	case k.stdout.full:
		return result, &Error{Name: p.name, Kind: ErrOutput}
	case state == nil:
		return result, &Error{Name: p.name, Kind: ErrStart, Err: err}
	}
	// A child that ended by itself is a result even when the deadline passed a
	// moment later, and even when somebody still held its output open: what
	// it wrote has been read.
	if death := deathOf(state); death != nil {
		if ctx.Err() != nil {
			return result, ended(ctx, p.name)
		}
		return result, &Error{Name: p.name, Kind: ErrKilled, Err: death}
	}
	result.Stdout, result.ExitCode = k.stdout.data, state.ExitCode()
	return result, nil
}

// prepare makes the pipes and the command. It also marks every descriptor of
// this process that foreign code left open to children.
func (p *program) prepare(ctx context.Context, c Call) (k *child, err error) {
	k = &child{}
	defer func() {
		if err != nil {
			k.close()
			err = refused(p.name, err)
		}
	}()
	if err := harden.Descriptors(); err != nil {
		return k, err
	}
	target, err := p.target()
	if err != nil {
		return k, err
	}
	k.cmd = exec.Command(target, c.Verb)
	k.cmd.Args[0] = p.name
	k.cmd.Env = c.environment(ctx)
	k.cmd.Dir = filepath.VolumeName(p.path) + string(filepath.Separator)
	k.cmd.Stdout, k.cmd.Stderr = &k.stdout, &k.stderr
	k.cmd.WaitDelay = lingering
	if k.group, err = newGroup(k.cmd); err != nil {
		return k, err
	}

	stdin, err := k.feed(c.Stdin)
	if err != nil {
		return k, err
	}
	if err := p.raise(stdin); err != nil {
		return k, err
	}
	k.cmd.Stdin = stdin.r
	if c.Material != nil {
		material, err := k.feed(c.Material)
		if err != nil {
			return k, err
		}
		number, err := handDown(k.cmd, material.r)
		if err != nil {
			return k, err
		}
		k.cmd.Env = append(k.cmd.Env, "BETA9_CREDENTIAL_FD="+number)
	}
	return k, nil
}

// feed makes a pipe that will give the child these bytes.
func (k *child) feed(data []byte) (*feed, error) {
	f, err := newFeed(data)
	if err == nil {
		k.feeds = append(k.feeds, f)
	}
	return f, err
}

// live runs the command until its end, or kills it at that of the context. It
// returns when the child is gone, where that can be told before it is reaped.
func (k *child) live(ctx context.Context, started func(pid int)) error {
	// On Linux the child dies with the thread that started it, not with the
	// process, so that thread stays here until the child has ended, and no
	// longer: whenever a goroutine that has a thread of its own waits for
	// another one, two threads have to be woken.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := k.start(); err != nil {
		return err
	}
	k.watch(ctx)
	if started != nil {
		started(k.cmd.Process.Pid)
	}
	k.group.wait()
	return nil
}

// watch has the child killed at the end of the context. It takes no goroutine
// before that, which the watch of os/exec does.
func (k *child) watch(ctx context.Context) {
	killed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(killed)
		k.group.kill()
	})
	k.spare = func() {
		if !stop() {
			<-killed
		}
	}
}

// wait reaps the child, and ends what it left behind.
func (k *child) wait() error {
	err := k.cmd.Wait()
	k.spare()
	k.group.sweep()
	return err
}

// start runs the command and begins to feed it.
func (k *child) start() error {
	if err := k.cmd.Start(); err != nil {
		return startFailure(err)
	}
	if err := k.group.started(); err != nil {
		k.cmd.Process.Kill()
		k.cmd.Wait()
		return err
	}
	for _, f := range k.feeds {
		f.start()
	}
	return nil
}

// close lets go of everything the call held in this process.
func (k *child) close() {
	for _, f := range k.feeds {
		f.end()
	}
	if k.group != nil {
		k.group.close()
	}
}
