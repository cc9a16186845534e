package azure

import (
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest"
)

const (
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	// clockSkew is how far the time in an assertion may be off.
	clockSkew = 5 * time.Minute
)

// SetCertificate gives an application a certificate (DER) with its public key.
func (s *Server) SetCertificate(t testing.TB, app Application, der []byte, public *rsa.PublicKey) {
	t.Helper()
	sum := sha256.Sum256(der)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[app].certificates[base64.RawURLEncoding.EncodeToString(sum[:])] = public
}

// Authority is the token service of one cloud: POST /TENANT/oauth2/v2.0/token
// (https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow).
func (s *Server) Authority(host string) http.Handler {
	return s.Guard(host, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tenant, ok := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/"), "/oauth2/v2.0/token")
		if r.Method != http.MethodPost || !ok {
			http.NotFound(w, r)
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		address := "https://" + host + r.URL.Path
		if number, ok := s.domains[tenant]; ok {
			tenant = number
		}
		app := Application{host, tenant, r.PostFormValue("client_id")}
		if code, status, what := s.refusal(app, address, r); code != 0 {
			refuse(w, code, status, what)
			return
		}
		token, err := s.issue(claims{
			Audience: Resource, Issuer: "https://sts.windows.net/" + tenant + "/", Tenant: tenant, Client: app.Client,
			Expires: time.Now().Add(time.Hour).Unix(),
		})
		if err != nil {
			http.Error(w, "the token cannot be signed", http.StatusInternalServerError)
			return
		}
		answer(w, http.StatusOK, map[string]any{"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": token})
	}))
}

// refusal returns the number of the error, or zero (https://learn.microsoft.com/entra/identity-platform/reference-error-codes).
// What was sent is in the description, where careless servers put it.
func (s *Server) refusal(app Application, address string, r *http.Request) (code int, status, what string) {
	tenants := map[string]bool{}
	for known := range s.known {
		tenants[known.Authority+"/"+known.Tenant] = true
	}
	p := s.known[app]
	switch {
	case !tenants[app.Authority+"/"+app.Tenant]:
		return 90002, "invalid_request", "Tenant '" + app.Tenant + "' not found."
	case p == nil:
		return 700016, "unauthorized_client", "Application with identifier '" + app.Client + "' was not found in the directory."
	case r.PostFormValue("grant_type") != "client_credentials":
		return 900144, "invalid_request", "The request body must contain the following parameter: 'grant_type'."
	case r.PostFormValue("scope") != Resource+"/.default":
		return 70011, "invalid_scope", "The provided request must include a 'scope' input parameter."
	}
	if assertion := r.PostFormValue("client_assertion"); assertion != "" {
		if r.PostFormValue("client_assertion_type") != assertionType {
			return 900144, "invalid_request", "The request body must contain the following parameter: 'client_assertion_type'."
		}
		if p.federated[assertion] {
			return 0, "", ""
		}
		return p.checkAssertion(app, address, assertion)
	}
	switch secret := r.PostFormValue("client_secret"); {
	case secret == "":
		return 7000218, "invalid_client", "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
	case secret == p.expired:
		return 7000222, "invalid_client", "The provided client secret keys are expired: " + secret
	case secret != p.secret:
		return 7000215, "invalid_client", "Invalid client secret provided: " + secret
	}
	return 0, "", ""
}

// checkAssertion checks what an application signed with the key of its certificate
// (https://learn.microsoft.com/entra/identity-platform/certificate-credentials).
func (p *proofs) checkAssertion(app Application, address, token string) (code int, status, what string) {
	a, err := cloudtest.ParseAssertion(token)
	if err != nil {
		return 50027, "invalid_client", "JWT token is invalid or malformed: " + token
	}
	thumbprint, _ := a.Header["x5t#S256"].(string)
	public := p.certificates[thumbprint]
	now := time.Now()
	switch {
	case public == nil && a.Header["x5t#S256"] == nil:
		return 700213, "invalid_client", "No matching federated identity record found for presented assertion: " + token
	case public == nil, a.Verify("PS256", public) != nil:
		return 700027, "invalid_client", "Client assertion failed signature validation: " + token
	case a.Claim("iss") != app.Client, a.Claim("sub") != app.Client, a.Claim("jti") == "", a.Claim("aud") != address:
		return 700023, "invalid_client", "Client assertion audience claim does not match: " + token
	case now.Before(time.Unix(a.Time("nbf"), 0).Add(-clockSkew)), now.After(time.Unix(a.Time("exp"), 0).Add(clockSkew)):
		return 700024, "invalid_client", "Client assertion is not within its valid time range: " + token
	}
	return 0, "", ""
}

// refuse writes an error of Entra.
func refuse(w http.ResponseWriter, code int, status, what string) {
	httpStatus := http.StatusBadRequest
	if status == "invalid_client" {
		httpStatus = http.StatusUnauthorized
	}
	answer(w, httpStatus, map[string]any{
		"error": status, "error_description": fmt.Sprintf("AADSTS%d: %s", code, what), "error_codes": []int{code},
		"trace_id": "00000000-0000-0000-0000-000000000001", "correlation_id": "00000000-0000-0000-0000-000000000002",
	})
}
