package gcr

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/helpers/jwt"
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
	header := jwt.Header{}
	if a.keyID != "" {
		header["kid"] = a.keyID
	}
	issued := s.now().Add(-assertionLead)
	assertion, err := jwt.Sign(jwt.RS256, header, map[string]any{
		"iss": a.email, "scope": scope, "aud": tokenURL, "iat": issued.Unix(), "exp": issued.Add(assertionLife).Unix(),
	}, key)
	if err != nil {
		return helpers.Credential{}, helpers.Fail(helpers.BadMaterial, "the private_key of "+a.name+" cannot sign", "")
	}
	return s.postForm(ctx, tokenURL, url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion},
	}, nil, explainServiceAccount)
}

func explainServiceAccount(e oauthError) *helpers.Failure {
	if e.code != "invalid_grant" {
		return nil
	}
	switch {
	case e.says("reasonable timeframe"), e.says("short-lived token"):
		return helpers.Fail(helpers.AccessDenied, "Google does not accept the time of this machine", "set the clock of this machine")
	case e.says("account not found"):
		return helpers.Fail(helpers.ExpiredIdentity, "the service account is gone, disabled, or has lost this key",
			"make a new key with: gcloud iam service-accounts keys create")
	}
	return helpers.Fail(helpers.ExpiredIdentity, "Google does not accept the key of the service account any more",
		"make a new key with: gcloud iam service-accounts keys create")
}

// user is the login of a person (RFC 6749, section 6), or of somebody of a workforce, at another address.
type user struct{ url, clientID, clientSecret, refreshToken string }

func newUser(name string, f keyFile, url string) (identity, error) {
	switch {
	case f.RefreshToken == "":
		return nil, lacks(name, "refresh_token")
	case f.ClientID == "":
		return nil, lacks(name, "client_id")
	case f.ClientSecret == "":
		return nil, lacks(name, "client_secret")
	}
	return &user{url, f.ClientID, f.ClientSecret, f.RefreshToken}, nil
}

func (u *user) token(ctx context.Context, s *service) (helpers.Credential, error) {
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {u.refreshToken}}
	if u.url == workforceURL {
		return s.postForm(ctx, u.url, form, basic(u.clientID, u.clientSecret), explainUser)
	}
	form.Set("client_id", u.clientID)
	form.Set("client_secret", u.clientSecret)
	return s.postForm(ctx, u.url, form, nil, explainUser)
}

func explainUser(e oauthError) *helpers.Failure {
	const hint = "log in again with: gcloud auth application-default login"
	switch {
	case e.code != "invalid_grant":
		return nil
	case e.subtype == "invalid_rapt", e.subtype == "rapt_required", e.says("invalid_rapt"):
		return helpers.Fail(helpers.LoginRequired, "Google asks the person behind this login to show up again", hint)
	}
	return helpers.Fail(helpers.ExpiredIdentity, "the login was revoked or has expired", hint)
}

var errNoMetadata = errors.New("no metadata server of Google's")
