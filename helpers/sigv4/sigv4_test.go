package sigv4_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"pgregory.net/rapid"

	"github.com/beam-cloud/docker-credential-beta9/helpers/sigv4"
)

// example is the identity of AWS's published examples.
var example = sigv4.Keys{ID: "AKIDEXAMPLE", Secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}

// The request and its signature are the first of AWS's published test suite for Signature Version 4.
func TestSignsAsPublished(t *testing.T) {
	t.Parallel()
	r, err := http.NewRequest(http.MethodGet, "https://example.amazonaws.com/", nil)
	if err != nil {
		t.Fatal(err)
	}
	sigv4.Sign(r, nil, example, "service", "us-east-1", time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC))
	const want = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, " +
		"SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
	if got := r.Header.Get("Authorization"); got != want {
		t.Errorf("signed as\n%s\nand not as\n%s", got, want)
	}
}

func TestSignsAgainForAnotherTime(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600))
	sign := func(times ...time.Time) string {
		r, err := http.NewRequest(http.MethodPost, "https://sts.eu-west-1.amazonaws.com/", nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range times {
			sigv4.Sign(r, []byte("x"), example, "sts", "eu-west-1", at)
		}
		return r.Header.Get("Authorization")
	}
	if sign(at, at.Add(time.Hour)) != sign(at.Add(time.Hour)) {
		t.Error("a signature depends on the one before it")
	}
	if sign(at) == sign(at.Add(time.Hour)) {
		t.Error("a signature does not depend on the time")
	}
}

// AWS's own signer says what is right for any request.
func TestSignsAsTheSDK(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := func(name, pattern string) string { return rapid.StringMatching(pattern).Draw(t, name) }
		url := text("scheme", `https?`) + "://" + text("host", `[a-z]{1,8}(\.[a-z0-9-]{1,8}){1,3}(:(80|443|[1-9][0-9]{1,3}))?`) +
			text("path", `(/[A-Za-z0-9._~-]{1,5}(%20|%2F|%C3%A9|[:=+@,])?){0,4}/?`)
		if q := text("query", `([A-Za-z]{1,2}=[A-Za-z0-9~_-]{0,4}(%2B|%20|\+|%C3%A9)?&){0,4}`); q != "" {
			url += "?" + strings.TrimSuffix(q, "&")
		}
		k := sigv4.Keys{
			ID: text("id", `A[A-Z0-9]{3,19}`), Secret: text("secret", `[A-Za-z0-9/+]{1,40}`), Session: text("session", `([A-Za-z0-9/+=]{1,80})?`),
		}
		method := rapid.SampledFrom([]string{"GET", "POST", "PUT"}).Draw(t, "method")
		body := []byte(text("body", `.{0,40}`))
		at := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "at"), 0)
		names := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{
			"Content-Type", "X-Amz-Target", "Accept", "X-Goog-Cloud-Target-Resource",
		}), 0, 4, rapid.ID).Draw(t, "names")
		header := http.Header{}
		for _, name := range names {
			header[name] = rapid.SliceOfN(rapid.StringMatching(`[a-z/.0-9-]{1,9}(  ?[a-z]{1,4})? ?`), 1, 2).Draw(t, name)
		}
		ours, err := http.NewRequest(method, url, nil)
		if err != nil {
			t.Skip("not a URL")
		}
		theirs := ours.Clone(t.Context())
		ours.Header, theirs.Header = header.Clone(), header.Clone()

		sigv4.Sign(ours, body, k, "ecr", "us-east-1", at)
		digest := sha256.Sum256(body)
		keys := aws.Credentials{AccessKeyID: k.ID, SecretAccessKey: k.Secret, SessionToken: k.Session}
		if err := v4.NewSigner().SignHTTP(t.Context(), keys, theirs, hex.EncodeToString(digest[:]), "ecr", "us-east-1", at); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"Authorization", "X-Amz-Date", "X-Amz-Security-Token"} {
			if got, want := ours.Header.Get(name), theirs.Header.Get(name); got != want {
				t.Fatalf("%s %s: %s is\n%s\nand not\n%s", method, url, name, got, want)
			}
		}
	})
}
