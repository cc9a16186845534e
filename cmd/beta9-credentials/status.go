package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/clientconfig"
)

// A state is what is known of one registry. Its JSON is part of the command's interface.
type state struct {
	Registry string `json:"registry"`
	Type     string `json:"type,omitempty"`
	// Outcome is have, none or failed.
	Outcome   string         `json:"outcome"`
	Source    string         `json:"source,omitempty"`
	User      string         `json:"user,omitempty"`
	ExpiresAt *time.Time     `json:"expires_at,omitempty"`
	Reason    helpers.Reason `json:"reason,omitempty"`
	Error     string         `json:"error,omitempty"`
	Hint      string         `json:"hint,omitempty"`
	// Clients are the clients that are configured to ask for this registry.
	Clients []string `json:"clients,omitempty"`
}

func newStatusCommand(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status [REGISTRY...]",
		Short: "Show which credentials there are and where they come from",
		Long: `status asks the helpers for the credential of each registry, as a client would, and
shows where it comes from. A secret is never shown. For the cloud types this may
call the cloud's token service.

Without a registry it takes those that are configured for docker or podman and those
that have a stored login. With registries it exits 3 when one of them has no
credential.`,
		Example: `  beta9-credentials status
  beta9-credentials status ghcr.io --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			states, unlisted, err := a.states(cmd.Context(), args)
			if err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(a.stdout)
				enc.SetIndent("", "  ")
				enc.SetEscapeHTML(false)
				err = enc.Encode(states)
			} else {
				err = a.table(states, unlisted == nil)
			}
			if err == nil {
				err = unlisted
			}
			if err != nil {
				return err
			}
			return exitFor(states, len(args) > 0)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// exitFor returns the error that makes the exit code: failures first, then, if registries were asked for, none.
func exitFor(states []state, asked bool) error {
	code := exitOK
	for _, s := range states {
		switch {
		case s.Outcome == "failed":
			return &exitError{code: exitFailed}
		case s.Outcome == "none" && asked:
			code = exitNone
		}
	}
	if code == exitOK {
		return nil
	}
	return &exitError{code: code}
}

// states asks for the credential of each registry, in the order of their names. Where none are named, unlisted says why
// there may be more than those.
func (a *app) states(ctx context.Context, names []string) (states []state, unlisted, err error) {
	askers, unread := a.configured()
	asked := len(names) > 0
	switch {
	case !asked:
		names, unlisted = a.known(ctx, askers)
		unlisted = cmp.Or(unlisted, unread)
	case unread != nil: // says less of the clients, and nothing else
		a.hint(unread.Error())
	}
	states = make([]state, 0, len(names))
	seen := map[string]bool{}
	for _, name := range names {
		r, t, err := a.lookup(name)
		if err != nil && helpers.ReasonOf(err) != helpers.WrongHost {
			return nil, nil, err
		}
		if seen[r.Identity()] {
			continue
		}
		seen[r.Identity()] = true
		s := state{Registry: r.Identity(), Type: t.Name, Outcome: "none"}
		for _, k := range askers {
			if k.asks(r.Identity()) {
				s.Clients = append(s.Clients, k.name)
			}
		}
		if err == nil {
			s.fill(a.get(ctx, r, t))
			if asked && s.Outcome == "none" {
				s.Hint = wayIn(r, t)
			}
		}
		states = append(states, s)
	}
	slices.SortFunc(states, func(x, y state) int { return strings.Compare(x.Registry, y.Registry) })
	return states, unlisted, nil
}

// wayIn says how a registry without a credential gets one.
func wayIn(r helpers.Registry, t helpers.Type) string {
	login := "log in with docker login " + r.Identity() + " or beta9-credentials login " + r.Identity() + " -u USER"
	if variables := variablesOf(r, t); variables != "" {
		return login + ", or set " + variables
	}
	return login
}

// variablesOf names the variables by which a registry gets a credential, or nothing.
func variablesOf(r helpers.Registry, t helpers.Type) string {
	for _, k := range t.Keys {
		if len(k.Hosts) > 0 || k.Bound {
			continue
		}
		var variables []string
		if k.HostKey != "" {
			variables = append(variables, k.HostKey+"="+r.Identity())
		}
		return strings.Join(append(append(variables, k.Needs...), k.Secret), " and ")
	}
	return ""
}

func (s *state) fill(c helpers.Credential, err error) {
	switch {
	case helpers.IsNotFound(err):
	case err != nil:
		s.Outcome, s.Reason, s.Error, s.Hint = "failed", helpers.ReasonOf(err), err.Error(), hintOf(err)
	default:
		s.Outcome, s.Source, s.User = "have", c.Source(), shownUser(c.Username(), c.Secret())
		if at := c.ExpiresAt(); !at.IsZero() {
			s.ExpiresAt = &at
		}
	}
}

// An asker is a client and which registries it asks our helpers for.
type asker struct {
	name string
	// ours tells, for each registry that a helper is named for, whether it is ours.
	ours map[string]bool
	// rest tells whether it asks ours for every other registry, by credsStore.
	rest bool
}

func (k asker) asks(registry string) bool {
	ours, named := k.ours[registry]
	return ours || k.rest && !named
}

// configured returns the clients as they are configured. The error is that of the first file that cannot be read.
func (a *app) configured() ([]asker, error) {
	var askers []asker
	var unread error
	for _, client := range clientconfig.Clients() {
		path, err := client.Path(a.getenv)
		if err != nil {
			continue // without a home there is no configuration
		}
		entries, err := clientconfig.Configured(path)
		if err != nil {
			unread = cmp.Or(unread, err)
			continue
		}
		k := asker{name: client.Name, ours: map[string]bool{}, rest: client.Stores && isOurs(entries[""])}
		delete(entries, "")
		for key, helper := range entries {
			if r, err := helpers.ParseServerURL(key); err == nil {
				k.ours[r.Identity()] = k.ours[r.Identity()] || isOurs(helper)
			}
		}
		askers = append(askers, k)
	}
	return askers, unread
}

// isOurs tells whether what a configuration calls a helper is one of ours.
func isOurs(helper string) bool { return helper == "beta9" || strings.HasPrefix(helper, "beta9-") }

// known returns the registries that are configured or have a stored login. The error is that of the first helper that
// could not tell all that are stored.
func (a *app) known(ctx context.Context, askers []asker) ([]string, error) {
	var names []string
	var unlisted error
	for _, k := range askers {
		for name, ours := range k.ours {
			if ours {
				names = append(names, name)
			}
		}
	}
	for _, t := range helpers.Types() {
		listed, err := a.list(ctx, t)
		names = append(names, listed...)
		if unlisted == nil && err != nil {
			unlisted = &helpers.Failure{Reason: helpers.ReasonOf(err), Cause: err,
				Text: "not every stored login is listed: " + err.Error(),
				Hint: cmp.Or(hintOf(err), "name a registry to see what can be done about it: beta9-credentials status REGISTRY")}
		}
	}
	return names, unlisted
}

// table prints the states for a person; where there is no terminal, as columns without marks.
// Nothing at all is said to be nothing only where that is known.
func (a *app) table(states []state, sure bool) error {
	if len(states) == 0 && !sure {
		return nil
	}
	if len(states) == 0 {
		fmt.Fprintln(a.stdout, "No registry is configured and no login is stored.")
		a.hint("run beta9-credentials configure docker, then docker login")
		return nil
	}
	paint := a.style().paint
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	// Every cell of a column carries the same marks, so that the columns stay in line.
	fmt.Fprintln(w, strings.Join([]string{"REGISTRY", "TYPE", paint(bold, "CREDENTIAL"), "USER", "EXPIRES", "CLIENTS"}, "\t"))
	for _, s := range states {
		code, credential := grey, s.Outcome
		switch s.Outcome {
		case "have":
			code, credential = green, s.Source
		case "failed":
			code, credential = red, string(s.Reason)
		}
		expires := "-"
		if s.ExpiresAt != nil {
			expires = s.ExpiresAt.Local().Format(time.DateTime)
		}
		fmt.Fprintln(w, strings.Join([]string{
			s.Registry, dash(s.Type), paint(code, credential), dash(helpers.Printable(s.User)), expires,
			dash(strings.Join(s.Clients, ",")),
		}, "\t"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, s := range states {
		if s.Error != "" {
			fmt.Fprintf(a.stderr, "error: %s: %s\n", s.Registry, helpers.Printable(s.Error))
		}
		if s.Hint != "" {
			a.hint(s.Hint)
		}
	}
	return nil
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
