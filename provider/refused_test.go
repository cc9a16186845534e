//go:build unix

package provider

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

const (
	ecrHost   = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
	ecrDenied = `{"errors":[{"code":"DENIED","message":"User: x is not authorized to perform: ecr:BatchGetImage"}]}`
	ecrEnded  = `{"errors":[{"code":"DENIED","message":"Your authorization token has expired. Reauthenticate and try again."}]}`
)

// keys is material for a registry on ECR.
func keys(t *testing.T) helpers.Material {
	t.Helper()
	row, _ := helpers.TypeNamed("ecr")
	m, err := helpers.NewMaterial(row, registry(t, ecrHost), map[string]string{
		"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
	})
	must(t, err)
	return m
}

func TestRefused(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		host   string
		status int
		body   string
		after  time.Duration // of the credential's twelve hours
		want   bool
	}{
		"a 401":                          {here, 401, "", 0, true},
		"a 401 of ECR":                   {ecrHost, 401, "", 0, true},
		"a 403 for an expired token":     {ecrHost, 403, ecrEnded, 0, true},
		"the same as an error's text":    {ecrHost, 403, "DENIED: Your authorization token has expired. Reauthenticate and try again.", 0, true},
		"a 403 early in a token's life":  {ecrHost, 403, ecrDenied, 5 * time.Hour, false},
		"a 403 late in a token's life":   {ecrHost, 403, ecrDenied, 7 * time.Hour, true},
		"a 403 without a body":           {ecrHost, 403, "", 0, false},
		"a body that goes on and on":     {ecrHost, 403, strings.Repeat("x", maxRefusal) + ecrEnded, 0, false},
		"a 403 of another registry":      {here, 403, ecrEnded, 0, false},
		"a late 403 of another registry": {here, 403, "", 11 * time.Hour, false},
		"a 404":                          {ecrHost, 404, ecrEnded, 0, false},
		"a 429":                          {ecrHost, 429, ecrEnded, 0, false},
		"a 500":                          {here, 500, "", 0, false},
		"no answer":                      {here, 0, "", 0, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFolder(t, "honest")
			f.write("life", "12h")
			c := newClock(f)
			p := f.provider(Options{Source: Materials{keys(t), material(t, here, "swordfish")}, Now: c.Now})
			config, err := p.GetCredentials(t.Context(), tt.host, "")
			must(t, err)
			c.Advance(tt.after)
			if got := p.Refused(tt.host, *config, tt.status, []byte(tt.body)); got != tt.want {
				t.Errorf("again: %t, want %t", got, tt.want)
			}
			secretOf(t, p, tt.host, "")
			want := 1
			if tt.want {
				want = 2
			}
			f.wantRuns(want)
		})
	}
}

// However many callers were refused with a secret, the registry is invalidated once. They all are to try again, with
// the next one.
func TestRefusedOnceForASecret(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "honest")
	p := f.provider(Options{Source: Materials{keys(t)}})
	refused := func(config authn.AuthConfig) bool {
		return p.Refused("https://"+strings.ToUpper(ecrHost)+"/v2/", config, http.StatusForbidden, []byte(ecrEnded))
	}
	first, err := p.GetCredentials(t.Context(), ecrHost, "")
	must(t, err)
	var wait sync.WaitGroup
	for range 64 {
		wait.Go(func() {
			if !refused(*first) {
				t.Error("one of many was told that it is of no use")
			}
			config, err := p.GetCredentials(t.Context(), ecrHost, "")
			if err != nil || config.Password == "" {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	f.wantRuns(2)
	second, err := p.GetCredentials(t.Context(), ecrHost, "")
	must(t, err)
	if !refused(*second) {
		t.Error("the next secret is refused, and it is said to be of no use to try again")
	}
	if third := secretOf(t, p, ecrHost, ""); third == second.Password {
		t.Error("the secret that was refused is given out again")
	}
	f.wantRuns(3)
}

// A secret that stays the same when it is asked for again is refused for good.
func TestRefusedForGood(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "identity")
	p := f.provider(Options{Source: Materials{material(t, here, "x")}})
	config, err := p.GetCredentials(t.Context(), here, "")
	must(t, err)
	if !p.Refused(here, *config, http.StatusUnauthorized, nil) {
		t.Error("the first refusal is final")
	}
	for range 3 {
		if config, err = p.GetCredentials(t.Context(), here, ""); err != nil || config.IdentityToken != "identity-token" {
			t.Fatal(err)
		}
		if p.Refused(here, *config, http.StatusUnauthorized, nil) {
			t.Error("the same secret once more is worth another try")
		}
	}
	f.wantRuns(2)

	for name, again := range map[string]bool{
		"nothing":   p.Refused(here, authn.AuthConfig{}, http.StatusUnauthorized, nil),
		"no host":   p.Refused("", *config, http.StatusUnauthorized, nil),
		"a newline": p.Refused(here+"\n", *config, http.StatusUnauthorized, nil),
	} {
		if again {
			t.Errorf("%s is worth another try", name)
		}
	}
}

func TestRefusedIsBounded(t *testing.T) {
	t.Parallel()
	var ts tokens
	for i := range 3 * maxTokens {
		ts.refuse(here, strings.Repeat("x", i))
	}
	if n := len(ts.refused); n > maxTokens {
		t.Errorf("%d secrets are remembered", n)
	}
}
