package ecr

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

const (
	// maxOutput is the largest output of a program that is read, in bytes. The keys of a session have 1 KiB.
	maxOutput = 64 << 10
	// lastBreath is how long is waited for the output of a program that has ended or was killed, which its children may
	// hold open.
	lastBreath = 500 * time.Millisecond
)

// process is an identity whose keys a command prints
// (https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html). What it prints is the identity of
// the profile, and of the variables that the command names: of others that it reads nothing is known here. See
// [chain.environ] for those that it gets.
func (c *chain) process(name, command string) (identity, error) {
	used := map[string]string{}
	os.Expand(command, func(variable string) string {
		used[variable] = c.machine.Getenv(variable)
		return ""
	})
	parts := []string{"process", name, command}
	for _, variable := range slices.Sorted(maps.Keys(used)) {
		parts = append(parts, variable, used[variable])
	}
	source := "profile " + name
	return identity{
		source: source, parts: parts,
		keys: func(ctx context.Context, _ reach) (helpers.Material, error) {
			return c.printed(ctx, source, "its credential_process", func(ctx context.Context) *exec.Cmd {
				p := shell(ctx, command)
				p.Env = c.environ(ctx, used)
				return p
			}, "run the command of credential_process by hand to see why")
		},
	}, nil
}

// session is an identity that a person has logged in as with the aws command: SSO, or "aws login". The command keeps the
// session and renews it, so it is asked.
func (c *chain) session(name string, p section) (identity, error) {
	program := find("aws", c.machine.Getenv("PATH"))
	if program == "" {
		return identity{}, badProfile(name, "needs the aws command, which is not on PATH", "install version 2 of the aws command")
	}
	parts := []string{"session", name, p["sso_account_id"], p["sso_role_name"], p["login_session"]}
	for _, s := range []section{p, c.files.sessions[p["sso_session"]]} {
		parts = append(parts, s["sso_start_url"], s["sso_region"])
	}
	login := "run: aws sso login --profile " + name
	if p["login_session"] != "" {
		login = "run: aws login --profile " + name
	}
	source := "profile " + name
	return identity{
		source: source, parts: parts,
		keys: func(ctx context.Context, _ reach) (helpers.Material, error) {
			return c.printed(ctx, source, "the aws command", func(ctx context.Context) *exec.Cmd {
				p := exec.CommandContext(ctx, program, "configure", "export-credentials", "--profile", name, "--format", "process")
				p.Env = c.environ(ctx, nil)
				return p
			}, login)
		},
	}, nil
}

// ownVariables is what the names of this project's own variables begin with. One of them may hold the password of a
// database, and another leads to whatever a tenant has given.
const ownVariables = "BETA9_CREDENTIAL_"

// environ returns the environment of a program: the machine's, without the secrets of other types of registries, which
// are no business of whoever makes keys for AWS, and without this project's own variables. What the command names itself
// it gets: whoever has written it wants that.
func (c *chain) environ(ctx context.Context, named map[string]string) []string {
	foreign := map[string]bool{}
	for _, t := range helpers.Types() {
		for _, k := range t.Keys {
			// What is bound to material is another thing in an environment, such as a path.
			foreign[k.Secret] = foreign[k.Secret] || t.Name != typeName && !k.Bound
		}
	}
	environ := []string{} // not nil, which would stand for this process's own
	for _, entry := range c.machine.Environ {
		name, _, _ := strings.Cut(entry, "=")
		if _, ok := named[name]; !ok && (foreign[name] || strings.HasPrefix(name, ownVariables)) {
			helpers.Advise(ctx, "the program does not get "+name+", which its command does not name")
			continue
		}
		environ = append(environ, entry)
	}
	return environ
}

// beforeItEnds returns a context that ends a little before another one does: a helper is gone at its deadline, and what it
// has started has to be killed before.
func beforeItEnds(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-min(lastBreath, time.Until(deadline)/10)))
}

// printed runs a program and reads the keys that it prints. Nothing of its output is shown. What ends this process does not
// reach the program, which is in a group of its own, so that it is ended here.
func (c *chain) printed(ctx context.Context, source, what string, program func(context.Context) *exec.Cmd, hint string) (helpers.Material, error) {
	if c.machine.Interruptible != nil {
		var stop context.CancelFunc
		ctx, stop = c.machine.Interruptible(ctx)
		defer stop()
	}
	ctx, cancel := beforeItEnds(ctx)
	defer cancel()
	var out output
	command := program(ctx)
	command.Stdout = &out
	command.WaitDelay = lastBreath
	group(command)
	err := onOneThread(command.Run)
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // it has ended well; a child of it held its output
	}
	exit, exited := errors.AsType[*exec.ExitError](err)
	killed := exited && bySignal(exit.ExitCode())
	if killed {
		// Whoever ends this process may have ended the program with it, which says nothing about its login.
		select {
		case <-ctx.Done():
		case <-time.After(lastBreath / 10):
		}
	}
	switch {
	case ctx.Err() == context.Canceled:
		return helpers.Material{}, helpers.Fail(helpers.Canceled, what+" was ended", "")
	case ctx.Err() != nil:
		return helpers.Material{}, helpers.Fail(helpers.Timeout, what+" did not end before the deadline", hint)
	case out.full:
		return helpers.Material{}, helpers.Fail(helpers.BadAnswer, what+" printed more than 64 KiB", hint)
	case killed:
		return helpers.Material{}, helpers.Fail(helpers.Unavailable, what+" was killed: "+exit.ProcessState.String(), "")
	case exited:
		return helpers.Material{}, helpers.Fail(helpers.LoginRequired,
			what+" ended with "+exit.ProcessState.String()+" and without keys", hint)
	case err != nil:
		return helpers.Material{}, &helpers.Failure{
			Reason: helpers.BadMaterial, Text: what + " cannot be run", Hint: hint, Cause: err,
		}
	}
	var v struct {
		Version                                    int
		AccessKeyID, SecretAccessKey, SessionToken string
	}
	if json.Unmarshal(out.data, &v) != nil || v.Version != 1 {
		return helpers.Material{}, helpers.Fail(helpers.BadAnswer, what+" printed something that is not keys in version 1", hint)
	}
	return newKeys(c.registry, source, v.AccessKeyID, v.SecretAccessKey, v.SessionToken)
}

// bySignal tells whether a signal has ended a program, or the one that its shell has run: then the shell's exit code is 128
// more than the signal's number (https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html, 2.8.2).
func bySignal(code int) bool { return code < 0 || code > 128 && code < 160 }

// onOneThread starts a program and waits for it. On Linux the program dies with the thread that has started it, which in
// somebody else's process may end before the process does.
func onOneThread(run func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return run()
}

// output keeps what a program prints, up to a limit. What goes beyond ends the program by a closed pipe.
type output struct {
	data []byte
	full bool
}

func (o *output) Write(p []byte) (int, error) {
	if o.full = o.full || len(o.data)+len(p) > maxOutput; o.full {
		return 0, errors.New("output of more than " + strconv.Itoa(maxOutput) + " bytes")
	}
	o.data = append(o.data, p...)
	return len(p), nil
}

// find looks for a program in the absolute folders of a PATH, which need not be that of this process. It returns nothing when
// there is none.
func find(name, path string) string {
	for _, folder := range filepath.SplitList(path) {
		if !filepath.IsAbs(folder) {
			continue
		}
		if program, err := exec.LookPath(filepath.Join(folder, name)); err == nil {
			return program
		}
	}
	return ""
}
