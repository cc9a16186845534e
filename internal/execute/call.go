package execute

import (
	"context"
	"slices"
	"strings"
	"time"
)

// Call is one call of a helper.
type Call struct {
	// Type is the registry type, the helper's name without [Prefix].
	Type string
	// Verb is get, store, erase, list or version.
	Verb string
	// Stdin is all the helper finds on standard input.
	Stdin []byte
	// Env is the whole environment of the helper, as KEY=VALUE; nil means an
	// empty one. GOMAXPROCS=2 is added unless it is given, because a Go
	// program on a machine with hundreds of processors spends more time on
	// starting than on the call. Windows adds SYSTEMROOT, which nothing runs
	// without.
	Env []string
	// Material, if not nil, is what the helper finds on the descriptor that
	// BETA9_CREDENTIAL_FD names, which is added to Env. It may be larger than
	// a pipe holds.
	Material []byte
	// Tenant is whom the call is made for, as a comparable value; nil when the
	// process serves nobody but one user. A tenant whose helpers hang does not
	// keep the others' from running: it has at most half of the turns of the
	// folder, and fewer when others have some.
	Tenant any
	// TellDeadline adds BETA9_CREDENTIAL_TIMEOUT to Env: the time that is left
	// when the helper starts, less a tenth for its start and its last words.
	TellDeadline bool
	// Gentle gives a helper whose call is given up before its time is over a
	// moment to end what it has started, by SIGTERM where there is such a
	// thing, before it is killed. What helpers start leads a group of its own.
	// It is for the helpers of the user of this process: a tenant's are killed
	// at once.
	Gentle bool
	// Started, if not nil, is called as soon as the helper runs, with its
	// process id. The call waits for it to return.
	Started func(pid int)
}

// Result is what a helper that ended by itself left behind.
type Result struct {
	// Stdout is all of standard output, at most what [Options] allow. It may
	// hold a secret.
	Stdout []byte
	// Stderr is the beginning of standard error, at most [MaxStderr] bytes.
	Stderr []byte
	// ExitCode is the helper's exit status.
	ExitCode int
}

// environment makes the environment of a child that starts now. It is never
// nil, which would mean this process's own.
func (c Call) environment(ctx context.Context) []string {
	env := append(make([]string, 0, len(c.Env)+3), c.Env...)
	isLimit := func(entry string) bool { return strings.HasPrefix(entry, "GOMAXPROCS=") }
	if !slices.ContainsFunc(c.Env, isLimit) {
		env = append(env, "GOMAXPROCS=2")
	}
	if end, ok := ctx.Deadline(); ok && c.TellDeadline {
		left := time.Until(end)
		left = max(left-left/10, time.Millisecond)
		env = append(env, "BETA9_CREDENTIAL_TIMEOUT="+left.Round(time.Millisecond).String())
	}
	return env
}
