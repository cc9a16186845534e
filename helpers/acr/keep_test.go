package acr

import (
	"strings"
	"testing"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/helpers/jwt"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest"
)

func TestKeep(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	token := func(claims map[string]any) string {
		s, err := jwt.Sign(jwt.RS256, nil, claims, cloudtest.Key(t, 0))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	valid, over := token(map[string]any{"exp": now.Unix() + 60}), token(map[string]any{"exp": now.Unix()})
	for name, c := range map[string]struct {
		username, secret string
		kept             bool
		expires          time.Time
		advice           string
	}{
		"token pair":              {"puller", "not-a-secret", true, time.Time{}, ""},
		"application":             {client, value, true, time.Time{}, ""},
		"az acr login":            {username, valid, true, now.Add(time.Minute), ""},
		"identity token":          {helpers.IdentityToken, valid, true, now.Add(time.Minute), ""},
		"expired":                 {username, over, false, time.Time{}, "run az acr login again"},
		"no expiry":               {username, token(map[string]any{"aud": "canary"}), false, time.Time{}, "says when it expires"},
		"a year of five digits":   {username, token(map[string]any{"exp": 9_000_000_000_000_000_000}), false, time.Time{}, "says when it expires"},
		"no token":                {username, "canary", false, time.Time{}, "says when it expires"},
		"a token of two lines":    {username, valid + "\n", false, time.Time{}, "says when it expires"},
		"no token as an identity": {helpers.IdentityToken, "canary", false, time.Time{}, "says when it expires"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			advice := ""
			ctx := helpers.WithTrace(t.Context(), helpers.Trace{
				Advice: func(text string) { advice += text }, Hint: func(text string) { t.Errorf("a hint: %s", text) },
			})
			l, err := helpers.NewLogin(host, c.username, c.secret)
			if err != nil {
				t.Fatal(err)
			}
			kept := Keep(ctx, l, now)
			if kept.IsZero() == c.kept {
				t.Errorf("kept: %v, want %v", !kept.IsZero(), c.kept)
			}
			if !strings.Contains(advice, c.advice) || (advice == "") != (c.advice == "") || strings.Contains(advice, "canary") {
				t.Errorf("advice %q, want it to say %q", advice, c.advice)
			}
			if !c.kept {
				return
			}
			got := kept.Credential
			if !kept.Material.IsZero() {
				if got, err = New(helpers.Machine{Getenv: func(string) string { return "" }}).Exchange(t.Context(), registry(t, host), kept.Material); err != nil {
					t.Fatal(err)
				}
			}
			if got.Username() != c.username || got.Secret() != c.secret || !got.ExpiresAt().Equal(c.expires) {
				t.Errorf("got %q until %v, want %q until %v", got.Username(), got.ExpiresAt(), c.username, c.expires)
			}
		})
	}
}
