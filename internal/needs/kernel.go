package needs

import (
	"bytes"
	"os"
	"os/exec"
	"sync"
	"testing"
)

// Namespaces needs a process to be able to leave for a network and a mount table of its own.
func Namespaces(t testing.TB) {
	t.Helper()
	if reason := namespaces(); reason != "" {
		Missing(t, "no network and mount namespaces of one's own (%s): run as root, give the container CAP_SYS_ADMIN, or allow unprivileged user namespaces", reason)
	}
}

// namespaces tries it, once for the process, and returns what was said against it. unshare(8) also turns mount
// propagation off, which is what a confined user namespace refuses even where it could be made.
var namespaces = sync.OnceValue(func() string {
	flags := "-nm"
	if os.Geteuid() != 0 {
		flags = "-rnm"
	}
	unshare, err := Find("unshare")
	if err != nil {
		return err.Error()
	}
	if out, err := exec.Command(unshare, flags, "true").CombinedOutput(); err != nil {
		return string(bytes.TrimSpace(out)) + " " + err.Error()
	}
	return ""
})

// FUSE needs a file system in user space to be mountable.
func FUSE(t testing.TB) {
	t.Helper()
	Tool(t, "fusermount3")
	if why := NoFUSE(); why != "" {
		Missing(t, "%s: load the kernel's fuse module, or give the container --device /dev/fuse", why)
	}
}

// NoFUSE says why no file system in user space can be mounted, or nothing when one can.
func NoFUSE() string {
	if _, err := Find("fusermount3"); err != nil {
		return err.Error()
	}
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		return "no FUSE: " + err.Error()
	}
	f.Close()
	return ""
}
