package harden

import "errors"

// Process hides this process's memory, environment and descriptors from other
// processes of the same user, keeps it from leaving a core file, and does what
// [Descriptors] does. It goes on after a failure and returns all of them; they
// are no reason to stop, since what is protected here is protected by other
// means as well.
//
// Hiding is for Linux; other systems do not open a process to others of the
// same user, or give no way to prevent it. A hidden process that is not root's
// can no longer open its own environ and maps under /proc either.
func Process() error {
	return errors.Join(hide(), Descriptors())
}
