// Package azure stands in for the services that make credentials of Azure Container Registry: Microsoft Entra in three
// clouds, the exchange that every registry has, and the two endpoints of managed identities. It verifies what it is sent
// and says who a registry's token is for:
//
//	cloud := azure.New(t)
//	cloud.Join(proxy, "myreg.azurecr.io")
//	app := cloud.AddApplication(azure.Public, "tenant", "client")
//	cloud.SetSecret(app, "secret")
//	cloud.Grant("myreg.azurecr.io", app)
//	...
//	who, ok := cloud.Principal("myreg.azurecr.io", token)
package azure

import (
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers/jwt"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest"
)

// The authorities, by the name of their host. Each is counted and made to fail by it; a registry is by its own host.
const (
	Public     = "login.microsoftonline.com"
	China      = "login.chinacloudapi.cn"
	Government = "login.microsoftonline.us"
)

// The endpoints of managed identities, by which they are counted and made to fail.
const (
	IMDS       = "169.254.169.254"
	AppService = "app service"
)

// Resource is what tokens are asked for.
const Resource = "https://containerregistry.azure.net"

// HeaderValue is what the endpoint of App Service wants to see.
const HeaderValue = "not-a-secret-identity-header"

// Application is who an identity is: an application of a tenant, or a managed identity.
type Application struct{ Authority, Tenant, Client string }

// Server is the stand-in. It may be used by several goroutines at once.
type Server struct {
	*cloudtest.Gate
	key *rsa.PrivateKey // of every issuer

	mu       sync.Mutex
	known    map[Application]*proofs
	domains  map[string]string // to the number of their tenant
	grants   map[grant]bool
	managed  []Application // the first is the machine's own
	lifetime time.Duration
	serial   int
}

// proofs are what an application may show.
type proofs struct {
	secret, expired string
	certificates    map[string]*rsa.PublicKey // by thumbprint
	federated       map[string]bool           // tokens of another issuer
}

type grant struct {
	registry string
	app      Application
}

// New makes a stand-in that knows nobody. The registries' tokens live for three hours.
func New(t testing.TB) *Server {
	t.Helper()
	return &Server{
		Gate: cloudtest.NewGate(), key: cloudtest.Key(t, 0), known: map[Application]*proofs{}, domains: map[string]string{}, grants: map[grant]bool{}, lifetime: 3 * time.Hour,
	}
}

// Join puts the authorities and registries behind a proxy.
func (s *Server) Join(p *cloudtest.Proxy, registries ...string) {
	for _, authority := range []string{Public, China, Government} {
		p.Serve(authority, s.Authority(authority))
	}
	for _, registry := range registries {
		p.Serve(registry, s.Exchange(registry))
	}
}

// AddApplication makes an application known to its authority.
func (s *Server) AddApplication(authority, tenant, client string) Application {
	app := Application{authority, tenant, client}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[app] = &proofs{certificates: map[string]*rsa.PublicKey{}, federated: map[string]bool{}}
	return app
}

// SetDomain gives a tenant a domain, which may stand in the place of its number.
func (s *Server) SetDomain(tenant, domain string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.domains[domain] = tenant
}

// SetSecret gives an application a secret.
func (s *Server) SetSecret(app Application, secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[app].secret = secret
}

// ExpireSecret lets the secret of an application expire.
func (s *Server) ExpireSecret(app Application) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[app].expired, s.known[app].secret = s.known[app].secret, ""
}

// Federate lets an application show a token of another issuer.
func (s *Server) Federate(app Application, token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[app].federated[token] = true
}

// Manage assigns a managed identity to the machine. The first is the one that is taken when none is named.
func (s *Server) Manage(app Application) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.managed = append(s.managed, app)
}

// Grant lets somebody pull from a registry.
func (s *Server) Grant(registry string, app Application) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.grants[grant{registry, app}] = true
}

// SetLifetime sets how long the registries' tokens live that are made from now on.
func (s *Server) SetLifetime(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lifetime = d
}

// claims of both kinds of token.
type claims struct {
	Audience  string `json:"aud"`
	Issuer    string `json:"iss"`
	Tenant    string `json:"tid"`
	Client    string `json:"appid"`
	Serial    int    `json:"uti"`
	NotBefore int64  `json:"nbf"`
	Expires   int64  `json:"exp"`
	Kind      string `json:"grant_type,omitempty"`
	// Filling makes a registry's token as long as real ones get.
	Filling string `json:"permissions,omitempty"`
}

// issue signs a token.
func (s *Server) issue(c claims) (string, error) {
	s.serial++
	c.Serial = s.serial
	c.NotBefore = time.Now().Unix()
	return jwt.Sign(jwt.RS256, jwt.Header{"kid": "stand-in"}, c, s.key)
}

// read verifies a token that this server issued.
func (s *Server) read(token string) (claims, error) {
	var c claims
	a, err := cloudtest.ParseAssertion(token)
	if err != nil {
		return c, err
	}
	if err := a.Verify("RS256", &s.key.PublicKey); err != nil {
		return c, err
	}
	if err := jwt.ReadClaims(token, &c); err != nil {
		return c, err
	}
	if time.Now().Unix() >= c.Expires {
		return c, fmt.Errorf("the token has expired")
	}
	return c, nil
}

func answer(w http.ResponseWriter, status int, body map[string]any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
