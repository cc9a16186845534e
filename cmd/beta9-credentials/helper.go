package main

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/execute"
	"github.com/beam-cloud/docker-credential-beta9/internal/serve"
)

// maxAnswer is the largest answer that is read, in bytes: JSON may spend six on one of the largest secret, and the rest is
// room for a list.
const maxAnswer = 8 * helpers.MaxSecret

// call runs the helper of a type with this command's own environment, as docker would, and returns what it printed. A
// helper that fails is an error with the reason and the hint that it gave.
func (a *app) call(ctx context.Context, t helpers.Type, verb string, stdin []byte, env ...string) ([]byte, error) {
	result, err := a.run(ctx, t, verb, stdin, env...)
	if err != nil {
		return nil, err
	}
	for _, hint := range hints(result.Stderr) {
		a.hint(hint)
	}
	return result.Stdout, nil
}

func (a *app) run(ctx context.Context, t helpers.Type, verb string, stdin []byte, env ...string) (execute.Result, error) {
	return a.start(ctx, t, execute.Call{
		Type: t.Name, Verb: verb, Stdin: stdin, Env: append(append([]string(nil), a.environ...), env...),
	})
}

func (a *app) start(ctx context.Context, t helpers.Type, call execute.Call) (execute.Result, error) {
	path, err := a.folder()
	if err != nil {
		return execute.Result{}, err
	}
	folder, err := execute.OpenFolder(path, execute.Options{Types: []string{t.Name}, MaxStdout: maxAnswer})
	if err != nil {
		return execute.Result{}, execute.Failure(err)
	}
	call.Gentle = true // whatever it is given, it is this user's own
	result, err := folder.Run(ctx, call)
	if err != nil {
		return result, execute.Failure(err)
	}
	if result.ExitCode != 0 {
		return result, said(t, result)
	}
	return result, nil
}

// list returns the registries that a helper lists. One that is not installed lists none. A helper lists what it can and
// ends well, because clients cannot go on otherwise; what it cannot read it says where it was asked to say what it tried.
func (a *app) list(ctx context.Context, t helpers.Type) ([]string, error) {
	result, err := a.run(ctx, t, helpers.VerbList, nil, serve.DebugVariable+"=1")
	if errors.Is(err, execute.ErrMissing) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	entries, err := helpers.ParseList(result.Stdout)
	for line := range bytes.Lines(result.Stderr) {
		if text, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte("debug: login: ")); ok && err == nil {
			err = said(t, execute.Result{Stdout: text})
		}
	}
	return slices.Collect(maps.Keys(entries)), err
}

// said makes an error of what one of our helpers printed. Unlike a worker, a person is told the helper's own words: they
// are on this person's own machine, about this person's own credentials.
func said(t helpers.Type, result execute.Result) error {
	err := helpers.ParseErrorLine(result.Stdout)
	if helpers.IsNotFound(err) {
		return err
	}
	line, _, _ := bytes.Cut(bytes.TrimSpace(result.Stdout), []byte("\n"))
	_, text, ok := bytes.Cut(line, []byte(": "))
	if !ok {
		text = line
	}
	f := helpers.Fail(helpers.ReasonOf(err), t.Executable()+": "+string(text), "")
	if all := hints(result.Stderr); len(all) > 0 {
		f.Hint = all[len(all)-1]
	}
	return f
}

// hints returns the hints among the lines that a helper printed on stderr.
func hints(stderr []byte) []string {
	var found []string
	for line := range bytes.Lines(stderr) {
		if hint, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte("hint: ")); ok {
			found = append(found, string(hint))
		}
	}
	return found
}

// get asks the helper of the registry's type for a credential.
func (a *app) get(ctx context.Context, r helpers.Registry, t helpers.Type) (helpers.Credential, error) {
	serverURL := r.ServerURL()
	out, err := a.call(ctx, t, helpers.VerbGet, []byte(serverURL), serve.ExtendedVariable+"=1")
	if err != nil {
		return helpers.Credential{}, err
	}
	return helpers.ParseAnswer(out, serverURL)
}
