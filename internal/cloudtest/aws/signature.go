package aws

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// authorizationForm is the header of Signature Version 4.
var authorizationForm = regexp.MustCompile(
	`^AWS4-HMAC-SHA256 Credential=([A-Z0-9]+)/(\d{8})/([a-z0-9-]+)/([a-z-]+)/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})$`)

// regionOf finds the region in the real name of a service.
var regionOf = regexp.MustCompile(`^(?:api\.)?(?:ecr|ecr-fips|ecr-public|sts|sts-fips)\.([a-z]+(?:-[a-z]+)+-\d+)\.`)

// skew is how far a request's clock may be off.
const skew = 5 * time.Minute

// verify signs the request again with the secret that belongs to the key id, over the headers that were signed, and
// compares. It returns the keys and the region, or the code of a refusal.
func (c *Cloud) verify(r *http.Request, service string) (Keys, string, string) {
	m := authorizationForm.FindStringSubmatch(r.Header.Get("Authorization"))
	if m == nil {
		return Keys{}, "", "MissingAuthenticationToken"
	}
	c.mu.Lock()
	keys, ok := c.keys[m[1]]
	c.mu.Unlock()
	if !ok || r.Header.Get("X-Amz-Security-Token") != keys.Session {
		return Keys{}, "", "UnrecognizedClientException"
	}
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil || c.Now().Sub(at).Abs() > skew || m[2] != at.Format("20060102") {
		return Keys{}, "", "InvalidSignatureException"
	}
	if !keys.Expires.IsZero() && c.Now().After(keys.Expires) {
		return Keys{}, "", "ExpiredTokenException"
	}
	signed := strings.Split(m[5], ";")
	for _, need := range []string{"content-type", "host", "x-amz-date", "x-amz-security-token", "x-amz-target"} {
		if r.Header.Get(need) != "" && !contains(signed, need) {
			return Keys{}, "", "IncompleteSignature"
		}
	}
	again, err := c.sign(r, keys, signed, service, m[3], at)
	if err != nil || again != r.Header.Get("Authorization") {
		return Keys{}, "", "InvalidSignatureException"
	}
	if host := regionOf.FindStringSubmatch(r.Host); m[4] != service || host != nil && host[1] != m[3] {
		return Keys{}, "", "InvalidSignatureException"
	}
	return keys, m[3], ""
}

func (c *Cloud) sign(r *http.Request, keys Keys, signed []string, service, region string, at time.Time) (string, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return "", err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	again, err := http.NewRequestWithContext(r.Context(), r.Method, "https://"+r.Host+r.URL.RequestURI(), nil)
	if err != nil {
		return "", err
	}
	for _, name := range signed {
		switch name {
		case "host", "x-amz-date", "x-amz-security-token": // the signer's own
		case "content-length":
			again.ContentLength = r.ContentLength
		default:
			again.Header[http.CanonicalHeaderKey(name)] = r.Header.Values(name)
		}
	}
	sum := sha256.Sum256(body)
	err = v4.NewSigner().SignHTTP(r.Context(),
		sdk.Credentials{AccessKeyID: keys.ID, SecretAccessKey: keys.Secret, SessionToken: keys.Session},
		again, hex.EncodeToString(sum[:]), service, region, at)
	return again.Header.Get("Authorization"), err
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}
