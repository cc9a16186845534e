package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
	"github.com/beam-cloud/docker-credential-beta9/secrets/beta9"
)

func newSecretCommand(a *app) *cobra.Command {
	var flag storeFlag
	cmd := &cobra.Command{
		Use:   "secret",
		Short: "Store and look at the secrets of a workspace",
		Long: `secret looks after what a workspace needs to log in to registries. Each secret is bound to
one registry, or to a part of one, and is never used for another. Values are never shown
and never taken from the command line.

` + aboutStores,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	flag.add(cmd)
	cmd.AddCommand(newSecretPutCommand(a, &flag), newSecretListCommand(a, &flag), newSecretShowCommand(a, &flag), newSecretRemoveCommand(a, &flag))
	return cmd
}

// workspaceFlag adds the flag that says whose secrets or images a command is about.
func workspaceFlag(cmd *cobra.Command, workspace *string) {
	cmd.Flags().StringVar(workspace, "workspace", "", "the workspace; in Beta9's database its external id")
}

// inWorkspace opens the store for a command about a workspace, all of which has one deadline.
func (a *app) inWorkspace(cmd *cobra.Command, flag storeFlag, workspace string, do func(context.Context, workspaceStore) error) error {
	return a.within(cmd.Context(), func(ctx context.Context) error { return a.workspace(ctx, cmd, flag, workspace, do) })
}

// workspace is inWorkspace for a command that does more than ask the store.
func (a *app) workspace(ctx context.Context, cmd *cobra.Command, flag storeFlag, workspace string, do func(context.Context, workspaceStore) error) (err error) {
	if workspace == "" {
		return usageError("%s needs a workspace: add --workspace", cmd.CommandPath())
	}
	if err := secrets.CheckName("workspace", workspace); err != nil {
		return err
	}
	s, err := a.open(ctx, flag)
	if err != nil {
		return flag.typed(err)
	}
	defer func() { a.shut(ctx, s, err) }()
	err = do(ctx, s)
	if helpers.IsNotFound(err) {
		err = &exitError{exitNone, err}
		if _, ok := s.(*beta9.Store); ok {
			err = withHint(err, "see that the workspace and the image are named rightly: Beta9 makes them, and this command does not")
		}
	}
	return flag.typed(err)
}

func newSecretPutCommand(a *app, flag *storeFlag) *cobra.Command {
	var workspace, registry string
	var env []string
	cmd := &cobra.Command{
		Use:   "put --workspace W --registry HOST[/SCOPE] [--env KEY,...]",
		Short: "Store the secret of a registry",
		Long: `put stores what a workspace needs to log in to a registry, or to the repositories below a
scope of it, and replaces what was stored for the same before.

The values come from environment variables of this command, which --env names, or as
JSON on stdin: {"KEY":"VALUE",...}, or a whole secret as Beta9 has them. Which keys a
registry needs follows from its host; when one is missing, put says which.`,
		Example: `  beta9-credentials secret put --workspace w1 --registry ghcr.io/acme --env GITHUB_TOKEN
  beta9-credentials secret put --workspace w1 --registry registry.example.com < secret.json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 { // which may be the secret itself
				return usageError("%s takes no argument: name the variables that hold the values with --env, or write JSON to stdin", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if registry == "" {
				return usageError("%s needs a registry: add --registry HOST[/SCOPE]", cmd.CommandPath())
			}
			r, t, err := a.lookup(registry)
			if err == nil {
				err = checkScope(r, registry)
			}
			if err != nil {
				return err
			}
			m, err := a.material(r, t, env)
			if err != nil {
				return err
			}
			return a.inWorkspace(cmd, *flag, workspace, func(ctx context.Context, s workspaceStore) error {
				return a.put(ctx, s, workspace, m)
			})
		},
	}
	workspaceFlag(cmd, &workspace)
	cmd.Flags().StringVar(&registry, "registry", "", "host[:port] of the registry, with /scope for a part of it")
	cmd.Flags().StringSliceVar(&env, "env", nil, "environment variables that hold the values, separated by commas")
	return cmd
}

// material reads what is to be stored. A person who names a registry binds the values to it: no variable has to name it
// again.
func (a *app) material(r helpers.Registry, t helpers.Type, env []string) (helpers.Material, error) {
	if len(env) == 0 {
		if isTerminal(a.stdin) {
			return helpers.Material{}, usageError("nothing to store: name environment variables with --env, or write JSON to stdin")
		}
		data, err := io.ReadAll(io.LimitReader(a.stdin, 2*helpers.MaxSecret+1))
		if err != nil {
			return helpers.Material{}, fmt.Errorf("the secret cannot be read from stdin: %w", err)
		}
		m, err := secrets.ParseBlob(data, r)
		if err == nil && r.Scope() != "" {
			if m.Scope() != "" && m.Scope() != r.Scope() {
				return m, helpers.Fail(helpers.WrongHost, "the secret is bound to another scope than "+r.String(),
					"leave the scope out of --registry to store it for its own")
			}
			m = m.WithScope(r.Scope())
		}
		if err != nil && hintOf(err) == "" {
			err = withHint(err, `write {"KEY":"VALUE",...} with the keys of `+t.Name+` registries, or a whole secret as Beta9 has them`)
		}
		return m, err
	}
	values := make(map[string]string, len(env))
	for _, key := range env {
		name, _, valued := strings.Cut(key, "=")
		if !slices.ContainsFunc(helpers.Types(), func(t helpers.Type) bool { return takes(t, name) }) {
			name = "what --env names" // which may be the value itself
		}
		if valued {
			return helpers.Material{}, withHint(usageError("%s stands on the command line with a value, which other users of this machine can see", name),
				"set the variable, and name it alone: --env KEY")
		}
		if !takes(t, key) {
			return helpers.Material{}, withHint(usageError("%s is not a key of %s registries, of which %s is one", name, t.Name, r.Identity()),
				"see that the host is right: it alone says which keys a registry takes")
		}
		if values[key] = a.getenv(key); values[key] == "" {
			return helpers.Material{}, helpers.Fail(helpers.BadMaterial, "the variable "+key+" is not set", "set it, or leave it out of --env")
		}
	}
	m, err := helpers.NewMaterial(t, r, values)
	return m.WithScope(r.Scope()), err
}

// takes tells whether a key is one of the type's.
func takes(t helpers.Type, key string) bool {
	return slices.ContainsFunc(t.Keys, func(k helpers.KeySet) bool {
		return k.Secret == key || slices.Contains(k.Needs, key) || slices.Contains(k.Takes, key)
	})
}

func (a *app) put(ctx context.Context, s workspaceStore, workspace string, m helpers.Material) error {
	next, err := secrets.New(workspace, m)
	if err != nil {
		return err
	}
	seen, err := s.Get(ctx, workspace, next.Name)
	switch {
	case err == nil && seen.Material.Fingerprint() == m.Fingerprint():
		fmt.Fprintf(a.stdout, "The secret %s of %s holds this already, in version %d.\n", seen.Name, seen.Registry(), seen.Version)
		return nil
	case err != nil && !helpers.IsNotFound(err) && !errors.Is(err, secrets.ErrSealed):
		return err
	}
	next.Version = seen.Version
	done, err := s.Put(ctx, next)
	if err == nil {
		fmt.Fprintf(a.stdout, "Stored the secret %s of %s, version %d.\n", done.Name, done.Registry(), done.Version)
	}
	return err
}

// find has do look for the secret of a registry, or of a name, and says what to do when the workspace has none.
func (f storeFlag) find(workspace, text string, do func(name string) error) error {
	name, shown, err := secretName(text)
	if err != nil {
		return err
	}
	if err = do(name); helpers.IsNotFound(err) {
		return withHint(&exitError{exitNone, fmt.Errorf("the workspace %s has no secret of %s", workspace, shown)},
			"see what it has: "+f.command("secret", "list", "--workspace", workspace))
	}
	return err
}

// secretName returns the name of the secret that a person named by its registry, or by its name, and which of the two to
// show.
func secretName(text string) (name, shown string, err error) {
	if strings.HasPrefix(text, secrets.NamePrefix) || strings.HasPrefix(text, beta9.OldPrefix) {
		return text, text, nil
	}
	r, err := parseRegistry(text)
	if err != nil {
		return "", "", err
	}
	return secrets.Name(r, r.Scope()), r.String(), checkScope(r, text)
}

// withoutUser returns what was typed without what may be a user and a password in front of the host, or a value behind the
// name of a variable.
func withoutUser(text string) string {
	end := len(text)
	for _, digest := range []string{"@sha256:", "@sha512:"} {
		if i := strings.LastIndex(text, digest); i >= 0 {
			end = i
		}
	}
	if i := strings.LastIndexByte(text[:end], '@'); i >= 0 {
		text = omitted + text[i:]
	}
	if name, _, ok := strings.Cut(text, "="); ok {
		text = name + "=" + omitted
	}
	return text
}

// omitted stands in the place of what is not shown.
const omitted = "..."

// checkScope refuses a registry whose scope cannot be one. Elsewhere such a path counts as none, but what is bound to
// a part of a registry must not become the whole registry's.
func checkScope(r helpers.Registry, text string) error {
	if _, rest, ok := strings.Cut(text, "://"); ok {
		text = rest
	}
	_, path, _ := strings.Cut(strings.TrimLeft(text, "/"), "/")
	path = strings.Trim(path, "/")
	if path == "" || path == "v1" || path == "v2" || r.Scope() != "" {
		return nil
	}
	return usageError("what follows %s is not a scope: a scope is a repository or the first parts of one, in lower case", r.Identity())
}

func newSecretRemoveCommand(a *app, flag *storeFlag) *cobra.Command {
	var workspace string
	cmd := &cobra.Command{
		Use:   "rm --workspace W HOST[/SCOPE]|NAME",
		Short: "Remove a secret",
		Long: `rm removes a secret, named by its registry or by its own name, oci-creds-..., which is all that
is known of one that does not open. Images that need it stay attached: they are without it
until it is stored again.`,
		Example: "  beta9-credentials secret rm --workspace w1 ghcr.io/acme",
		Args:    exactly(1, "one registry, with its scope, or the name of a secret"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.inWorkspace(cmd, flag.mustBeThere(), workspace, func(ctx context.Context, s workspaceStore) error {
				return flag.find(workspace, args[0], func(name string) error { return a.remove(ctx, s, workspace, name) })
			})
		},
	}
	workspaceFlag(cmd, &workspace)
	return cmd
}

// remove removes a secret. It is not found, either, when somebody else removes it meanwhile.
func (a *app) remove(ctx context.Context, s workspaceStore, workspace, name string) error {
	found, err := s.Get(ctx, workspace, name)
	if err != nil && !errors.Is(err, secrets.ErrSealed) {
		return err
	}
	if err := s.Delete(ctx, workspace, found.Name, found.Version); err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "Removed the secret %s.\n", found.Name)
	return nil
}
