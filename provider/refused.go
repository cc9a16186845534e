package provider

import (
	"bytes"
	"crypto/sha256"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// expiredECR stands in what Amazon ECR answers to a token that has expired: a 403, where other registries say 401. See
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/common-errors-docker.html.
const expiredECR = "authorization token has expired"

// maxRefusal is how much of a registry's answer is looked at, in bytes.
const maxRefusal = 4 << 10

// Refused tells the provider that a registry, in any spelling, has refused a credential of it: which one, the status of
// the answer, and the answer's body or as much of it as the caller has. It reports whether the next look-up may bring a
// credential that is accepted, so that the caller should try once more. That is so after a 401, and on Amazon ECR after
// a 403 that says that the token has expired or that comes in the second half of its life. The registry is then
// invalidated as by [Provider.Invalidate], but for each secret once, however many callers were refused with it: there is no
// use in asking for a secret again that is still the same. Any other refusal is final.
func (p *Provider) Refused(registry string, config authn.AuthConfig, status int, body []byte) (again bool) {
	secret := config.Password
	if config.IdentityToken != "" {
		secret = config.IdentityToken
	}
	r, err := helpers.ParseServerURL(registry)
	if err != nil || secret == "" || !p.mayHaveEnded(r, secret, status, body) {
		return false
	}
	p.refusing.Lock() // whoever is told to try again finds the registry invalidated
	defer p.refusing.Unlock()
	first, current := p.tokens.refuse(r.Identity(), secret)
	if first {
		p.Invalidate(registry)
	}
	return first || !current
}

// mayHaveEnded tells whether a refusal can mean that the secret is no longer good, and not that it never was for this.
func (p *Provider) mayHaveEnded(r helpers.Registry, secret string, status int, body []byte) bool {
	switch status {
	case http.StatusUnauthorized:
		return true
	case http.StatusForbidden:
		t, _ := p.registries.Lookup(r)
		return t.Name == "ecr" && (bytes.Contains(body[:min(len(body), maxRefusal)], []byte(expiredECR)) ||
			p.tokens.old(r.Identity(), secret, p.now()))
	}
	return false
}

// refuse notes that a secret was refused. The first result tells that this is new, the second that it is still the one
// that is given out.
func (ts *tokens) refuse(identity, secret string) (first, current bool) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	_, current = ts.given(identity, secret)
	sum := sha256.Sum256([]byte(identity + "\x00" + secret)) // no identity has a zero byte
	if ts.refused[sum] {
		return false, current
	}
	if ts.refused == nil || len(ts.refused) >= maxTokens {
		ts.refused = make(map[[sha256.Size]byte]bool)
	}
	ts.refused[sum] = true
	return true, current
}

// old tells whether a secret that is given out is in the second half of its life.
func (ts *tokens) old(identity, secret string, now time.Time) bool {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t, ok := ts.given(identity, secret)
	if !ok || t.credential.ExpiresAt().IsZero() {
		return false
	}
	got := time.Unix(0, t.life.wallFrom)
	return now.Sub(got) > t.credential.ExpiresAt().Sub(got)/2
}

// given returns the token with this secret. It is called with mu held.
func (ts *tokens) given(identity, secret string) (token, bool) {
	for k, t := range ts.kept {
		if k.identity == identity && t.err == nil && t.credential.Secret() == secret {
			return t, true
		}
	}
	return token{}, false
}
