package azure

import (
	"net/http"
	"strings"
	"time"
)

// refreshKind marks a registry's token.
const refreshKind = "refresh_token"

// Exchange is POST /oauth2/exchange of one registry
// (https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md#calling-post-oauth2exchange-to-get-an-acr-refresh-token).
func (s *Server) Exchange(registry string) http.Handler {
	return s.Guard(registry, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/oauth2/exchange" {
			http.NotFound(w, r)
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		token := r.PostFormValue("access_token")
		c, err := s.read(token)
		switch {
		case r.PostFormValue("grant_type") != "access_token":
			s.deny(w, http.StatusBadRequest, "UNSUPPORTED", "grant type is invalid")
		case r.PostFormValue("service") != registry:
			s.deny(w, http.StatusBadRequest, "UNAUTHORIZED", "service is invalid")
		case err != nil || c.Audience != Resource || c.Kind != "":
			s.deny(w, http.StatusUnauthorized, "UNAUTHORIZED", "the access token is not valid: "+token)
		case r.PostFormValue("tenant") != c.Tenant:
			s.deny(w, http.StatusUnauthorized, "UNAUTHORIZED", "the tenant is not that of the token")
		case !s.granted(registry, c):
			s.deny(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required, visit https://aka.ms/acr/authorization: "+token)
		default:
			fresh, err := s.issue(claims{
				Audience: registry, Issuer: "Azure Container Registry", Tenant: c.Tenant, Client: c.Client, Kind: refreshKind,
				Expires: time.Now().Add(s.lifetime).Unix(), Filling: strings.Repeat("x", 4096),
			})
			if err != nil {
				http.Error(w, "the token cannot be signed", http.StatusInternalServerError)
				return
			}
			answer(w, http.StatusOK, map[string]any{"refresh_token": fresh})
		}
	}))
}

func (s *Server) granted(registry string, c claims) bool {
	for g := range s.grants {
		if g.registry == registry && g.app.Tenant == c.Tenant && g.app.Client == c.Client {
			return true
		}
	}
	return false
}

func (s *Server) deny(w http.ResponseWriter, status int, code, message string) {
	answer(w, status, map[string]any{"errors": []map[string]string{{"code": code, "message": message}}})
}

// Principal tells who a registry's token is for, and whether it is valid there now.
func (s *Server) Principal(registry, token string) (client string, ok bool) {
	c, err := s.read(token)
	return c.Client, err == nil && c.Kind == refreshKind && c.Audience == registry
}
