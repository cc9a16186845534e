package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
)

func newImageCommand(a *app) *cobra.Command {
	var flag storeFlag
	cmd := &cobra.Command{
		Use:   "image",
		Short: "Say which registries an image needs",
		Long: `image looks after which references have to be pulled for an image of a workspace, so that a
worker that mounts the image gets the secrets of these registries and of no other.

` + aboutStores,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	flag.add(cmd)
	cmd.AddCommand(newImageAttachCommand(a, &flag), newImageShowCommand(a, &flag), newImageDetachCommand(a, &flag))
	return cmd
}

func newImageAttachCommand(a *app, flag *storeFlag) *cobra.Command {
	var workspace string
	var stdin, check, asJSON bool
	cmd := &cobra.Command{
		Use:   "attach --workspace W IMAGE REFERENCE...",
		Short: "Attach the references of an image, with the secrets that they need",
		Long: `attach is what a build calls. For the registry of each reference it looks whether the
environment holds what the registry needs, and stores it as a secret of the workspace;
then it attaches the references to the image, all or nothing. A registry for which the
environment holds nothing keeps the secret that is stored for it. When no reference has
a secret, the image is public as far as can be told, and nothing is done; only what was
attached to it before is replaced. What is printed for a reference is whether its secret
was stored, changed or kept, or that it is public.

With --check it first asks each registry whether it accepts the credential for the
image, or, where there is none, whether everybody may pull it, and does nothing when one
does not. When somebody else removes or replaces a secret meanwhile that is to be kept,
attach begins anew, and after some attempts gives up.`,
		Example: `  GITHUB_TOKEN=... beta9-credentials image attach --workspace w1 3f2a9c1e ghcr.io/acme/app:1
  beta9-credentials image attach --workspace w1 3f2a9c1e ghcr.io/acme/app:1 --stdin --check < environment.json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 2 {
				return usageError("%s takes an image and its references; see %s --help", cmd.CommandPath(), cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			getenv, err := a.buildEnvironment(stdin)
			if err != nil {
				return err
			}
			t := attachment{app: a, workspace: workspace, getenv: getenv, accepted: make(map[helpers.Reference][sha256.Size]byte)}
			if err := t.parse(args[0], args[1:]); err != nil {
				return err
			}
			return a.workspace(cmd.Context(), cmd, *flag, workspace, func(ctx context.Context, s workspaceStore) error {
				t.store = s
				if err := t.attach(ctx, check); err != nil {
					return err
				}
				return t.print(asJSON)
			})
		},
	}
	workspaceFlag(cmd, &workspace)
	cmd.Flags().BoolVar(&stdin, "stdin", false, `read the variables as JSON from stdin, {"KEY":"VALUE",...}, and none from the environment`)
	cmd.Flags().BoolVar(&check, "check", false, "ask each registry whether it accepts the credential")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func newImageShowCommand(a *app, flag *storeFlag) *cobra.Command {
	var workspace string
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "show --workspace W IMAGE",
		Short:   "Show the references of an image and the secrets that serve them",
		Long:    "show tells for each reference of an image which secret serves it now: kept stands for one that\nis stored, and public for none.",
		Example: "  beta9-credentials image show --workspace w1 3f2a9c1e",
		Args:    exactly(1, "one image"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.inWorkspace(cmd, flag.mustBeThere(), workspace, func(ctx context.Context, s workspaceStore) error {
				image, err := s.Image(ctx, workspace, args[0])
				if helpers.IsNotFound(err) {
					return nothingAttached(workspace, args[0])
				}
				if err != nil {
					return err
				}
				t := attachment{app: a, store: s, workspace: workspace, image: image, getenv: func(string) string { return "" }}
				stored, err := t.stored(ctx)
				if err == nil {
					_, _, err = t.plan(stored)
				}
				if err != nil && !errors.Is(err, secrets.ErrSealed) {
					return err
				}
				return errors.Join(t.print(asJSON), err)
			})
		},
	}
	workspaceFlag(cmd, &workspace)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func nothingAttached(workspace, image string) error {
	return withHint(&exitError{exitNone, fmt.Errorf("the image %s of workspace %s has no references attached", image, workspace)},
		"see that the workspace and the image are named rightly: image attach attaches references, and an image that is public needs none")
}

func newImageDetachCommand(a *app, flag *storeFlag) *cobra.Command {
	var workspace string
	cmd := &cobra.Command{
		Use:     "detach --workspace W IMAGE",
		Short:   "Take the references of an image away",
		Long:    "detach takes the references of an image away, so that the image gets no secret any more. The\nsecrets stay.",
		Example: "  beta9-credentials image detach --workspace w1 3f2a9c1e",
		Args:    exactly(1, "one image"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.inWorkspace(cmd, flag.mustBeThere(), workspace, func(ctx context.Context, s workspaceStore) error {
				_, seen := s.Image(ctx, workspace, args[0])
				if seen != nil && !helpers.IsNotFound(seen) {
					return seen
				}
				// In Beta9's tables an image may have a secret noted without references: that goes in any case.
				if err := s.Attach(ctx, secrets.Image{Workspace: workspace, ID: args[0]}); err != nil {
					return err
				}
				if seen != nil {
					return nothingAttached(workspace, args[0])
				}
				fmt.Fprintf(a.stdout, "Detached the image %s.\n", args[0])
				return nil
			})
		},
	}
	workspaceFlag(cmd, &workspace)
	return cmd
}
