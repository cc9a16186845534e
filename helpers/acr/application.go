package acr

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/helpers/jwt"
	"github.com/beam-cloud/docker-credential-beta9/helpers/upstream"
)

// application is an application of a tenant
// (https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow).
type application struct {
	tenant, client, authority string
	proof                     proof
}

// A proof shows that somebody is an application. It adds to the form of a call to the address, made at the time.
type proof interface {
	add(form url.Values, client, address string, now time.Time) error
}

// secret is what an application and Entra both know.
type secret string

func (s secret) add(form url.Values, _, _ string, _ time.Time) error {
	form.Set("client_secret", string(s))
	return nil
}

// assertion is a token of another issuer that Entra trusts for the application, such as Kubernetes.
type assertion string

// assertionType is what every assertion is (RFC 7523, section 2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

func (a assertion) add(form url.Values, _, _ string, _ time.Time) error {
	form.Set("client_assertion_type", assertionType)
	form.Set("client_assertion", string(a))
	return nil
}

func (p *application) token(ctx context.Context, s *service) (entraToken, error) {
	// The tenant is part of an address: a name of a domain or a number, and nothing that leads elsewhere.
	for i := range len(p.tenant) {
		if c := p.tenant[i] | 0x20; (c < 'a' || c > 'z') && (p.tenant[i] < '0' || p.tenant[i] > '9') && p.tenant[i] != '-' && p.tenant[i] != '.' {
			return entraToken{}, helpers.Fail(helpers.BadMaterial, tenantKey+" is neither a GUID nor a domain", "see the tenant in the Azure portal")
		}
	}
	address := p.authority + "/" + p.tenant + "/oauth2/v2.0/token"
	a, err := p.ask(ctx, s, address, s.now())
	if err != nil {
		return entraToken{}, err
	}
	// A machine whose clock is off cannot set it right by itself: the proof is made once more, by Entra's clock.
	if theirs, err := http.ParseTime(a.Header.Get("Date")); err == nil && !a.OK() && readError(a).has(outsideItsTime) {
		if a, err = p.ask(ctx, s, address, theirs); err != nil {
			return entraToken{}, err
		}
	}
	if !a.OK() {
		return entraToken{}, entraRefusal(a)
	}
	return readEntra(a, p.tenant)
}

func (p *application) ask(ctx context.Context, s *service, address string, now time.Time) (upstream.Answer, error) {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {p.client}, "scope": {scope}}
	if err := p.proof.add(form, p.client, address, now); err != nil {
		return upstream.Answer{}, err
	}
	return s.postForm(ctx, "Microsoft Entra", address, form)
}

// readEntra reads a token of Entra's. Its own end does not matter: it is exchanged at once. The tenant is the token's own
// word for it, which is a number where a person may have given a domain.
func readEntra(a upstream.Answer, tenant string) (entraToken, error) {
	var body struct {
		AccessToken string `json:"access_token"`
	}
	if err := a.JSON(&body); err != nil {
		return entraToken{}, err
	}
	if !visible(body.AccessToken) {
		return entraToken{}, helpers.Fail(helpers.BadAnswer, a.Service()+" answered without an access token", "")
	}
	claims := struct {
		Tenant string `json:"tid"`
	}{tenant}
	_ = jwt.ReadClaims(body.AccessToken, &claims) // a token that cannot be read leaves the tenant as it is
	return entraToken{body.AccessToken, claims.Tenant}, nil
}

// entraError is what Entra says of a refusal. It is compared with what is known and never quoted.
type entraError struct {
	Code    string `json:"error"`
	Numbers []int  `json:"error_codes"`
}

func (e entraError) has(number int) bool { return slices.Contains(e.Numbers, number) }

func readError(a upstream.Answer) entraError {
	var e entraError
	_ = a.JSON(&e) // what is no JSON has no code
	return e
}

// The numbers that tell a person more than the code does
// (https://learn.microsoft.com/entra/identity-platform/reference-error-codes). They may change; then the code decides.
const (
	outsideItsTime    = 700024
	notRegistered     = 700027
	unknownSecret     = 7000215
	expiredSecret     = 7000222
	unknownClient     = 700016
	disabledClient    = 7000112
	unknownTenant     = 90002
	malformedTenant   = 900023
	noFederation      = 70021
	noFederatedRecord = 700213
)

func entraRefusal(a upstream.Answer) error {
	general := a.Failure()
	if general.Reason == helpers.Throttled || general.Reason == helpers.Unavailable {
		return general
	}
	e := readError(a)
	switch {
	case e.has(expiredSecret):
		return helpers.Fail(helpers.ExpiredIdentity, "the secret of the application has expired",
			"make a new one with: az ad app credential reset --id CLIENT")
	case e.has(unknownSecret):
		return helpers.Fail(helpers.AccessDenied, "the secret of the application is wrong", "give the secret's value, and not its ID")
	case e.has(outsideItsTime):
		return helpers.Fail(helpers.AccessDenied, "Microsoft Entra does not accept the time of this machine", "set the clock of this machine")
	case e.has(notRegistered):
		return helpers.Fail(helpers.AccessDenied, "the certificate is not one of the application's", "add it to the application in the Azure portal")
	case e.has(noFederation), e.has(noFederatedRecord):
		return helpers.Fail(helpers.AccessDenied, "the application does not trust the issuer or the subject of the federated token",
			"see the federated credentials of the application in the Azure portal")
	case e.has(unknownClient):
		return helpers.Fail(helpers.BadMaterial, "there is no such application in the tenant", "see "+clientKey+" and "+tenantKey)
	case e.has(disabledClient):
		return helpers.Fail(helpers.AccessDenied, "the application is disabled", "enable it in the Azure portal")
	case e.has(unknownTenant), e.has(malformedTenant):
		return helpers.Fail(helpers.BadMaterial, "there is no such tenant", "see "+tenantKey+", and whether the registry is of the same cloud")
	case e.Code == "invalid_grant":
		return helpers.Fail(helpers.ExpiredIdentity, "Microsoft Entra does not accept the identity any more", "renew it")
	case e.Code == "invalid_client", e.Code == "unauthorized_client", e.Code == "access_denied":
		return helpers.Fail(helpers.AccessDenied, "Microsoft Entra does not let this application have tokens", "")
	}
	if general.Reason == helpers.BadAnswer && a.Status >= 400 && e.Code != "" {
		// It says that it refuses, and so it is a denial, and no garbage: a token from before is not to hide it.
		return helpers.Fail(helpers.AccessDenied, "Microsoft Entra refuses a token for a reason that is not known here",
			"see the sign-in logs of the application in the Azure portal")
	}
	return general
}
