//go:build unix

package execute

import (
	"errors"
	"os"
	"os/exec"
	"sync"
	"syscall"
)

// group is the process group a child leads.
type group struct {
	cmd *exec.Cmd
	mu  sync.Mutex
	// over is set before the leader is reaped. From then on its number may be
	// given to another process, and must not be signalled.
	over bool
}

// newGroup makes cmd the leader of a group of its own.
func newGroup(cmd *exec.Cmd) (*group, error) {
	cmd.SysProcAttr = groupAttributes()
	return &group{cmd: cmd}, nil
}

// started has nothing to do: the child is in its group before it is executed.
func (g *group) started() error { return nil }

// kill kills the whole group at once, and the leader wherever it went: it may
// have joined another group.
func (g *group) kill() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.over {
		return
	}
	killGroup(g.cmd.Process.Pid)
	_ = g.cmd.Process.Kill() // it says that the leader has ended
}

// ask asks the leader to end, and tells whether it could be asked.
func (g *group) ask() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !g.over && g.cmd.Process.Signal(syscall.SIGTERM) == nil
}

// close has nothing to let go of.
func (g *group) close() {}

// killGroup kills a group, of which nobody may be left.
func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }

// deathOf tells what killed a child, or nil when it ended by itself.
func deathOf(state *os.ProcessState) error {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return errors.New("signal: " + status.Signal().String())
	}
	return nil
}
