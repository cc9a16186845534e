package registrytest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// identity is who a request turned out to come from.
type identity struct {
	user    string // as presented
	proven  bool   // the credentials are good
	granted []access
}

// handle answers every request that arrives at the registry's addresses and the token server's.
func (r *Registry) handle(w http.ResponseWriter, req *http.Request) {
	if r.tokens != nil && req.URL.Path == tokenPath {
		r.handleToken(w, req)
		return
	}
	if other := r.options.Handle[req.URL.Path]; other != nil {
		other.ServeHTTP(w, req)
		return
	}
	q := Request{
		Host:       req.Host,
		Method:     req.Method,
		Path:       req.URL.Path,
		Repository: repositoryOf(req.URL.Path),
		Scheme:     scheme(req),
	}
	who := r.identify(req)
	q.User, q.Authenticated = who.user, who.proven
	said := text(req, nil)
	answer := &statusWriter{ResponseWriter: w, tell: func(status int) {
		q.Status = status
		q.Authenticated = q.Authenticated && status != http.StatusUnauthorized
		r.record.add(q, said)
	}}
	defer answer.finish()

	if f := r.refusal(q); f != nil {
		if f.Challenge {
			r.challenge(answer, q, "")
		}
		deny(answer, f.Status, f.Code, f.Message)
		return
	}
	if r.options.Software == InProcess && !r.admit(answer, q, who) {
		return
	}
	r.backend.ServeHTTP(answer, req)
}

// identify checks the credentials of a request, whatever it asks for.
func (r *Registry) identify(req *http.Request) identity {
	switch scheme(req) {
	case "Basic":
		user, password, _ := req.BasicAuth()
		return identity{user: user, proven: r.options.Auth == Basic && r.options.knows(user, password)}
	case "Bearer":
		if r.tokens == nil {
			return identity{}
		}
		_, token, _ := strings.Cut(req.Header.Get("Authorization"), " ")
		claims, err := r.tokens.verify(strings.TrimSpace(token))
		if err != nil {
			return identity{}
		}
		return identity{user: claims.Subject, proven: true, granted: claims.Access}
	}
	return identity{}
}

// admit lets a request through to the backend, or answers it and returns false.
func (r *Registry) admit(w http.ResponseWriter, q Request, who identity) bool {
	action := "push"
	if q.Method == http.MethodGet || q.Method == http.MethodHead {
		action = "pull"
	}
	switch r.options.Auth {
	case Basic:
		switch {
		case who.proven && (q.Repository == "" || r.options.reaches(who.user, q.Repository)):
			return true
		case who.proven:
			deny(w, http.StatusForbidden, "DENIED", "requested access to the resource is denied")
			return false
		case q.Scheme == "" && action == "pull" && covers(r.options.Public, q.Repository):
			return true
		}
		r.challenge(w, q, "")
	case Bearer:
		switch {
		case who.proven && (q.Repository == "" || grants(who.granted, q.Repository, action)):
			return true
		case who.proven:
			r.challenge(w, q, "insufficient_scope")
		case q.Scheme != "":
			r.challenge(w, q, "invalid_token")
		default:
			r.challenge(w, q, "")
		}
	default:
		return true
	}
	deny(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
	return false
}

// challenge adds the header that says how to come back, with the reason why a token was not enough.
func (r *Registry) challenge(w http.ResponseWriter, q Request, reason string) {
	switch r.options.Auth {
	case Basic:
		w.Header().Set("WWW-Authenticate", `Basic realm="test registry"`)
	case Bearer:
		value := fmt.Sprintf("Bearer realm=%q,service=%q", r.tokens.realm, r.name)
		if q.Repository != "" {
			actions := "pull"
			if q.Method != http.MethodGet && q.Method != http.MethodHead {
				actions = "pull,push"
			}
			value += fmt.Sprintf(",scope=%q", "repository:"+q.Repository+":"+actions)
		}
		if reason != "" {
			value += fmt.Sprintf(",error=%q", reason)
		}
		w.Header().Set("WWW-Authenticate", value)
	}
}

// deny writes an error as the registry protocol spells it:
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes.
func deny(w http.ResponseWriter, status int, code, message string) {
	type entry struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	body, _ := json.Marshal(map[string][]entry{"errors": {{code, message}}}) // strings alone
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(body)
}

// knows reports whether that is the account's password.
func (o Options) knows(user, password string) bool {
	if want, ok := o.Accounts[user]; ok {
		return password == want
	}
	return o.Verify != nil && o.Verify(user, password)
}

// reaches reports whether the account may use the repository.
func (o Options) reaches(user, repository string) bool {
	limits, limited := o.Reach[user]
	return !limited || covers(limits, repository)
}

// covers reports whether the repository is one of those, or lies below one.
func covers(repositories []string, repository string) bool {
	return slices.ContainsFunc(repositories, func(r string) bool {
		return repository == r || strings.HasPrefix(repository, r+"/")
	})
}

// repositoryOf returns the repository that a path of the registry protocol is about, "" for none.
func repositoryOf(path string) string {
	rest, ok := strings.CutPrefix(path, "/v2/")
	if !ok {
		return ""
	}
	// The name may itself hold one of these words, so the last one counts; an upload's path goes on behind "uploads".
	parts := strings.Split(rest, "/")
	for i := len(parts) - 1; i > 0; i-- {
		switch parts[i] {
		case "blobs", "manifests", "tags", "referrers":
			return strings.Join(parts[:i], "/")
		}
	}
	return ""
}
