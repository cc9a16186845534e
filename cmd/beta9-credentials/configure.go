package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/clientconfig"
	"github.com/beam-cloud/docker-credential-beta9/internal/folders"
)

// usual are the registries that are configured when none is named: the ones whose names are the same for everybody.
var usual = []string{"docker.io", "gcr.io", "ghcr.io", "nvcr.io"}

type configureFlags struct {
	file                             string
	store, remove, overwrite, dryRun bool
}

func newConfigureCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "configure docker|podman [REGISTRY...]",
		Short: "Make docker or podman call the helpers",
		Long: `configure names this project's helpers in the configuration of a client:

  docker   docker, BuildKit, crane, regctl, oras, helm
           ($DOCKER_CONFIG/config.json or ~/.docker/config.json)
  podman   podman, skopeo, buildah
           ($REGISTRY_AUTH_FILE or ~/.config/containers/auth.json)

Without a registry it takes docker.io, gcr.io, ghcr.io and nvcr.io. With --creds-store
docker calls one helper for every registry.

Everything else in the file stays as it is. What was changed is noted, and
--remove takes exactly that back.`,
		Example: `  beta9-credentials configure docker
  beta9-credentials configure docker ghcr.io registry.example.com:5000
  beta9-credentials configure docker --creds-store
  beta9-credentials configure podman --dry-run
  beta9-credentials configure docker --remove`,
	}
	for _, client := range clientconfig.Clients() {
		cmd.AddCommand(newConfigureClientCommand(a, client))
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usageError("which client is to be configured: docker or podman? see %s --help", cmd.CommandPath())
		}
		return usageError("%q is not a client that can be configured: docker and podman are", args[0])
	}
	cmd.RunE = func(*cobra.Command, []string) error { return nil }
	return cmd
}

func newConfigureClientCommand(a *app, client clientconfig.Client) *cobra.Command {
	var flags configureFlags
	cmd := &cobra.Command{
		Use:     client.Name + " [REGISTRY...]",
		Short:   "Make " + client.Name + " call the helpers",
		Example: "  beta9-credentials configure " + client.Name + " ghcr.io --dry-run",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			plan, err := a.plan(client, flags, args)
			if err != nil {
				return err
			}
			change := plan.Set
			if flags.remove {
				change = plan.Unset
			}
			result, err := change(cmd.Context())
			if err != nil {
				return err
			}
			return a.showChange(client, plan, flags, result)
		},
	}
	cmd.Flags().StringVar(&flags.file, "file", "", "configuration file, in the place of "+client.Name+"'s own")
	cmd.Flags().BoolVar(&flags.remove, "remove", false, "take back what was configured")
	cmd.Flags().BoolVar(&flags.overwrite, "overwrite", false, "replace other helpers")
	cmd.Flags().BoolVar(&flags.dryRun, "dry-run", false, "show the difference and change nothing")
	if client.Stores {
		cmd.Flags().BoolVar(&flags.store, "creds-store", false, "set one helper for all registries")
	}
	return cmd
}

// plan makes the plan that the flags and arguments stand for.
func (a *app) plan(client clientconfig.Client, flags configureFlags, registries []string) (clientconfig.Plan, error) {
	plan := clientconfig.Plan{File: flags.file, Overwrite: flags.overwrite, DryRun: flags.dryRun}
	var err error
	if plan.File == "" {
		if plan.File, err = client.Path(a.getenv); err != nil {
			return plan, withHint(err, "set HOME, or name the file with --file")
		}
	}
	if plan.Journal, err = folders.New(a.getenv).Config(); err != nil {
		return plan, err
	}
	if flags.store {
		if len(registries) > 0 {
			return plan, usageError("--creds-store is for all registries: name none, or leave it out")
		}
		plan.Store = "beta9"
		return plan, nil
	}
	if len(registries) == 0 && !flags.remove {
		registries = usual
	}
	plan.Helpers = map[string]string{}
	for _, name := range registries {
		r, t, err := a.lookup(name)
		if err != nil {
			return plan, err
		}
		for _, key := range r.ConfigKeys() {
			plan.Helpers[key] = strings.TrimPrefix(t.Executable(), "docker-credential-")
		}
	}
	return plan, nil
}

// showChange tells what was done, and what a person has to know about it.
func (a *app) showChange(client clientconfig.Client, plan clientconfig.Plan, flags configureFlags, result clientconfig.Result) error {
	switch {
	case !result.Changed():
		fmt.Fprintf(a.stdout, "%s needs no change.\n", helpers.Printable(result.File))
	case flags.dryRun:
		fmt.Fprintf(a.stdout, "%s", diff.Diff(result.File, result.ShownBefore, result.File+" (new)", result.ShownAfter))
		return nil
	case result.Removed:
		fmt.Fprintf(a.stdout, "Removed %s, which held nothing else.\n", helpers.Printable(result.File))
	default:
		fmt.Fprintf(a.stdout, "Changed %s.\n", helpers.Printable(result.File))
	}
	if flags.remove {
		return nil
	}
	if result.Changed() {
		for _, key := range slices.Sorted(maps.Keys(plan.Helpers)) {
			fmt.Fprintf(a.stdout, "  %s: docker-credential-%s\n", key, plan.Helpers[key])
		}
		if plan.Store != "" {
			fmt.Fprintf(a.stdout, "  every other registry: docker-credential-%s\n", plan.Store)
		}
	}
	for _, key := range result.Shadowed {
		a.hint(fmt.Sprintf("the login for %s in this file is not looked at any more: log in again, so that the helper has it", key))
	}
	if client.Name == clientconfig.Podman.Name && a.getenv("REGISTRY_AUTH_FILE") == "" {
		a.hint("podman login writes to another file and in clear: log in with beta9-credentials login, or set REGISTRY_AUTH_FILE=" + result.File)
	}
	names := slices.Sorted(maps.Values(plan.Helpers))
	if plan.Store != "" {
		names = append(names, plan.Store)
	}
	for _, name := range slices.Compact(names) {
		if !a.lookPath("docker-credential-" + name) {
			folder, _ := a.folder()
			a.hint(fmt.Sprintf("%s looks for docker-credential-%s on PATH and does not find it there: add %s to PATH", client.Name, name, folder))
			break
		}
	}
	return nil
}

// lookPath tells whether a program is on the PATH of this command's environment.
func (a *app) lookPath(name string) bool {
	for _, folder := range filepath.SplitList(a.getenv("PATH")) {
		if info, err := os.Stat(filepath.Join(folder, name+executableSuffix)); err == nil && info.Mode().IsRegular() {
			return true
		}
	}
	return false
}
