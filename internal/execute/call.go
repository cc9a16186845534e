package execute

import (
	"slices"
	"strings"
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

// environment makes the environment of a child. It is never nil, which would
// mean this process's own.
func environment(given []string) []string {
	env := append(make([]string, 0, len(given)+2), given...)
	isLimit := func(entry string) bool { return strings.HasPrefix(entry, "GOMAXPROCS=") }
	if !slices.ContainsFunc(given, isLimit) {
		env = append(env, "GOMAXPROCS=2")
	}
	return env
}
