package gcr

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

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
		return s.tokenFor(ctx, u.url, form, basic(u.clientID, u.clientSecret), explainUser)
	}
	form.Set("client_id", u.clientID)
	form.Set("client_secret", u.clientSecret)
	return s.tokenFor(ctx, u.url, form, nil, explainUser)
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

// basic shows who the client is in a header (RFC 6749, section 2.3.1).
func basic(id, secret string) http.Header {
	return http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))}}
}
