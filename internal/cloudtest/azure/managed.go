package azure

import (
	"net/http"
	"strconv"
	"time"
)

// Instance is the metadata service of a virtual machine: GET /metadata/identity/oauth2/token
// (https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token).
func (s *Server) Instance() http.Handler {
	return s.Guard(IMDS, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method != http.MethodGet || r.URL.Path != "/metadata/identity/oauth2/token":
			http.NotFound(w, r)
		case r.Header.Get("Metadata") != "true" || r.Header.Get("X-Forwarded-For") != "":
			answer(w, http.StatusBadRequest, map[string]any{"error": "invalid_request", "error_description": "Required metadata header not specified"})
		case r.URL.Query().Get("api-version") != "2018-02-01":
			answer(w, http.StatusBadRequest, map[string]any{"error": "invalid_request", "error_description": "Invalid api-version"})
		default:
			s.managedToken(w, r)
		}
	}))
}

// Service is the endpoint of App Service and Container Apps
// (https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference).
func (s *Server) Service() http.Handler {
	return s.Guard(AppService, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method != http.MethodGet:
			http.NotFound(w, r)
		case r.Header.Get("X-Identity-Header") != HeaderValue:
			answer(w, http.StatusUnauthorized, map[string]any{"statusCode": 401, "message": "Unauthorized " + r.Header.Get("X-Identity-Header")})
		case r.URL.Query().Get("api-version") != "2019-08-01":
			answer(w, http.StatusBadRequest, map[string]any{"statusCode": 400, "message": "Invalid api-version"})
		default:
			s.managedToken(w, r)
		}
	}))
}

func (s *Server) managedToken(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	client := r.URL.Query().Get("client_id")
	for _, app := range s.managed {
		if client != "" && client != app.Client {
			continue
		}
		if r.URL.Query().Get("resource") != Resource {
			break
		}
		expires := time.Now().Add(24 * time.Hour)
		token, err := s.issue(claims{
			Audience: Resource, Issuer: "https://sts.windows.net/" + app.Tenant + "/", Tenant: app.Tenant, Client: app.Client, Expires: expires.Unix(),
		})
		if err != nil {
			http.Error(w, "the token cannot be signed", http.StatusInternalServerError)
			return
		}
		answer(w, http.StatusOK, map[string]any{
			"access_token": token, "client_id": app.Client, "expires_in": "86399", "expires_on": strconv.FormatInt(expires.Unix(), 10),
			"resource": Resource, "token_type": "Bearer",
		})
		return
	}
	answer(w, http.StatusBadRequest, map[string]any{"error": "invalid_request", "error_description": "Identity not found"})
}
