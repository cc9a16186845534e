package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/folders"
	"github.com/beam-cloud/docker-credential-beta9/internal/store"
)

func newLoginCommand(a *app) *cobra.Command {
	var username string
	var fromStdin bool
	cmd := &cobra.Command{
		Use:   "login REGISTRY -u USER [--password-stdin]",
		Short: "Store a login for a registry",
		Long: `login stores a user name and a password or token for a registry, sealed, where the
helper of the registry finds it: the same as docker login, on a machine without
docker. Whether the registry accepts the login is not asked.

The password is read from stdin, or asked for on a terminal. It is never an
argument, where other users of the machine could see it.`,
		Example: `  printf %s "$TOKEN" | beta9-credentials login ghcr.io -u octocat --password-stdin
  beta9-credentials login registry.example.com:5000 -u alice`,
		Args: exactly(1, "one registry"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, t, err := a.lookup(args[0])
			if err != nil {
				return err
			}
			if username == "" {
				return usageError("a login needs a user name: add -u USER")
			}
			secret, err := a.secret(cmd.Context(), fromStdin)
			if err != nil {
				return err
			}
			return a.login(cmd.Context(), r, t, username, secret)
		},
	}
	cmd.Flags().StringVarP(&username, "username", "u", "", "user name")
	cmd.Flags().BoolVar(&fromStdin, "password-stdin", false, "read the password or token from stdin")
	return cmd
}

func (a *app) login(ctx context.Context, r helpers.Registry, t helpers.Type, username, secret string) error {
	l, err := helpers.NewLogin(r.ServerURL(), username, secret)
	if err != nil {
		return err
	}
	result, err := a.run(ctx, t, helpers.VerbStore, helpers.AppendLogin(nil, l))
	if err != nil {
		return err
	}
	// A helper ends well also where it keeps nothing, because docker login must not fail for that.
	kept, err := store.Open(folders.New(a.getenv)).Get(ctx, t.Name, r)
	if err != nil && !helpers.IsNotFound(err) {
		return err
	}
	if err != nil || kept.Username() != username || kept.Secret() != secret {
		text := "nothing is stored: the login is of no use to " + t.Executable()
		if err == nil {
			text += ", and the one that was stored before stays"
		}
		return helpers.Fail(helpers.BadMaterial, text, strings.Join(hints(result.Stderr), "; "))
	}
	for _, hint := range hints(result.Stderr) {
		a.hint(hint)
	}
	fmt.Fprintf(a.stdout, "Stored the login of %s for %s.\n", helpers.Printable(shownUser(username, secret)), r.Identity())
	return nil
}

// shownUser returns the user name as people are shown it. Some services take the token in its place.
func shownUser(username, secret string) string {
	if username != "" && username == secret {
		return "[redacted]"
	}
	return username
}

// secret reads the password: from stdin when that was asked for, and from the terminal otherwise.
func (a *app) secret(ctx context.Context, fromStdin bool) (string, error) {
	if !fromStdin {
		f, ok := a.stdin.(*os.File)
		if !ok || !isTerminal(f) {
			return "", usageError("no terminal to ask for the password on: add --password-stdin")
		}
		fmt.Fprint(a.stderr, "Password: ")
		secret, err := readPassword(ctx, int(f.Fd()))
		fmt.Fprintln(a.stderr)
		return string(secret), err
	}
	data, err := io.ReadAll(io.LimitReader(a.stdin, helpers.MaxSecret+3))
	if err != nil {
		return "", fmt.Errorf("the password cannot be read from stdin: %w", err)
	}
	// One line end is the shell's; docker login drops it as well.
	data = bytes.TrimSuffix(bytes.TrimSuffix(data, []byte("\n")), []byte("\r"))
	return string(data), nil
}

// readPassword reads a line from a terminal that does not show it. When ctx ends first, the terminal is put back to what it
// was: the reading itself cannot be ended.
func readPassword(ctx context.Context, fd int) ([]byte, error) {
	before, err := term.GetState(fd)
	if err != nil {
		return nil, err
	}
	type line struct {
		text []byte
		err  error
	}
	read := make(chan line, 1)
	go func() {
		text, err := term.ReadPassword(fd)
		read <- line{text, err}
	}()
	select {
	case l := <-read:
		return l.text, l.err
	case <-ctx.Done():
		_ = term.Restore(fd, before) // there is nothing to be done about it
		return nil, interrupted("")
	}
}

func newLogoutCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "logout REGISTRY",
		Short: "Remove the stored login of a registry",
		Long: `logout removes what login or docker login stored for a registry, and the token that
was cached for it. It does not touch environment variables or the identity of the
machine, from which a credential may still come. Where there is no login and no token
can be cached, the exit code is 3.`,
		Example: "  beta9-credentials logout ghcr.io",
		Args:    exactly(1, "one registry"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, t, err := a.lookup(args[0])
			if err != nil {
				return err
			}
			_, kept := store.Open(folders.New(a.getenv)).Get(cmd.Context(), t.Name, r)
			if _, err := a.call(cmd.Context(), t, helpers.VerbErase, []byte(r.ServerURL())); err != nil {
				return err
			}
			switch {
			case !helpers.IsNotFound(kept): // one that cannot be opened is removed as well
				fmt.Fprintf(a.stdout, "Removed the login for %s.\n", r.Identity())
			case t.Computed:
				fmt.Fprintf(a.stdout, "There is no login for %s; tokens that were cached for it are removed.\n", r.Identity())
			default:
				return withHint(&exitError{exitNone, fmt.Errorf("there is no login for %s", r.Identity())},
					"see which there are: beta9-credentials status")
			}
			return nil
		},
	}
}
