package measure

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Peak runs the command once more and returns the most memory that it had, in bytes.
//
// The kernel's own account, ru_maxrss, does not serve: a child that was started with vfork begins with what its parent had,
// and this process has ten times what a helper has. So the child is traced, stops when it is about to end, and its memory
// is asked for while it is still there.
func (c *Command) Peak() (int64, error) {
	// A tracer is a thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for range attempts {
		peak, err := c.traced()
		if !errors.Is(err, errUnseen) {
			return peak, err
		}
	}
	return 0, fmt.Errorf("%s: %w", c.path, errUnseen)
}

// attempts is how often a run is traced at most. One of a hundred ends unseen: when another thread than the first one ends
// the program, the kernel may not stop the first one any more.
const attempts = 20

var errUnseen = errors.New("it ended before its memory could be read")

// traced runs the command once under a trace.
func (c *Command) traced() (int64, error) {
	cmd, err := c.prepare()
	if err != nil {
		return 0, err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	peak, err := watch(cmd.Process.Pid)
	if errors.Is(err, errUnseen) {
		_ = cmd.Process.Release() // it was waited for already
		return 0, err
	}
	if err != nil {
		// The child may be stopped; it is this process's own, and its number is not given anew before Wait.
		return 0, errors.Join(fmt.Errorf("tracing %s: %w", c.path, err), cmd.Process.Kill(), cmd.Wait())
	}
	err = cmd.Wait()
	return peak, c.look(err, cmd.ProcessState)
}

// watch lets a child that was just started run to its end, and returns the peak of its memory. It returns when the child
// goes on to end.
func watch(pid int) (int64, error) {
	var status unix.WaitStatus
	if _, err := unix.Wait4(pid, &status, 0, nil); err != nil { // stopped by execve
		return 0, err
	}
	if err := unix.PtraceSetOptions(pid, unix.PTRACE_O_TRACEEXIT|unix.PTRACE_O_EXITKILL); err != nil {
		return 0, err
	}
	deliver := 0
	for {
		// It is not stopped any more when the program is just being ended, which the next wait tells.
		if err := unix.PtraceCont(pid, deliver); err != nil && !errors.Is(err, unix.ESRCH) {
			return 0, err
		}
		if _, err := unix.Wait4(pid, &status, 0, nil); err != nil {
			return 0, err
		}
		switch {
		case status.Exited() || status.Signaled():
			return 0, errUnseen
		case status.StopSignal() == unix.SIGTRAP && status.TrapCause() == unix.PTRACE_EVENT_EXIT:
			peak, err := highWater(pid)
			if err != nil {
				return 0, err
			}
			return peak, unix.PtraceDetach(pid)
		}
		if deliver = int(status.StopSignal()); deliver == int(unix.SIGTRAP) {
			deliver = 0
		}
	}
}

// highWater reads the peak of a process's resident memory (VmHWM in proc(5)).
func highWater(pid int) (int64, error) {
	f, err := os.Open("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		value, ok := strings.CutPrefix(lines.Text(), "VmHWM:")
		if !ok {
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		return kib << 10, err
	}
	return 0, errors.New("the kernel does not tell its memory")
}
