package main

import (
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
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

// provider makes the provider that a worker would have, with the identity of this machine, or with the material alone.
func (a *app) provider(f materialFlag) (*provider.Provider, error) {
	folder, err := a.folder()
	if err != nil {
		return nil, err
	}
	o := provider.Options{Folder: folder, MapFile: a.environment().MapFile()}
	if len(f.files) == 0 {
		o.Policy, o.Environ = provider.Ambient, a.environ
		return provider.New(o)
	}
	var materials provider.Materials
	for _, path := range f.files {
		m, err := a.readMaterial(path)
		if err != nil {
			return nil, err
		}
		materials = append(materials, m)
	}
	o.Source, o.Network = materials, a.network()
	return provider.New(o)
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
