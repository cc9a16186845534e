package gcr

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/helpers/upstream"
)

const (
	// The endpoints are constants, whatever an identity's JSON says: a key goes to Google or nowhere.
	tokenURL     = "https://oauth2.googleapis.com/token"
	stsURL       = "https://sts.googleapis.com/v1/token"
	workforceURL = "https://sts.googleapis.com/v1/oauthtoken"
	accountsURL  = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/"

	// scope is what tokens are asked for. A helper does not know whether its client pulls or pushes; Artifact Registry
	// has no narrower scope that allows both.
	scope = "https://www.googleapis.com/auth/cloud-platform"

	// leastLife is how long a token has to be valid still to be taken. The metadata server may hand out one that it is
	// about to renew, and a pull wants at least this long to begin; asking for more has broken other helpers.
	leastLife = 10 * time.Second
	// longestLife is the longest life of a token that Google offers, and so the longest that is believed.
	longestLife = 12 * time.Hour
)

// service calls Google's token services, and for the machine's own identity what stands around the machine.
type service struct {
	client *upstream.Client // over https, by the proxies of the environment
	now    func() time.Time

	// near and getenv are there for the machine's own identity only.
	near   *upstream.Client // directly, over http too when the address is this machine's or link-local
	getenv func(string) string
}

// postForm calls a token service.
func (s *service) postForm(ctx context.Context, url string, form url.Values, h http.Header) (upstream.Answer, error) {
	if h == nil {
		h = http.Header{}
	}
	h.Set("Content-Type", "application/x-www-form-urlencoded")
	return s.client.Do(ctx, upstream.Request{
		Service: "Google's token service", Method: http.MethodPost, URL: url, Header: h, Body: []byte(form.Encode()),
	})
}

// tokenFor calls a token service and returns the access token it answers with.
func (s *service) tokenFor(ctx context.Context, url string, form url.Values, h http.Header, explain explainer) (helpers.Credential, error) {
	asked := s.now()
	a, err := s.postForm(ctx, url, form, h)
	if err != nil {
		return helpers.Credential{}, err
	}
	if !a.OK() {
		return helpers.Credential{}, refusal(a, explain)
	}
	return s.readToken(a, asked)
}

// readToken reads the answer of a token service (RFC 6749, section 5.1).
func (s *service) readToken(a upstream.Answer, asked time.Time) (helpers.Credential, error) {
	var body struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int64  `json:"expires_in"`
	}
	if err := a.JSON(&body); err != nil {
		return helpers.Credential{}, err
	}
	left := time.Duration(min(body.ExpiresIn, int64(longestLife/time.Second))) * time.Second
	return s.takeToken(a, body.AccessToken, asked.Add(left))
}

// local turns a time that the service named into one by this machine's clock, which may be off. What counts is how long
// that is from now; [leastLife] is longer than the call took.
func (s *service) local(a upstream.Answer, t time.Time) time.Time {
	if theirs, err := http.ParseTime(a.Header.Get("Date")); err == nil {
		return s.now().Add(t.Sub(theirs))
	}
	return t
}

// takeToken takes a token that is valid for long enough.
func (s *service) takeToken(a upstream.Answer, token string, expires time.Time) (helpers.Credential, error) {
	if token == "" {
		return helpers.Credential{}, helpers.Fail(helpers.BadAnswer, a.Service()+" answered without an access token", "")
	}
	left := expires.Sub(s.now())
	if left > longestLife {
		expires = s.now().Add(longestLife)
	}
	if left < leastLife {
		return helpers.Credential{}, helpers.Fail(helpers.Unavailable,
			a.Service()+" handed out a token that is about to expire", "try again in a few seconds")
	}
	c, err := newCredential(a.Service(), token, expires)
	if err != nil {
		return c, helpers.Fail(helpers.BadAnswer, a.Service()+" answered with a malformed access token", "")
	}
	return c, nil
}

// oauthError is what a token service says of a refusal (RFC 6749, section 5.2, with Google's subtype). It is compared
// with what is known and never quoted.
type oauthError struct{ code, subtype, description string }

// An explainer turns the refusals that it knows into failures, and returns nil for others.
type explainer func(e oauthError) *helpers.Failure

// refusal turns an answer that is not OK into a failure.
func refusal(a upstream.Answer, explain explainer) error {
	general := a.Failure()
	if general.Reason == helpers.Throttled || general.Reason == helpers.Unavailable {
		return general
	}
	e := readError(a)
	if f := explain(e); f != nil {
		return f
	}
	switch e.code {
	case "invalid_client", "unauthorized_client", "access_denied", "disabled_client", "deleted_client", "org_internal", "admin_policy_enforced":
		return helpers.Fail(helpers.AccessDenied, "Google does not let this client have tokens", "")
	case "invalid_scope":
		return helpers.Fail(helpers.AccessDenied, "the identity may not have a token for Google Cloud",
			"log in again with: gcloud auth application-default login")
	case "invalid_grant":
		return helpers.Fail(helpers.ExpiredIdentity, "Google does not accept the identity any more", "")
	}
	if general.Reason == helpers.BadAnswer && a.Status >= 400 && e.code != "" {
		// It says that it refuses, and so it is a denial, and no garbage: a token from before is not to hide it.
		return helpers.Fail(helpers.AccessDenied, "Google refuses a token for a reason that is not known here", "see what gcloud is told")
	}
	return general
}

// readError reads what a token service says of a refusal. An object of Google's API in the place of the code leaves the
// code empty; the status says enough then.
func readError(a upstream.Answer) oauthError {
	var body struct {
		Error       json.RawMessage `json:"error"`
		Subtype     string          `json:"error_subtype"`
		Description string          `json:"error_description"`
	}
	if json.Unmarshal(a.Body, &body) != nil {
		return oauthError{}
	}
	e := oauthError{subtype: body.Subtype, description: body.Description}
	_ = json.Unmarshal(body.Error, &e.code)
	return e
}

// says tells whether the description holds a phrase that is known.
func (e oauthError) says(phrase string) bool { return strings.Contains(e.description, phrase) }
