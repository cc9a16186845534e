package filetest

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
)

func TestFindsACanaryInEveryForm(t *testing.T) {
	const canary = "not-a-secret-canary"
	for before := range 4 {
		for after := range 4 {
			text := strings.Repeat("x", before) + canary + strings.Repeat("y", after)
			for name, haystack := range map[string]string{
				"in clear":                       text,
				"in hexadecimal digits":          "{" + strings.ToUpper(hex.EncodeToString([]byte(text))),
				"in base64":                      base64.StdEncoding.EncodeToString([]byte(text)),
				"in base64, without its padding": base64.RawURLEncoding.EncodeToString([]byte(text)),
			} {
				if got := find([]byte(haystack), canary); got == "" || !strings.HasPrefix(name, got) {
					t.Errorf("%d bytes before, %d after, %s: found %q", before, after, name, got)
				}
			}
		}
	}
	if got := find([]byte("not-a-secret, canary"), canary); got != "" {
		t.Errorf("found %s what is not there", got)
	}
}
