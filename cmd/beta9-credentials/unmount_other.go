//go:build unix && !linux

package main

import (
	"errors"
	"os/exec"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// isMounted leaves it to umount to find out.
func isMounted(string) error { return nil }

// unmount takes a file system off a folder, by force if that is asked for.
func unmount(dir string, force bool) error {
	args := []string{dir}
	if force {
		args = []string{"-f", dir}
	}
	err := exec.Command("umount", args...).Run()
	if _, ok := errors.AsType[*exec.ExitError](err); ok {
		return helpers.Fail(helpers.Internal, dir+" cannot be unmounted", "see that it is mounted, end what uses it, or unmount it with --force")
	}
	return err
}
