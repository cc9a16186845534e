package google

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// sts answers POST /v1/token, the exchange of RFC 8693 (https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token),
// and POST /v1/oauthtoken, which refreshes the login of a workforce.
func (s *Server) sts(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case r.Method == http.MethodPost && r.URL.Path == "/v1/oauthtoken":
		id, secret, _ := r.BasicAuth()
		r.PostForm = nil
		_ = r.ParseForm()
		r.PostForm.Set("client_id", id)
		r.PostForm.Set("client_secret", secret)
		s.refresh(w, r)
		return
	case r.Method != http.MethodPost || r.URL.Path != "/v1/token":
		refuseCall(w, http.StatusNotFound, "NOT_FOUND", "Not Found")
		return
	}
	form := func(name string) string { return r.PostFormValue(name) }
	principal, known := s.subjects[subject{form("audience"), form("subject_token_type"), form("subject_token")}]
	if form("subject_token_type") == awsTokenType {
		principal, known = s.signedBy(form("audience"), form("subject_token"))
	}
	switch {
	case form("grant_type") != "urn:ietf:params:oauth:grant-type:token-exchange":
		refuse(w, http.StatusBadRequest, "unsupported_grant_type", "Invalid grant type")
	case form("requested_token_type") != "urn:ietf:params:oauth:token-type:access_token":
		refuse(w, http.StatusBadRequest, "invalid_request", "Invalid requested token type")
	case form("scope") != Scope:
		refuse(w, http.StatusBadRequest, "invalid_scope", "Invalid scope")
	case !known:
		refuse(w, http.StatusBadRequest, "invalid_grant", "The subject token could not be verified: "+form("subject_token"))
	default:
		value, lifetime := s.issue(principal)
		answer(w, http.StatusOK, map[string]any{
			"access_token": value, "expires_in": int(lifetime.Seconds()), "token_type": "Bearer",
			"issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
		})
	}
}

// iamCredentials answers POST /v1/projects/-/serviceAccounts/EMAIL:generateAccessToken
// (https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken).
func (s *Server) iamCredentials(w http.ResponseWriter, r *http.Request) {
	email, generate := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/v1/projects/-/serviceAccounts/"), ":generateAccessToken")
	if r.Method != http.MethodPost || !generate || strings.Contains(email, "/") {
		refuseCall(w, http.StatusNotFound, "NOT_FOUND", "Not Found")
		return
	}
	var body struct {
		Scope     []string `json:"scope"`
		Lifetime  string   `json:"lifetime"`
		Delegates []string `json:"delegates"`
	}
	if json.NewDecoder(r.Body).Decode(&body) != nil || !slices.Equal(body.Scope, []string{Scope}) {
		refuseCall(w, http.StatusBadRequest, "INVALID_ARGUMENT", "Invalid value at 'scope'")
		return
	}
	bearer, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	principal, ok := s.Principal(bearer)
	if !ok {
		refuseCall(w, http.StatusUnauthorized, "UNAUTHENTICATED", "Request had invalid authentication credentials: "+bearer)
		return
	}
	lifetime, err := time.ParseDuration(body.Lifetime)
	if err != nil || lifetime <= 0 || lifetime > 12*time.Hour {
		refuseCall(w, http.StatusBadRequest, "INVALID_ARGUMENT", "Invalid value at 'lifetime'")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, next := range append(body.Delegates, "projects/-/serviceAccounts/"+email) {
		account := strings.TrimPrefix(next, "projects/-/serviceAccounts/")
		if !s.grants[[2]string{principal, account}] {
			refuseCall(w, http.StatusForbidden, "PERMISSION_DENIED",
				"Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).")
			return
		}
		principal = account
	}
	value, _ := s.issue(principal)
	expires := time.Now().Add(min(lifetime, s.lifetime))
	s.tokens[value] = accessible{principal, expires}
	answer(w, http.StatusOK, map[string]any{"accessToken": value, "expireTime": expires.UTC().Format(time.RFC3339)})
}
