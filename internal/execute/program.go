package execute

import (
	"context"
	"errors"
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

// lastWords is what a helper of a gentle call has to end in.
const lastWords = 250 * time.Millisecond

// errCut says that what a helper printed may not be all there.
var errCut = errors.New("its standard output cannot be read to the end")

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
	outputs        []*output
	spare          func()          // ends the watch over the context
	caller         context.Context // the one of a gentle call, nil of others
	ended          chan struct{}   // closed when the child of a gentle call has ended
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
	k.stdout.limit, k.stdout.over = stdout, stop

	if c.Gentle {
		k.caller, k.ended = ctx, make(chan struct{})
	}
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
	if k.outputs[0].cut {
		return result, &Error{Name: p.name, Kind: ErrStart, Err: errCut}
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
			err = unready(p.name, err)
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
	if k.group, err = newGroup(k.cmd); err != nil {
		return k, err
	}

	k.stderr.limit = MaxStderr
	if k.cmd.Stdout, err = k.output(&k.stdout); err != nil {
		return k, err
	}
	if k.cmd.Stderr, err = k.output(&k.stderr); err != nil {
		return k, err
	}
	stdin, err := k.feed(c.Stdin)
	if err != nil {
		return k, err
	}
	if err := p.clear(stdin); err != nil {
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

// output makes a pipe that will take what the child writes.
func (k *child) output(to *capped) (*os.File, error) {
	o, err := newOutput(to)
	if err != nil {
		return nil, err
	}
	k.outputs = append(k.outputs, o)
	return o.w, nil
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

// watch has the child killed at the end of the context, after its last words
// when the call is a gentle one and was given up. It takes no goroutine before that, which the watch of
// os/exec does.
func (k *child) watch(ctx context.Context) {
	killed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(killed)
		if k.caller != nil && k.caller.Err() == context.Canceled && k.group.ask() {
			enough := time.NewTimer(lastWords)
			defer enough.Stop()
			select {
			case <-k.ended:
			case <-enough.C:
			}
		}
		k.group.kill()
	})
	k.spare = func() {
		if !stop() {
			<-killed
		}
	}
}

// wait reaps the child, ends what it left behind, and reads the rest of what it
// wrote.
func (k *child) wait() error {
	late := make(chan time.Time)
	defer time.AfterFunc(lingering, func() { close(late) }).Stop()
	err := k.group.reap(late)
	if k.ended != nil {
		close(k.ended)
	}
	for _, o := range k.outputs {
		o.finish(late)
	}
	k.spare()
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
	for _, o := range k.outputs {
		o.start()
	}
	return nil
}

// close lets go of everything the call held in this process.
func (k *child) close() {
	for _, f := range k.feeds {
		f.end()
	}
	for _, o := range k.outputs {
		o.close()
	}
	if k.group != nil {
		k.group.close()
	}
}
