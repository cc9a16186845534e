package google

import (
	"encoding/json"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest"
)

// ServiceAccount makes a key of a service account and returns its JSON as Google's console hands it out. Equal n give
// equal private keys.
func (s *Server) ServiceAccount(t testing.TB, email string, n int) string {
	t.Helper()
	private := cloudtest.Key(t, n)
	id := "key-of-" + email
	s.mu.Lock()
	s.keys[id] = key{email, &private.PublicKey}
	s.mu.Unlock()
	return Text(t, map[string]any{
		"type": "service_account", "project_id": "project", "private_key_id": id, "private_key": cloudtest.KeyPEM(t, private),
		"client_email": email, "client_id": "100000000000000000001",
		"auth_uri": "https://accounts.google.com/o/oauth2/auth", "token_uri": "https://oauth2.googleapis.com/token",
		"auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
		"client_x509_cert_url":        "https://www.googleapis.com/robot/v1/metadata/x509/" + email,
		"universe_domain":             "googleapis.com",
	})
}

// DeleteKey makes the server forget the key of a service account.
func (s *Server) DeleteKey(email string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.keys, "key-of-"+email)
}

// User makes a login of a person and returns its JSON as gcloud keeps it.
func (s *Server) User(t testing.TB, name string) string {
	t.Helper()
	u := user{name: name, clientID: "client-of-" + name, clientSecret: "not-a-secret-of-" + name}
	s.mu.Lock()
	s.users["1//refresh-token-of-"+name] = u
	s.mu.Unlock()
	return Text(t, map[string]any{
		"type": "authorized_user", "client_id": u.clientID, "client_secret": u.clientSecret,
		"refresh_token": "1//refresh-token-of-" + name, "universe_domain": "googleapis.com", "account": "",
	})
}

// EndLogin makes the server refuse a person's login from now on: because it was revoked, or, with the subtype
// "invalid_rapt", because the person has to show up again.
func (s *Server) EndLogin(name, subtype string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.users["1//refresh-token-of-"+name]
	u.refused = subtype
	s.users["1//refresh-token-of-"+name] = u
}

// Trust makes the security token service take a token of somebody else's for a principal.
func (s *Server) Trust(audience, tokenType, token, principal string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subjects[subject{audience, tokenType, token}] = principal
}

// Allow lets one principal impersonate a service account.
func (s *Server) Allow(principal, email string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.grants[[2]string{principal, email}] = true
}

// Text writes JSON the way key files are written.
func Text(t testing.TB, v map[string]any) string {
	t.Helper()
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text) + "\n"
}
