// Package dispatch is the main of docker-credential-beta9, the helper for "credsStore": it finds the type of the
// registry that a request is about, runs the helper of this type from its own folder, and passes on what that prints.
package dispatch

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/execute"
	"github.com/beam-cloud/docker-credential-beta9/internal/harden"
	"github.com/beam-cloud/docker-credential-beta9/internal/interrupt"
	"github.com/beam-cloud/docker-credential-beta9/internal/serve"
)

// Name is the name of the program.
const Name = "docker-credential-beta9"

const (
	// grace is what the dispatcher waits longer than the helper it runs, so that the helper can say what it waited for.
	grace = time.Second
	// maxInput is the largest request that is passed on, in bytes. It is more than any helper takes, so that the helper
	// and not the dispatcher says what is too large.
	maxInput = 8 * helpers.MaxSecret
	// maxOutput is the largest answer that is passed on, in bytes: JSON may spend six on one of the largest secret, and
	// the rest is room for a list.
	maxOutput = 8 * helpers.MaxSecret
)

// Main runs the dispatcher as this process and returns the exit code.
func Main() int {
	_ = harden.Process() // what it protects is protected by other means as well
	return Run(context.Background(), ownFolder, serve.Own())
}

// ownFolder returns the folder of this program, where the helpers of the same release are.
func ownFolder() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", err
	}
	path, err = filepath.EvalSymlinks(path)
	return filepath.Dir(path), err
}

// Run carries out one call with the helpers in a folder, which is asked for once one is needed, and returns the exit code.
func Run(ctx context.Context, folder func() (string, error), p serve.Process) int {
	d := dispatcher{folder: folder, process: p}
	return serve.Protocol(ctx, Name, p, grace, d.carryOut)
}

type dispatcher struct {
	folder  func() (string, error)
	process serve.Process
}

func (d dispatcher) carryOut(ctx context.Context, verb string) (serve.Outcome, error) {
	if verb == helpers.VerbList {
		return d.list(ctx)
	}
	input, err := io.ReadAll(io.LimitReader(d.process.Stdin, maxInput))
	if err != nil {
		return serve.Outcome{}, helpers.Fail(helpers.BadRequest, "the request cannot be read from stdin", "")
	}
	r, err := registry(verb, input)
	if err != nil {
		return serve.Outcome{}, err
	}
	m, err := d.process.Map()
	if err != nil {
		return serve.Outcome{}, err
	}
	t, ok := m.Lookup(r)
	if !ok {
		return nobody(verb, r)
	}
	ctx, stop := interrupt.Context(ctx)
	defer stop()
	o, err := d.run(ctx, t, verb, input)
	if errors.Is(err, execute.ErrMissing) {
		return missing(verb, t, err)
	}
	return o, execute.Failure(err)
}

// registry reads what a request is about, by the same code as the helper that will read it again.
func registry(verb string, input []byte) (helpers.Registry, error) {
	if verb == helpers.VerbStore {
		l, err := helpers.ReadLogin(bytes.NewReader(input))
		if err != nil {
			return helpers.Registry{}, err
		}
		return l.Registry(), nil
	}
	_, r, err := helpers.ReadServerURL(bytes.NewReader(input))
	return r, err
}

// nobody is the outcome for a registry that no helper has credentials for, such as one that serves public images only.
func nobody(verb string, r helpers.Registry) (serve.Outcome, error) {
	switch verb {
	case helpers.VerbErase:
		return serve.Outcome{}, nil
	case helpers.VerbStore:
		return serve.Outcome{}, helpers.Fail(helpers.WrongHost, r.Identity()+" takes no credentials", "")
	}
	return serve.Outcome{}, helpers.ErrNotFound
}

// missing is the outcome when the helper of a type is not installed: nothing is configured for its registries then. Only
// a login would be lost, so that storing one fails.
func missing(verb string, t helpers.Type, err error) (serve.Outcome, error) {
	hint := t.Executable() + " is not installed beside " + Name
	switch verb {
	case helpers.VerbErase:
		return serve.Outcome{}, nil
	case helpers.VerbStore:
		return serve.Outcome{}, &helpers.Failure{Reason: helpers.StoreFailed, Text: hint, Cause: err,
			Hint: "install the helpers of one release together, in one folder"}
	}
	return serve.Outcome{Stdout: []byte(helpers.ErrNotFound.Error() + "\n"), Stderr: []byte("hint: " + hint + "\n"), Code: 1}, nil
}

// run runs the helper of a type. Its environment is this program's own, since both are the same user's; material on a
// descriptor is handed on, because descriptors are not inherited. A helper leads a process group of its own, so that what
// ends this process does not reach it and its children: whoever calls run listens for that, and ends ctx.
func (d dispatcher) run(ctx context.Context, t helpers.Type, verb string, input []byte) (serve.Outcome, error) {
	path, err := d.folder()
	if err != nil {
		return serve.Outcome{}, err
	}
	folder, err := execute.OpenFolder(path, execute.Options{Types: []string{t.Name}, MaxStdout: maxOutput})
	if err != nil {
		return serve.Outcome{}, err
	}
	call := execute.Call{Type: t.Name, Verb: verb, Stdin: input, Env: d.process.Environ, Gentle: true}
	if fd := d.process.Getenv(serve.FDVariable); fd != "" && verb == helpers.VerbGet {
		if call.Material, err = readFD(fd); err != nil {
			return serve.Outcome{}, err
		}
		call.Env = slices.DeleteFunc(slices.Clone(call.Env), func(entry string) bool {
			return strings.HasPrefix(entry, serve.FDVariable+"=")
		})
	}
	result, err := folder.Run(ctx, call)
	return serve.Outcome{Stdout: result.Stdout, Stderr: result.Stderr, Code: result.ExitCode}, err
}

// readFD reads the material that is to be handed on.
func readFD(number string) ([]byte, error) {
	f, err := serve.OpenDescriptor(number)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxInput))
	if err != nil {
		return nil, &helpers.Failure{Reason: helpers.BadMaterial, Cause: err,
			Text: "the material that " + serve.FDVariable + " names cannot be read"}
	}
	return data, nil
}
