package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
)

// A secretView is what is shown of a secret. Its JSON is part of the command's interface.
type secretView struct {
	Workspace string        `json:"workspace"`
	Name      string        `json:"name"`
	Registry  string        `json:"registry"`
	Scope     helpers.Scope `json:"scope,omitempty"`
	Type      string        `json:"type"`
	Keys      []string      `json:"keys"` // their names
	Version   int64         `json:"version"`
	Created   time.Time     `json:"created_at"`
	Updated   time.Time     `json:"updated_at"`
}

func viewOf(s secrets.Secret) secretView {
	return secretView{
		Workspace: s.Workspace, Name: s.Name, Registry: s.Material.Registry().Identity(), Scope: s.Material.Scope(),
		Type: s.Material.Type(), Keys: s.Material.Keys(), Version: s.Version, Created: s.Created, Updated: s.Updated,
	}
}

// printJSON prints a value of the command's interface.
func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.stdout)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

func newSecretListCommand(a *app, flag *storeFlag) *cobra.Command {
	var workspace string
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list --workspace W",
		Short:   "List the secrets of a workspace",
		Long:    "list shows the secrets of a workspace, without their values. A record that does not open is\nnamed on stderr, and makes the exit code 1.",
		Example: "  beta9-credentials secret list --workspace w1",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.inWorkspace(cmd, flag.mustBeThere(), workspace, func(ctx context.Context, s workspaceStore) error {
				list, broken := s.List(ctx, workspace)
				if broken != nil && !errors.Is(broken, secrets.ErrSealed) {
					return broken
				}
				slices.SortStableFunc(list, func(a, b secrets.Secret) int { return strings.Compare(a.Registry().String(), b.Registry().String()) })
				return errors.Join(a.printSecrets(list, asJSON), broken)
			})
		},
	}
	workspaceFlag(cmd, &workspace)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (a *app) printSecrets(list []secrets.Secret, asJSON bool) error {
	views := make([]secretView, 0, len(list))
	for _, s := range list {
		views = append(views, viewOf(s))
	}
	if asJSON {
		return a.printJSON(views)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "REGISTRY\tTYPE\tNAME\tVERSION\tUPDATED")
	for i, v := range views {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\n", list[i].Registry(), v.Type, v.Name, v.Version, v.Updated.Format(time.RFC3339))
	}
	return w.Flush()
}

func newSecretShowCommand(a *app, flag *storeFlag) *cobra.Command {
	var workspace string
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "show --workspace W HOST[/SCOPE]|NAME",
		Short:   "Show a secret without its values",
		Long:    "show shows a secret, named by its registry or by its own name, oci-creds-..., without its values.",
		Example: "  beta9-credentials secret show --workspace w1 ghcr.io/acme",
		Args:    exactly(1, "one registry, with its scope, or the name of a secret"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.inWorkspace(cmd, flag.mustBeThere(), workspace, func(ctx context.Context, s workspaceStore) error {
				return flag.find(workspace, args[0], func(name string) error {
					found, err := s.Get(ctx, workspace, name)
					if err != nil {
						return err
					}
					if asJSON {
						return a.printJSON(viewOf(found))
					}
					return a.printSecret(found)
				})
			})
		},
	}
	workspaceFlag(cmd, &workspace)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (a *app) printSecret(s secrets.Secret) error {
	v := viewOf(s)
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	for _, line := range [][2]string{
		{"name", v.Name}, {"workspace", v.Workspace}, {"registry", v.Registry}, {"scope", string(v.Scope)}, {"type", v.Type},
		{"version", fmt.Sprint(v.Version)}, {"created", v.Created.Format(time.RFC3339)}, {"updated", v.Updated.Format(time.RFC3339)},
	} {
		if line[1] != "" {
			fmt.Fprintf(w, "%s\t%s\n", line[0], line[1])
		}
	}
	for _, key := range v.Keys {
		fmt.Fprintf(w, "%s\t[redacted]\n", key)
	}
	return w.Flush()
}
