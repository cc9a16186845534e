package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/spf13/cobra"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/provider"
)

// The exit codes that check has beside those of every command.
const (
	exitRefused     = 4
	exitUnreachable = 5
)

// maxAsked is how many registries are asked at once.
const maxAsked = 8

// A verdict is what check found out about a reference. Its JSON is part of the command's interface.
type verdict struct {
	Reference string `json:"reference"`
	Registry  string `json:"registry,omitempty"`
	Type      string `json:"type,omitempty"`
	// Credential is have, none or failed.
	Credential provider.Outcome `json:"credential"`
	Source     string           `json:"source,omitempty"`
	ExpiresAt  *time.Time       `json:"expires_at,omitempty"`
	// Answer is what the registry said; it is empty when it was not asked because the credential failed.
	Answer answer `json:"answer,omitempty"`
	// Public tells that the image can be had without a credential, as far as that was tried.
	Public bool           `json:"public,omitempty"`
	Reason helpers.Reason `json:"reason,omitempty"`
	Error  string         `json:"error,omitempty"`
	Hint   string         `json:"hint,omitempty"`
}

func newCheckCommand(a *app) *cobra.Command {
	var material materialFlag
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check REFERENCE...",
		Short: "Ask the registry whether it accepts the credential for an image",
		Long: `check takes the credential for each image the way a worker does, asks the registry for
the image's manifest, and says what came of it. Nothing is downloaded.

` + aboutMaterial + `

Exit codes:
  0  every image can be pulled, with its credential or without one
  1  a credential could not be had
  2  the command line is wrong
  3  there is no credential for a registry that wants one
  4  a registry refuses the credential, or has no such image for it
  5  a registry cannot be reached or is out of order
Of several the first in the order 1, 5, 4, 3 counts.`,
		Example: `  beta9-credentials check ghcr.io/acme/app:1 123456789012.dkr.ecr.us-east-1.amazonaws.com/app:1
  beta9-credentials check --material secret.json --json registry.example.com/acme/app:1`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError("%s takes at least one image; see %s --help", cmd.CommandPath(), cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := a.worker(material)
			if err != nil {
				return err
			}
			defer w.Close()
			verdicts, err := judge(cmd.Context(), w, args)
			if err != nil {
				return err
			}
			if asJSON {
				err = a.printJSON(verdicts)
			} else {
				err = a.printVerdicts(verdicts)
			}
			if err != nil {
				return err
			}
			return codeOf(verdicts)
		},
	}
	material.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// judge asks for all the images, several at once, and returns the verdicts in the order of the references.
func judge(ctx context.Context, w worker, references []string) ([]verdict, error) {
	parsed := make([]helpers.Reference, len(references))
	for i, s := range references {
		ref, err := helpers.ParseReference(s)
		if err != nil {
			return nil, usageError("%q: %w", withoutUser(s), err)
		}
		parsed[i] = ref
	}
	verdicts := make([]verdict, len(references))
	show, end := w.app.progress("asking registries")
	var mu sync.Mutex
	done := 0
	show(done, len(parsed))
	slots := make(chan struct{}, maxAsked)
	var wait sync.WaitGroup
	for i, ref := range parsed {
		wait.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			verdicts[i] = verdictOn(ctx, w, ref)
			mu.Lock()
			defer mu.Unlock()
			done++
			show(done, len(parsed))
		})
	}
	wait.Wait()
	end()
	if ctx.Err() != nil {
		return nil, interrupted("")
	}
	return verdicts, nil
}

// verdictOn looks the credential of an image up and asks the registry.
func verdictOn(ctx context.Context, w worker, ref helpers.Reference) verdict {
	ctx, cancel := context.WithTimeout(ctx, checkDeadline)
	defer cancel()
	found, err := w.Preflight(ctx, ref.String())
	v := verdict{Reference: ref.String(), Registry: ref.Registry().Identity(), Type: found.Type, Credential: found.Outcome, Source: found.Source}
	if err != nil {
		v.blame(err)
		return v
	}
	if !found.ExpiresAt.IsZero() {
		v.ExpiresAt = &found.ExpiresAt
	}
	q := question{ref: ref, typ: found.Type}
	if found.Outcome == provider.Have {
		v.Answer, err = q.withCredential(ctx, w.Provider)
	} else {
		v.Answer, err = q.ask(ctx, authn.Anonymous)
		v.Public = v.Answer == accepted
	}
	if err != nil {
		v.blame(err)
	}
	if v.Answer == unauthorized && found.Outcome == provider.Have {
		// Some registries refuse a bad credential even for an image that everybody may pull.
		if anonymous, _ := q.ask(ctx, authn.Anonymous); anonymous == accepted {
			v.Public, v.Hint = true, "everybody may pull this image: remove the credential, or put it right"
		}
	}
	return v
}

func (v *verdict) blame(err error) {
	v.Reason, v.Error, v.Hint = helpers.ReasonOf(err), err.Error(), hintOf(err)
}

// codeOf returns the error that makes the exit code.
func codeOf(verdicts []verdict) error {
	// In the order in which they count, the last one first.
	rank := []int{exitOK, exitNone, exitRefused, exitUnreachable, exitFailed}
	worst := 0
	for _, v := range verdicts {
		r := 0
		switch {
		case v.Credential == provider.Failed:
			r = 4
		case v.Answer == unreachable:
			r = 3
		case v.Answer == accepted:
		case v.Credential == provider.None:
			r = 1
		default:
			r = 2
		}
		worst = max(worst, r)
	}
	if worst == 0 {
		return nil
	}
	return &exitError{code: rank[worst]}
}

func (a *app) printVerdicts(verdicts []verdict) error {
	paint := a.style().paint
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join([]string{"IMAGE", "TYPE", "CREDENTIAL", "EXPIRES", paint(bold, "REGISTRY SAYS")}, "\t"))
	for _, v := range verdicts {
		credential := v.Source
		if v.Credential != provider.Have {
			credential = string(v.Credential)
		}
		expires := "-"
		if v.ExpiresAt != nil {
			expires = v.ExpiresAt.Local().Format(time.DateTime)
		}
		code, says := red, string(v.Answer)
		switch {
		case v.Answer == "":
			says = "not asked"
		case v.Answer == accepted && v.Public:
			code, says = green, "public"
		case v.Answer == accepted:
			code = green
		case v.Public:
			says += ", but public"
		}
		fmt.Fprintln(w, strings.Join([]string{v.Reference, dash(v.Type), dash(credential), expires, paint(code, says)}, "\t"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, v := range verdicts {
		if v.Error != "" {
			fmt.Fprintf(a.stderr, "error: %s: %s\n", v.Reference, helpers.Printable(v.Error))
		}
		if v.Hint != "" {
			a.hint(v.Hint)
		}
	}
	return nil
}
