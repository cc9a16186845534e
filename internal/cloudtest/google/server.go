// Package google stands in for the services that make Google's access tokens: oauth2.googleapis.com, sts.googleapis.com,
// iamcredentials.googleapis.com and the metadata server. It knows whom it was told of, verifies what it is sent, and says
// who a token is for:
//
//	cloud := google.New(t)
//	cloud.Join(proxy)
//	material := cloud.ServiceAccount(t, "puller@project.iam.gserviceaccount.com", 0)
//	...
//	who, ok := cloud.Principal(token)
package google

import (
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest"
)

// The names of the services, which are their hosts, and by which requests are counted and faults ordered.
const (
	OAuth2         = "oauth2.googleapis.com"
	STS            = "sts.googleapis.com"
	IAMCredentials = "iamcredentials.googleapis.com"
	Metadata       = "metadata.google.internal"
)

// Scope is the only scope that tokens are given for.
const Scope = "https://www.googleapis.com/auth/cloud-platform"

// MachineAccount is the service account that the metadata server speaks for.
const MachineAccount = "machine@project.iam.gserviceaccount.com"

// Server is the stand-in. It may be used by several goroutines at once.
type Server struct {
	*cloudtest.Gate

	mu       sync.Mutex
	keys     map[string]key        // of service accounts, by their id
	users    map[string]user       // by refresh token
	subjects map[subject]string    // federated principals
	signers  []signer              // federated principals who sign instead of having a token
	grants   map[[2]string]bool    // who may impersonate whom
	tokens   map[string]accessible // by access token
	lifetime time.Duration
	serial   int
}

type key struct {
	email  string
	public *rsa.PublicKey
}

type user struct {
	name, clientID, clientSecret string
	refused                      string // the error's subtype, or "revoked"
}

// subject is what somebody is known by outside of Google.
type subject struct{ audience, tokenType, token string }

type accessible struct {
	principal string
	expires   time.Time
}

// New makes a stand-in that knows nobody but the machine. Its tokens live for an hour.
func New(t testing.TB) *Server {
	t.Helper()
	return &Server{
		Gate: cloudtest.NewGate(), keys: map[string]key{}, users: map[string]user{}, subjects: map[subject]string{},
		grants: map[[2]string]bool{}, tokens: map[string]accessible{}, lifetime: time.Hour,
	}
}

// Handlers returns the services by the name of their host. The metadata server's is served over plain http, the others
// are not.
func (s *Server) Handlers() map[string]http.Handler {
	handlers := map[string]http.Handler{
		OAuth2: http.HandlerFunc(s.oauth2), STS: http.HandlerFunc(s.sts),
		IAMCredentials: http.HandlerFunc(s.iamCredentials), Metadata: http.HandlerFunc(s.metadata),
	}
	for name, h := range handlers {
		handlers[name] = s.Guard(name, h)
	}
	return handlers
}

// Join puts the services behind a proxy.
func (s *Server) Join(p *cloudtest.Proxy) {
	handlers := s.Handlers()
	for _, host := range slices.Sorted(maps.Keys(handlers)) {
		if host != Metadata {
			p.Serve(host, handlers[host])
		}
	}
}

// SetLifetime sets how long the tokens live that are made from now on.
func (s *Server) SetLifetime(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lifetime = d
}

// Principal tells who an access token is for, and whether it is valid now.
func (s *Server) Principal(token string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.tokens[token]
	return a.principal, ok && time.Now().Before(a.expires)
}

// issue makes an access token. It has the form that Google's have.
func (s *Server) issue(principal string) (token string, lifetime time.Duration) {
	s.serial++
	token = fmt.Sprintf("ya29.c.standin-%06d-0123456789_abcdefghijklmnopqrstuvwxyz", s.serial)
	s.tokens[token] = accessible{principal, time.Now().Add(s.lifetime)}
	return token, s.lifetime
}

// answer writes JSON as these services do.
func answer(w http.ResponseWriter, status int, body map[string]any) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// refuse writes an error of OAuth (RFC 6749, section 5.2).
func refuse(w http.ResponseWriter, status int, code, description string) {
	answer(w, status, map[string]any{"error": code, "error_description": description})
}

// refuseCall writes an error of Google's API (https://cloud.google.com/apis/design/errors).
func refuseCall(w http.ResponseWriter, status int, code, message string) {
	answer(w, status, map[string]any{"error": map[string]any{"code": status, "status": code, "message": message}})
}
