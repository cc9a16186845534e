package gcr

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest/google"
)

func TestKeep(t *testing.T) {
	t.Parallel()
	cloud, proxy := newCloud(t)
	key := cloud.ServiceAccount(t, puller, 0)
	encoded := base64.StdEncoding.EncodeToString([]byte(key))
	for name, c := range map[string]struct {
		username, secret string
		kept             bool
		advice           string
	}{
		"key":                         {"_json_key", key, true, ""},
		"key in base64":               {"_json_key_base64", encoded, true, ""},
		"key in base64, in lines":     {"_json_key_base64", encoded[:76] + "\n" + encoded[76:] + "\n", true, ""},
		"base64 under the other user": {"_json_key", encoded, false, "give the content"},
		"no base64":                   {"_json_key_base64", "{canary}", false, "is not base64"},
		"access token":                {"oauth2accesstoken", "ya29.canary", false, "ends within the hour"},
		"federation":                  {"_json_key", `{"type":"external_account"}`, false, "refused in a secret"},
		"somebody":                    {"canary@example.com", "canary", false, "know the users"},
		"identity token":              {helpers.IdentityToken, "canary", false, "know the users"},
	} {
		t.Run(name, func(t *testing.T) {
			advice := ""
			ctx := helpers.WithTrace(t.Context(), helpers.Trace{
				Advice: func(text string) { advice += text }, Hint: func(text string) { t.Errorf("a hint: %s", text) },
			})
			l, err := helpers.NewLogin(host, c.username, c.secret)
			if err != nil {
				t.Fatal(err)
			}
			kept := Keep(ctx, l, time.Now())
			if kept.IsZero() == c.kept {
				t.Errorf("kept: %v, want %v", !kept.IsZero(), c.kept)
			}
			if !strings.Contains(advice, c.advice) || (advice == "") != (c.advice == "") || strings.Contains(advice, "canary") {
				t.Errorf("advice %q, want it to say %q", advice, c.advice)
			}
			if !c.kept {
				return
			}
			got, err := New(helpers.Machine{Getenv: proxy.Getenv}).Exchange(t.Context(), registry(t, host), kept.Material)
			if who, ok := cloud.Principal(got.Secret()); err != nil || !ok || who != puller {
				t.Errorf("what was kept makes a token of %q, %v", who, err)
			}
		})
	}
	if cloud.Count(google.OAuth2) != 3 {
		t.Errorf("%d calls, want one for each login that was kept", cloud.Count(google.OAuth2))
	}
}
