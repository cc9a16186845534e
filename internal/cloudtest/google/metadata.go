package google

import "net/http"

// metadata answers GET /computeMetadata/v1/instance/service-accounts/default/token
// (https://cloud.google.com/compute/docs/access/authenticate-workloads#applications).
func (s *Server) metadata(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Metadata-Flavor", "Google")
	switch {
	case r.Header.Get("Metadata-Flavor") != "Google":
		http.Error(w, "Missing Metadata-Flavor:Google header.", http.StatusForbidden)
	case r.Header.Get("X-Forwarded-For") != "":
		http.Error(w, "X-Forwarded-For is not allowed.", http.StatusForbidden)
	case r.Method != http.MethodGet || r.URL.Path != "/computeMetadata/v1/instance/service-accounts/default/token":
		http.NotFound(w, r)
	default:
		s.mu.Lock()
		defer s.mu.Unlock()
		value, lifetime := s.issue(MachineAccount)
		answer(w, http.StatusOK, map[string]any{
			"access_token": value, "expires_in": int(lifetime.Seconds()), "token_type": "Bearer",
		})
	}
}
