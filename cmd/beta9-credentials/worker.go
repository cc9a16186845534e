package main

import (
	"context"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/execute"
	"github.com/beam-cloud/docker-credential-beta9/provider"
)

// materialFlag is the flag of the commands that take a credential the way a worker does.
type materialFlag struct{ files []string }

const aboutMaterial = `The credential is what this machine has, as for docker pull: a login, the environment, the
machine's own identity. With --material it is what the file holds, and nothing else: the
blob of a workspace secret, {"version":1,"registry":...,"type":...,"credentials":{...}}.`

func (f *materialFlag) add(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&f.files, "material", nil,
		"take the credential from this file and from nowhere else, - for stdin (may be repeated)")
}

// A worker is the provider that a worker would have. It repeats nothing of what a helper prints; people at their own
// machine are told why there is no credential.
type worker struct {
	*provider.Provider
	app *app
	// materials are all that it has; none stands for the identity of this machine.
	materials provider.Materials
}

// worker makes one with the identity of this machine, or with the material alone.
func (a *app) worker(f materialFlag) (worker, error) {
	folder, err := a.folder()
	if err != nil {
		return worker{}, err
	}
	w := worker{app: a}
	o := provider.Options{Folder: folder, MapFile: a.environment().MapFile()}
	if len(f.files) == 0 {
		o.Policy, o.Environ = provider.Ambient, a.environ
	}
	for _, path := range f.files {
		m, err := a.readMaterial(path)
		if err != nil {
			return worker{}, err
		}
		w.materials = append(w.materials, m)
	}
	if len(f.files) > 0 {
		o.Source, o.Network = w.materials, a.network()
	}
	w.Provider, err = provider.New(o)
	return w, err
}

// Preflight looks for the credential of an image. A failure is told in the helper's own words.
func (w worker) Preflight(ctx context.Context, reference string) (provider.Finding, error) {
	found, err := w.Provider.Preflight(ctx, reference)
	if err == nil || found.Type == "" {
		return found, err
	}
	var m helpers.Material
	if len(w.materials) > 0 {
		var none error
		if m, none = w.materials.Material(ctx, found.Registry); none != nil {
			return found, err
		}
	}
	return found, w.app.explain(ctx, found.Registry, found.Type, m, err)
}

// explain asks a helper once more for a credential that a provider did not get, for the helper's own words about it. What
// more calls make worse, and what came of it only once, is left as the provider tells it.
func (a *app) explain(ctx context.Context, r helpers.Registry, typ string, m helpers.Material, failed error) error {
	switch helpers.ReasonOf(failed) {
	case helpers.Throttled, helpers.Timeout, helpers.Canceled:
		return failed
	}
	t, ok := helpers.TypeNamed(typ)
	if !ok {
		return failed
	}
	call := execute.Call{Type: t.Name, Verb: helpers.VerbGet, Stdin: []byte(r.String()), Env: a.environ}
	if !m.IsZero() {
		var err error
		if call.Material, err = m.AppendBlob(nil); err != nil {
			return failed
		}
		call.Env = append(slices.Clone(a.environ), "BETA9_CREDENTIAL_CACHE=off")
	}
	if _, err := a.start(ctx, t, call); helpers.ReasonOf(err) == helpers.ReasonOf(failed) {
		return err
	}
	return failed
}

// network is what a helper without the rest of the environment needs to reach the world.
func (a *app) network() provider.Network {
	return provider.Network{
		HTTPProxy: a.getenv("HTTP_PROXY"), HTTPSProxy: a.getenv("HTTPS_PROXY"), NoProxy: a.getenv("NO_PROXY"),
		CertFile: a.getenv("SSL_CERT_FILE"), CertDir: a.getenv("SSL_CERT_DIR"),
	}
}

func (a *app) readMaterial(path string) (helpers.Material, error) {
	in := a.stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return helpers.Material{}, &helpers.Failure{Reason: helpers.BadMaterial, Cause: err,
				Text: "the file " + path + " cannot be opened", Hint: "check its path and its permissions"}
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, 2*helpers.MaxSecret+1))
	if err != nil {
		return helpers.Material{}, &helpers.Failure{Reason: helpers.BadMaterial, Cause: err, Text: "the material cannot be read"}
	}
	return helpers.ParseMaterial(data)
}
