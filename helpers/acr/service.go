package acr

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/helpers/jwt"
	"github.com/beam-cloud/docker-credential-beta9/helpers/upstream"
)

const (
	// resource is what Entra's tokens are asked for: registries, and not all of Azure's management, which registries may
	// refuse and a thief would prefer.
	resource = "https://containerregistry.azure.net"
	scope    = resource + "/.default"

	// leastLife is how long a registry's token has to be valid still to be taken: a pull wants at least this long to
	// begin.
	leastLife = 10 * time.Second

	// year2200 is later than any token can mean; a year of five digits cannot be written down for a caller.
	year2200 = 7258118400
)

// An identity is somebody whom Entra gives tokens.
type identity interface {
	token(ctx context.Context, s *service) (entraToken, error)
}

// entraToken is a token of Entra's, with the tenant of its owner.
type entraToken struct{ value, tenant string }

// service calls Entra and the registries, and for the machine's own identity what stands around the machine.
type service struct {
	client *upstream.Client // over https, by the proxies of the environment
	near   *upstream.Client // directly, over http when the address is the machine's own; for its own identity only
	now    func() time.Time
}

// exchange gets a token of Entra's and has the registry exchange it
// (https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md).
func (s *service) exchange(ctx context.Context, r helpers.Registry, id identity) (helpers.Credential, error) {
	if _, err := cloudOf(r); err != nil {
		return helpers.Credential{}, err
	}
	entra, err := id.token(ctx, s)
	if err != nil {
		return helpers.Credential{}, err
	}
	form := url.Values{"grant_type": {"access_token"}, "service": {r.Host()}, "access_token": {entra.value}}
	if entra.tenant != "" {
		form.Set("tenant", entra.tenant)
	}
	a, err := s.postForm(ctx, "the registry", "https://"+r.Host()+"/oauth2/exchange", form)
	if err != nil {
		return helpers.Credential{}, err
	}
	if !a.OK() {
		return helpers.Credential{}, exchangeRefusal(r, a)
	}
	return s.readToken(a)
}

func (s *service) postForm(ctx context.Context, what, address string, form url.Values) (upstream.Answer, error) {
	return s.client.Do(ctx, upstream.Request{
		Service: what, Method: http.MethodPost, URL: address, Body: []byte(form.Encode()),
		Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
	})
}

// readToken reads the registry's token and when it expires.
func (s *service) readToken(a upstream.Answer) (helpers.Credential, error) {
	var body struct {
		RefreshToken string `json:"refresh_token"`
	}
	if err := a.JSON(&body); err != nil {
		return helpers.Credential{}, err
	}
	expires, ok := expiry(body.RefreshToken)
	if !ok {
		return helpers.Credential{}, helpers.Fail(helpers.BadAnswer, a.Service()+" answered without a token that says when it expires", "")
	}
	// By the clock of this machine, which may be off: what counts is how long the token lives from now.
	if theirs, err := http.ParseTime(a.Header.Get("Date")); err == nil {
		expires = s.now().Add(expires.Sub(theirs))
	}
	if expires.Sub(s.now()) < leastLife {
		return helpers.Credential{}, helpers.Fail(helpers.Unavailable, a.Service()+" handed out a token that is about to expire",
			"try again in a few seconds")
	}
	return helpers.NewCredential(username, body.RefreshToken, expires), nil
}

// expiry reads when a registry's token expires, and reports false for what is no such token.
func expiry(token string) (time.Time, bool) {
	var claims struct {
		Expires int64 `json:"exp"`
	}
	if !visible(token) || jwt.ReadClaims(token, &claims) != nil || claims.Expires <= 0 || claims.Expires >= year2200 {
		return time.Time{}, false
	}
	return time.Unix(claims.Expires, 0), true
}

// visible tells whether a token has the characters that tokens have: RFC 6749, appendix A.12.
func visible(token string) bool {
	for i := range len(token) {
		if c := token[i]; c <= ' ' || c > '~' {
			return false
		}
	}
	return token != ""
}

// exchangeRefusal reads the status alone: registries say little else.
func exchangeRefusal(r helpers.Registry, a upstream.Answer) error {
	switch a.Status {
	case http.StatusUnauthorized:
		return helpers.Fail(helpers.AccessDenied, r.Host()+" does not let this identity in",
			"give it the role AcrPull on the registry, and see that the registry is of the same tenant")
	case http.StatusForbidden:
		return helpers.Fail(helpers.AccessDenied, r.Host()+" does not let this machine in", "see the network rules of the registry")
	case http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed:
		return helpers.Fail(helpers.BadAnswer, r.Host()+" does not exchange the token", "see the name of the registry")
	}
	return a.Failure()
}
