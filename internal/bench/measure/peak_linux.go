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
	cmd, err := c.prepare()
	if err != nil {
		return 0, err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	pid := cmd.Process.Pid
	peak, err := traced(pid)
	if err != nil {
		// The child may be stopped; it is this process's own, and its number is not given anew before Wait.
		return 0, errors.Join(fmt.Errorf("tracing %s: %w", c.path, err), cmd.Process.Kill(), cmd.Wait())
	}
	err = cmd.Wait()
	return peak, c.look(err, cmd.ProcessState)
}

// traced lets a child that was just started run to its end, and returns the peak of its memory. It returns when the child
// goes on to end.
func traced(pid int) (int64, error) {
	var status unix.WaitStatus
	if _, err := unix.Wait4(pid, &status, 0, nil); err != nil { // stopped by execve
		return 0, err
	}
	if err := unix.PtraceSetOptions(pid, unix.PTRACE_O_TRACEEXIT|unix.PTRACE_O_EXITKILL); err != nil {
		return 0, err
	}
	deliver := 0
	for {
		if err := unix.PtraceCont(pid, deliver); err != nil {
			return 0, err
		}
		if _, err := unix.Wait4(pid, &status, 0, nil); err != nil {
			return 0, err
		}
		switch {
		case status.Exited() || status.Signaled():
			return 0, errors.New("it ended unseen")
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
