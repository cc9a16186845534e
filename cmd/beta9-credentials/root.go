package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/serve"
)

// An app is what the subcommands share.
type app struct {
	console
	// helpersFolder is where the helpers are; empty for the folder of this command.
	helpersFolder string
}

// run carries out one command line and returns the exit code.
func run(ctx context.Context, args []string, c console) int {
	a := &app{console: c}
	root := newRootCommand(a)
	root.SetArgs(args)
	root.SetIn(c.stdin)
	root.SetOut(c.stdout)
	root.SetErr(c.stderr)
	err := root.ExecuteContext(ctx)
	// What was asked for in vain tells of a database or a disk that is out of order, and nothing is. A mount ends by being
	// interrupted: its error is about something else.
	if err != nil && ctx.Err() != nil && !c.mounted.Load() && !errors.Is(err, errInterrupted) {
		err = interrupted("")
	}
	return report(c, err)
}

func newRootCommand(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "beta9-credentials",
		Short: "Credentials for container images: configure clients, log in, see what is there",
		Long: `beta9-credentials is the command for people around the credential helpers
docker-credential-beta9-*, which docker, podman and their relatives call.

` + exitCodes,
		Example: `  beta9-credentials configure docker ghcr.io
  printf %s "$TOKEN" | beta9-credentials login ghcr.io -u octocat --password-stdin
  beta9-credentials status`,
		Version:           serve.Revision(),
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,
		Args:              noCommand,
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetVersionTemplate("{{.Name}} {{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError("%s; see %s --help", wrongFlag(err), cmd.CommandPath())
	})
	root.PersistentFlags().StringVar(&a.helpersFolder, "helpers", "", "folder of the helpers (default: the folder of this command)")
	root.AddCommand(
		newConfigureCommand(a),
		newLoginCommand(a),
		newLogoutCommand(a),
		newStatusCommand(a),
		newSecretCommand(a),
		newImageCommand(a),
		newKeyCommand(a),
		newMigrateCommand(a),
		newCheckCommand(a),
		newVersionCommand(a),
	)
	root.AddCommand(clipCommands(a)...)
	return root
}

func newVersionCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  beta9-credentials version",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cmd.Printf("%s %s\n", cmd.Root().Name(), serve.Revision())
			return nil
		},
	}
}

// wrongFlag says what is wrong with a flag, without what was typed behind its name: that may be a password.
func wrongFlag(err error) string {
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		if unknown.GetSpecifiedShortnames() != "" {
			return "unknown flag: -" + unknown.GetSpecifiedName()
		}
		return "unknown flag: --" + unknown.GetSpecifiedName()
	}
	if invalid, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return "--" + invalid.GetFlag().Name + " does not take such a value"
	}
	if without, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return "--" + without.GetFlag().Name + " needs a value"
	}
	return "a flag is malformed"
}

// noCommand, noArgs and exactly are cobra's checks with an error that says what is wrong in this command's words.
func noCommand(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError("%q is not a command of %s; see %s --help", args[0], cmd.Name(), cmd.Name())
	}
	return nil
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 { // which may be a secret
		return usageError("%s takes no argument; see %s --help", cmd.CommandPath(), cmd.CommandPath())
	}
	return nil
}

func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return usageError("%s takes %s; see %s --help", cmd.CommandPath(), what, cmd.CommandPath())
		}
		return nil
	}
}

// folder returns the absolute folder of the helpers.
func (a *app) folder() (string, error) {
	if a.helpersFolder != "" {
		return filepath.Abs(a.helpersFolder)
	}
	path, err := os.Executable()
	if err != nil {
		return "", err
	}
	path, err = filepath.EvalSymlinks(path)
	return filepath.Dir(path), err
}

// environment returns this command's own environment in the form in which the helpers' code reads it.
func (a *app) environment() serve.Process { return serve.Process{Environ: a.environ} }

// parseRegistry returns the registry that a person named. A user or a password in front of the host is refused as the one of
// a database is, see checkAddress, and not repeated: some registries take the token in the place of the user.
func parseRegistry(name string) (helpers.Registry, error) {
	if strings.HasPrefix(withoutUser(name), omitted+"@") {
		return helpers.Registry{}, usageError("what stands in front of the host of the registry, before the @, may be a password, which other users of this machine can see: leave it out")
	}
	r, err := helpers.ParseServerURL(name)
	if err != nil {
		return r, usageError("%q is not a registry: %w", withoutUser(name), err)
	}
	return r, nil
}

// lookup returns the type of a registry that a person named, with what is pinned in the map file.
func (a *app) lookup(name string) (helpers.Registry, helpers.Type, error) {
	r, err := parseRegistry(name)
	if err != nil {
		return helpers.Registry{}, helpers.Type{}, err
	}
	m, err := a.environment().Map()
	if err != nil {
		return helpers.Registry{}, helpers.Type{}, err
	}
	t, ok := m.Lookup(r)
	if !ok {
		return r, t, helpers.Fail(helpers.WrongHost, r.Identity()+" takes no credentials",
			"it serves public images only: pull without logging in")
	}
	return r, t, nil
}
