package google

import (
	"net/http"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest"
)

// clockSkew is how far the time in an assertion may be off.
const clockSkew = 5 * time.Minute

// oauth2 answers POST /token (https://developers.google.com/identity/protocols/oauth2/service-account#httprest).
func (s *Server) oauth2(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.URL.Path != "/token" {
		refuse(w, http.StatusNotFound, "not_found", "Not Found")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r.PostFormValue("grant_type") {
	case "urn:ietf:params:oauth:grant-type:jwt-bearer":
		s.assertion(w, r.PostFormValue("assertion"))
	case "refresh_token":
		s.refresh(w, r)
	default:
		refuse(w, http.StatusBadRequest, "unsupported_grant_type", "Invalid grant_type: "+r.PostFormValue("grant_type"))
	}
}

func (s *Server) assertion(w http.ResponseWriter, token string) {
	invalid := func(why string) { refuse(w, http.StatusBadRequest, "invalid_grant", why) }
	a, err := cloudtest.ParseAssertion(token)
	if err != nil {
		invalid("Invalid JWT: Failed to decode " + token)
		return
	}
	issued, expires := time.Unix(a.Time("iat"), 0), time.Unix(a.Time("exp"), 0)
	id, _ := a.Header["kid"].(string)
	k, known := s.keys[id]
	switch {
	case !known || k.email != a.Claim("iss"):
		invalid("Invalid grant: account not found")
	case a.Verify("RS256", k.public) != nil:
		invalid("Invalid JWT Signature.")
	case a.Claim("aud") != "https://"+OAuth2+"/token":
		invalid("Invalid JWT: Failed audience check")
	case expires.Sub(issued) > time.Hour, time.Until(expires) < -clockSkew, time.Until(issued) > clockSkew:
		invalid("Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. " +
			"Check your iat and exp values in the JWT claim.")
	case a.Claim("scope") != Scope:
		refuse(w, http.StatusBadRequest, "invalid_scope", "Invalid OAuth scope or ID token audience provided.")
	default:
		value, lifetime := s.issue(k.email)
		answer(w, http.StatusOK, map[string]any{
			"access_token": value, "expires_in": int(lifetime.Seconds()), "token_type": "Bearer",
		})
	}
}

func (s *Server) refresh(w http.ResponseWriter, r *http.Request) {
	u, known := s.users[r.PostFormValue("refresh_token")]
	switch {
	case !known:
		refuse(w, http.StatusBadRequest, "invalid_grant", "Bad Request")
	case u.clientID != r.PostFormValue("client_id") || u.clientSecret != r.PostFormValue("client_secret"):
		refuse(w, http.StatusUnauthorized, "invalid_client", "The OAuth client was not found.")
	case u.refused == "invalid_rapt":
		answer(w, http.StatusBadRequest, map[string]any{
			"error": "invalid_grant", "error_description": "reauth related error (invalid_rapt)",
			"error_subtype": "invalid_rapt", "error_uri": "https://support.google.com/a/answer/9368756",
		})
	case u.refused != "":
		refuse(w, http.StatusBadRequest, "invalid_grant", "Token has been expired or revoked.")
	default:
		value, lifetime := s.issue(u.name)
		answer(w, http.StatusOK, map[string]any{
			"access_token": value, "expires_in": int(lifetime.Seconds()), "token_type": "Bearer", "scope": Scope,
		})
	}
}
