package registrytest

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// tokenPath is where the token server answers.
const tokenPath = "/token"

// tokenServer issues access tokens for one registry:
// https://distribution.github.io/distribution/spec/auth/token/ and .../oauth/.
type tokenServer struct {
	options Options
	service string
	realm   string // its own URL
	signer  *signer

	mu       sync.Mutex
	identity map[string]string // identity token to account
}

func newTokenServer(o Options, service, realm string) (*tokenServer, error) {
	signer, err := newSigner()
	if err != nil {
		return nil, err
	}
	s := &tokenServer{options: o, service: service, realm: realm, signer: signer, identity: map[string]string{}}
	for token, user := range o.IdentityTokens {
		s.identity[token] = user
	}
	return s, nil
}

// answer is the token server's, in both of its protocols.
type answer struct {
	Token        string `json:"token,omitempty"`
	AccessToken  string `json:"access_token"`
	ExpiresIn    int    `json:"expires_in"` // seconds
	IssuedAt     string `json:"issued_at"`  // RFC 3339
	RefreshToken string `json:"refresh_token,omitempty"`
	Scope        string `json:"scope,omitempty"`
}

// handleToken answers a request at the token server.
func (r *Registry) handleToken(w http.ResponseWriter, req *http.Request) {
	q := Request{Host: req.Host, Method: req.Method, Path: req.URL.Path, Scheme: scheme(req)}
	req.Body = http.MaxBytesReader(w, req.Body, maxForm)
	badForm := req.ParseForm() != nil

	var scopes []string
	offline := false
	switch {
	case req.Method == http.MethodPost:
		q.Scheme = req.PostForm.Get("grant_type")
		scopes = strings.Fields(req.PostForm.Get("scope"))
		offline = req.PostForm.Get("access_type") == "offline"
		switch q.Scheme {
		case "password":
			q.User = req.PostForm.Get("username")
			q.Authenticated = r.options.knows(q.User, req.PostForm.Get("password"))
		case "refresh_token":
			q.User, q.Authenticated = r.tokens.holder(req.PostForm.Get("refresh_token"))
		}
	default:
		for _, s := range req.URL.Query()["scope"] {
			scopes = append(scopes, strings.Fields(s)...)
		}
		offline = req.URL.Query().Get("offline_token") == "true"
		if user, password, ok := req.BasicAuth(); ok {
			q.User = user
			q.Authenticated = r.options.knows(user, password)
		}
	}

	said := text(req, req.PostForm)
	w = &statusWriter{ResponseWriter: w, tell: func(status int) {
		q.Status = status
		r.record.add(q, said)
	}}
	service := req.Form.Get("service")
	switch f := r.refusal(q); {
	case f != nil:
		deny(w, f.Status, f.Code, f.Message)
	case badForm:
		deny(w, http.StatusBadRequest, "INVALID", "malformed form")
	case q.Scheme != "" && !q.Authenticated:
		deny(w, http.StatusUnauthorized, "UNAUTHORIZED", "incorrect username or password")
	case service != r.tokens.service:
		deny(w, http.StatusBadRequest, "INVALID", "no such service")
	default:
		r.tokens.issue(w, q, scopes, offline)
	}
}

// issue writes a token for as much of the scopes as the caller may have.
func (s *tokenServer) issue(w http.ResponseWriter, q Request, scopes []string, offline bool) {
	now := s.options.Now()
	granted := s.grant(q, scopes)
	token, err := s.sign(q.User, granted, now)
	if err != nil {
		deny(w, http.StatusInternalServerError, "UNKNOWN", err.Error())
		return
	}
	a := answer{
		Token:       token,
		AccessToken: token,
		ExpiresIn:   int(s.options.TokenLifetime / time.Second),
		IssuedAt:    now.UTC().Format(time.RFC3339),
	}
	if q.Method == http.MethodPost {
		a.Token = "" // the OAuth2 protocol has one name for it
		a.Scope = strings.Join(scopes, " ")
	}
	if offline && s.options.OfferIdentityTokens && q.Authenticated {
		a.RefreshToken = rand.Text()
		s.mu.Lock()
		s.identity[a.RefreshToken] = q.User
		s.mu.Unlock()
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(a) // a client that is gone needs no answer
}

// grant cuts the scopes down to what the caller may have: an account what it reaches, anybody to pull what is public.
func (s *tokenServer) grant(q Request, scopes []string) []access {
	granted := []access{}
	for _, scope := range scopes {
		a, err := parseScope(scope)
		if err != nil {
			continue // an unknown kind of scope is a scope not granted
		}
		switch {
		case q.Authenticated && (a.Type != "repository" || s.options.reaches(q.User, a.Name)):
			granted = append(granted, a)
		case a.Type == "repository" && slices.Contains(a.Actions, "pull") && covers(s.options.Public, a.Name):
			a.Actions = []string{"pull"}
			granted = append(granted, a)
		}
	}
	return granted
}

// holder returns the account that an identity token stands for, and whether there is one.
func (s *tokenServer) holder(token string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	user, ok := s.identity[token]
	return user, ok
}

// sign makes an access token.
func (s *tokenServer) sign(subject string, granted []access, now time.Time) (string, error) {
	return s.signer.sign(claims{
		Issuer:    s.realm,
		Subject:   subject,
		Audience:  s.service,
		Expires:   now.Add(s.options.TokenLifetime).Unix(),
		NotBefore: now.Unix(),
		IssuedAt:  now.Unix(),
		ID:        rand.Text(),
		Access:    granted,
	})
}

// verify reads an access token that this server issued and that is still good.
func (s *tokenServer) verify(token string) (claims, error) {
	c, err := s.signer.verify(token)
	if err != nil {
		return claims{}, err
	}
	switch now := s.options.Now().Unix(); {
	case c.Issuer != s.realm || c.Audience != s.service:
		return claims{}, fmt.Errorf("token of another registry")
	case now < c.NotBefore || now >= c.Expires:
		return claims{}, fmt.Errorf("token out of its time")
	}
	return c, nil
}

// parseScope reads type:name:actions, where the name may hold a port.
func parseScope(scope string) (access, error) {
	kind, rest, ok := strings.Cut(scope, ":")
	i := strings.LastIndex(rest, ":")
	if !ok || i < 0 {
		return access{}, fmt.Errorf("malformed scope")
	}
	return access{Type: kind, Name: rest[:i], Actions: strings.Split(rest[i+1:], ",")}, nil
}

// grants reports whether the access list covers the action.
func grants(granted []access, repository, action string) bool {
	return slices.ContainsFunc(granted, func(a access) bool {
		return a.Type == "repository" && a.Name == repository &&
			(slices.Contains(a.Actions, action) || slices.Contains(a.Actions, "*"))
	})
}
