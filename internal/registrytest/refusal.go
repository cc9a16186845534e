package registrytest

import (
	"net/http"
	"sync"
)

// Refusal is an answer that a client gets in place of the registry's own.
type Refusal struct {
	Status int
	// Code and Message make up the body, in the registry protocol's error format.
	Code, Message string
	// Challenge adds the WWW-Authenticate header that the registry sends with a 401 of its own. InProcess only.
	Challenge bool
	// When picks the requests, as they look before they are answered. Default: every one to the registry, none to its token
	// server.
	When func(Request) bool
	// Times is how many requests are refused before the registry answers again. Default: no end.
	Times int
}

// ExpiredECRToken is how Amazon ECR answers to a token that was good once: 403, where others say 401, and no challenge. See
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/common-errors-docker.html.
func ExpiredECRToken() Refusal {
	return Refusal{
		Status:  http.StatusForbidden,
		Code:    "DENIED",
		Message: "Your authorization token has expired. Reauthenticate and try again.",
		When:    func(q Request) bool { return q.Scheme == "Basic" },
	}
}

// refusals is the one in force, if any.
type refusals struct {
	mu      sync.Mutex
	current *Refusal
	left    int // how often it still applies, when Times is set
}

// Refuse makes the registry refuse from now on, in place of any earlier refusal.
func (r *Registry) Refuse(f Refusal) {
	r.refusals.mu.Lock()
	defer r.refusals.mu.Unlock()
	r.refusals.current, r.refusals.left = &f, f.Times
}

// Relent ends a refusal.
func (r *Registry) Relent() {
	r.refusals.mu.Lock()
	defer r.refusals.mu.Unlock()
	r.refusals.current = nil
}

// refusal returns the one that meets the request, if any, and counts it.
func (r *Registry) refusal(q Request) *Refusal {
	r.refusals.mu.Lock()
	defer r.refusals.mu.Unlock()
	f := r.refusals.current
	switch {
	case f == nil:
		return nil
	case f.When != nil && !f.When(q):
		return nil
	case f.When == nil && q.Path == tokenPath:
		return nil
	}
	if f.Times > 0 {
		if r.refusals.left == 0 {
			return nil
		}
		r.refusals.left--
	}
	return f
}
