package main

import (
	"bytes"
	"context"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/execute"
	"github.com/beam-cloud/docker-credential-beta9/internal/serve"
)

// call runs the helper of a type with this command's own environment, as docker would, and returns what it printed. A
// helper that fails is an error with the reason and the hint that it gave.
func (a *app) call(ctx context.Context, t helpers.Type, verb string, stdin []byte, env ...string) ([]byte, error) {
	path, err := a.folder()
	if err != nil {
		return nil, err
	}
	folder, err := execute.OpenFolder(path, execute.Options{Types: []string{t.Name}})
	if err != nil {
		return nil, execute.Failure(err)
	}
	result, err := folder.Run(ctx, execute.Call{
		Type: t.Name, Verb: verb, Stdin: stdin, Env: append(append([]string(nil), a.environ...), env...),
	})
	if err != nil {
		return nil, execute.Failure(err)
	}
	if result.ExitCode != 0 {
		return nil, said(t, result)
	}
	for _, hint := range hints(result.Stderr) {
		a.hint(hint)
	}
	return result.Stdout, nil
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
