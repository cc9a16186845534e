package secretstest

import (
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// confine has a command run as an ordinary user when this process is root, which PostgreSQL refuses to be, and has the
// kernel end it with this process: SIGQUIT is PostgreSQL's word for leaving at once.
func confine(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT, Credential: ordinary()}
}

// give gives a folder to that user.
func give(dir string) error {
	if c := ordinary(); c != nil {
		return os.Chown(dir, int(c.Uid), int(c.Gid))
	}
	return nil
}

// ordinary returns the user to become, or nil when this process is an ordinary one itself.
func ordinary() *syscall.Credential {
	if os.Geteuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUser := strconv.ParseUint(u.Uid, 10, 32)
		gid, errGroup := strconv.ParseUint(u.Gid, 10, 32)
		if errUser == nil && errGroup == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		}
	}
	return nil
}
