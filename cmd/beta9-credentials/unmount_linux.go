package main

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// fuseType is how the kernel names the type of what CLIP mounts.
const fuseType = "fuse.rawBridge"

// isMounted returns nil when the last thing that was mounted on the folder is an image. The folder itself is not looked
// at: when the process that served it was killed, it cannot be.
func isMounted(dir string) error {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	defer f.Close()
	found := ""
	for lines := bufio.NewScanner(f); lines.Scan(); {
		// https://docs.kernel.org/filesystems/proc.html, 3.5: the mount point is the fifth field, the type the first one
		// behind the hyphen.
		before, after, ok := strings.Cut(lines.Text(), " - ")
		if fields := strings.Fields(before); ok && len(fields) > 4 && unescape(fields[4]) == dir {
			found, _, _ = strings.Cut(after, " ")
		}
	}
	switch found {
	case fuseType:
		return nil
	case "":
		return helpers.Fail(helpers.BadRequest, "nothing is mounted on "+dir, "")
	}
	return helpers.Fail(helpers.BadRequest, "what is mounted on "+dir+" is not an image", "unmount it with umount")
}

// unescape undoes what the kernel does to the white space and backslashes of a path.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// unmount takes a file system off a folder, at once or when nothing uses it any more.
func unmount(dir string, lazy bool) error {
	program, err := exec.LookPath("fusermount3")
	if err != nil {
		return helpers.Fail(helpers.Internal, "fusermount3 is not installed", "install the package fuse3")
	}
	args := []string{"-u", "--", dir}
	if lazy {
		args = []string{"-u", "-z", "--", dir}
	}
	var stderr bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Stderr = &stderr
	err = cmd.Run()
	if _, ok := errors.AsType[*exec.ExitError](err); ok {
		f := helpers.Fail(helpers.Internal, dir+" cannot be unmounted: "+strings.TrimSpace(stderr.String()), "")
		if !lazy {
			f.Hint = "end what uses it, or unmount it with --force"
		}
		return f
	}
	return err
}
