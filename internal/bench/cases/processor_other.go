//go:build !linux

package cases

import "os/exec"

// startOnOneProcessor starts a command, which has all processors: only Linux gives a process some of them.
func startOnOneProcessor(cmd *exec.Cmd) error { return cmd.Start() }
