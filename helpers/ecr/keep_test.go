package ecr

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

func TestKeep(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	password := func(json string) string { return base64.StdEncoding.EncodeToString([]byte(json)) }
	live := password(`{"payload":"x","datakey":"y","version":"2","type":"DATA_KEY","expiration":1700040000}`)
	tests := []struct {
		name, user, secret string
		material           bool
		expires            int64 // of a credential that is kept
	}{
		{name: "a user's keys", user: "AKIAIOSFODNN7EXAMPLE", secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", material: true},
		{name: "a user's keys with a line end", user: "AKIAIOSFODNN7EXAMPLE", secret: "wJalrXUtnFEMI\n"},
		{name: "a session's keys", user: "ASIAIOSFODNN7EXAMPLE", secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"},
		{name: "what begins like a key", user: "AKIA", secret: "x"},
		{name: "what has small letters", user: "AKIAiosfodnn7example", secret: "x"},
		{name: "a token", user: "AWS", secret: live, expires: 1700040000},
		{name: "a token with its end now", user: "AWS", secret: password(`{"expiration":1700000000}`)},
		{name: "a token whose end is past", user: "AWS", secret: password(`{"expiration":1600000000}`)},
		{name: "a token without an end", user: "AWS", secret: password(`{"payload":"x"}`)},
		{name: "a token with an odd end", user: "AWS", secret: password(`{"expiration":"soon"}`)},
		{name: "a token with an end far off", user: "AWS", secret: password(`{"expiration":1e300}`)},
		{name: "a token of another form", user: "AWS", secret: "not-a-secret"},
		{name: "somebody", user: "somebody", secret: "not-a-secret"},
		{name: "an identity token", user: "<token>", secret: "not-a-secret"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l, err := helpers.NewLogin("https://"+plainHost, test.user, test.secret)
			if err != nil {
				t.Fatal(err)
			}
			var heard log
			kept := Keep(heard.context(t.Context()), l, now)
			if !kept.Material.IsZero() != test.material || !kept.Credential.IsZero() != (test.expires != 0) {
				t.Fatalf("kept material: %v, a credential: %v", !kept.Material.IsZero(), !kept.Credential.IsZero())
			}
			if kept.IsZero() != (len(heard.hints) == 1) || strings.Contains(strings.Join(heard.hints, ""), test.secret) {
				t.Errorf("said %q", heard.hints)
			}
			if m := kept.Material; test.material && (m.Value(accessKeyID) != test.user || m.Value(secretAccessKey) != test.secret ||
				m.Registry() != registry(t, plainHost)) {
				t.Error("the material is not that of the login")
			}
			if c := kept.Credential; test.expires != 0 &&
				(c.Username() != "AWS" || c.Secret() != test.secret || c.ExpiresAt().Unix() != test.expires) {
				t.Errorf("the credential is for %q until %v", c.Username(), c.ExpiresAt())
			}
		})
	}
}
