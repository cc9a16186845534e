package gcr

import (
	"context"
	"crypto/rsa"
	"net/http"
	"net/url"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/helpers/jwt"
	"github.com/beam-cloud/docker-credential-beta9/helpers/upstream"
)

const (
	// assertionLife is the longest that Google takes.
	assertionLife = time.Hour
	// assertionLead is how far an assertion is dated back, for clocks that are a little ahead of Google's.
	assertionLead = 10 * time.Second
)

// serviceAccount shows that it has the private key (https://developers.google.com/identity/protocols/oauth2/service-account#httprest).
type serviceAccount struct{ name, email, keyID, key string }

func newServiceAccount(name string, f keyFile) (identity, error) {
	switch {
	case f.ClientEmail == "":
		return nil, lacks(name, "client_email")
	case f.PrivateKey == "":
		return nil, lacks(name, "private_key")
	}
	return &serviceAccount{name, f.ClientEmail, f.PrivateKeyID, f.PrivateKey}, nil
}

func (a *serviceAccount) token(ctx context.Context, s *service) (helpers.Credential, error) {
	key, err := jwt.ParseKey([]byte(a.key))
	if err != nil {
		return helpers.Credential{}, helpers.Fail(helpers.BadMaterial, "the private_key of "+a.name+" cannot be used: "+err.Error(),
			"give the JSON as it was downloaded")
	}
	asked := s.now()
	answer, err := a.ask(ctx, s, key, asked)
	if err != nil {
		return helpers.Credential{}, err
	}
	// A machine whose clock is off cannot set it right by itself: the assertion is made once more, by Google's clock.
	if theirs, err := http.ParseTime(answer.Header.Get("Date")); err == nil && !answer.OK() && readError(answer).aboutTime() {
		if answer, err = a.ask(ctx, s, key, theirs); err != nil {
			return helpers.Credential{}, err
		}
	}
	if !answer.OK() {
		return helpers.Credential{}, refusal(answer, explainServiceAccount)
	}
	return s.readToken(answer, asked)
}

// ask sends an assertion that is good from the time on.
func (a *serviceAccount) ask(ctx context.Context, s *service, key *rsa.PrivateKey, from time.Time) (upstream.Answer, error) {
	header := jwt.Header{}
	if a.keyID != "" {
		header["kid"] = a.keyID
	}
	issued := from.Add(-assertionLead)
	assertion, err := jwt.Sign(jwt.RS256, header, map[string]any{
		"iss": a.email, "scope": scope, "aud": tokenURL, "iat": issued.Unix(), "exp": issued.Add(assertionLife).Unix(),
	}, key)
	if err != nil {
		return upstream.Answer{}, helpers.Fail(helpers.BadMaterial, "the private_key of "+a.name+" cannot sign", "")
	}
	return s.postForm(ctx, tokenURL, url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion},
	}, nil)
}

// aboutTime tells whether an assertion was refused for its time.
func (e oauthError) aboutTime() bool {
	return e.code == "invalid_grant" && (e.says("reasonable timeframe") || e.says("short-lived token"))
}

func explainServiceAccount(e oauthError) *helpers.Failure {
	if e.code != "invalid_grant" {
		return nil
	}
	switch {
	case e.aboutTime():
		return helpers.Fail(helpers.AccessDenied, "Google does not accept the time of this machine", "set the clock of this machine")
	case e.says("account not found"):
		return helpers.Fail(helpers.ExpiredIdentity, "the service account is gone, disabled, or has lost this key",
			"make a new key with: gcloud iam service-accounts keys create")
	}
	return helpers.Fail(helpers.ExpiredIdentity, "Google does not accept the key of the service account any more",
		"make a new key with: gcloud iam service-accounts keys create")
}
