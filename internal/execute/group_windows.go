package execute

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// killedCode is the exit code of a child that this package killed: the status
// of a program ended by control-C, which no helper returns of itself.
const killedCode = uint32(windows.STATUS_CONTROL_C_EXIT)

var resumeProcess = windows.NewLazySystemDLL("ntdll.dll").NewProc("NtResumeProcess")

// group is the job a child and its descendants belong to. The system kills all
// of them when the job's last handle is closed, so also when this process dies.
type group struct {
	cmd *exec.Cmd
	job windows.Handle
}

// newGroup makes cmd start suspended, so that it cannot have descendants before
// it is in its job.
func newGroup(cmd *exec.Cmd) (*group, error) {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return nil, os.NewSyscallError("CreateJobObject", err)
	}
	limits := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{
		BasicLimitInformation: windows.JOBOBJECT_BASIC_LIMIT_INFORMATION{
			LimitFlags: windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | windows.JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION,
		},
	}
	if _, err := windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&limits)), uint32(unsafe.Sizeof(limits))); err != nil {
		windows.CloseHandle(job)
		return nil, os.NewSyscallError("SetInformationJobObject", err)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		HideWindow:    true,
		CreationFlags: windows.CREATE_SUSPENDED | windows.CREATE_NEW_PROCESS_GROUP,
	}
	return &group{cmd: cmd, job: job}, nil
}

// started puts the child into its job and lets it run.
func (g *group) started() error {
	var failure error
	err := g.cmd.Process.WithHandle(func(handle uintptr) {
		if err := windows.AssignProcessToJobObject(g.job, windows.Handle(handle)); err != nil {
			failure = os.NewSyscallError("AssignProcessToJobObject", err)
			return
		}
		if status, _, _ := resumeProcess.Call(handle); status != 0 {
			failure = os.NewSyscallError("NtResumeProcess", windows.NTStatus(status))
		}
	})
	return errors.Join(err, failure)
}

// kill kills the child and its descendants. The child itself is killed by name
// too, since it may be on its way into the job.
func (g *group) kill() {
	windows.TerminateJobObject(g.job, killedCode)
	_ = g.cmd.Process.WithHandle(func(handle uintptr) { // it says that the child has ended
		windows.TerminateProcess(windows.Handle(handle), killedCode)
	})
}

// ask is for systems on which a program without a window can be asked to end.
func (g *group) ask() bool { return false }

// wait waits for the child to end and kills its descendants, which may hold its
// output open.
func (g *group) wait() {
	g.cmd.Process.WithHandle(func(handle uintptr) {
		windows.WaitForSingleObject(windows.Handle(handle), windows.INFINITE)
	})
	windows.TerminateJobObject(g.job, killedCode)
}

// reap has nothing to do after wait but to let go of the child.
func (g *group) reap(<-chan time.Time) error { return g.cmd.Wait() }

// close lets go of the job.
func (g *group) close() { windows.CloseHandle(g.job) }

// deathOf tells what killed a child, or nil when it ended by itself. A process
// that dies of an exception has its status, an error of the system's own
// numbering, as exit code.
func deathOf(state *os.ProcessState) error {
	if code := uint32(state.ExitCode()); code >= 0xC0000000 && code != 0xFFFFFFFF {
		return errors.New("status 0x" + strconv.FormatUint(uint64(code), 16))
	}
	return nil
}
