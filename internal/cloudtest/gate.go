// Package cloudtest is what the stand-ins for the clouds' token services have in common: they are counted, and they
// misbehave on order.
//
//	gate := cloudtest.NewGate()
//	server := httptest.NewServer(gate.Guard("token", handler))
//	gate.Order("token", cloudtest.Throttle(1))
//	...
//	if gate.Count("token") != 2 { ... }
package cloudtest

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"sync"
)

// maxRequest is the largest request that a stand-in reads, in bytes: several times a form with a token in it.
const maxRequest = 1 << 20

// A Gate stands in front of the services of one stand-in. It counts the requests to each by name and lets an ordered
// [Fault] answer in its place. It may be used by several goroutines at once.
type Gate struct {
	mu     sync.Mutex
	counts map[string]int
	faults map[string]Fault
}

// NewGate returns a gate that lets everything through.
func NewGate() *Gate {
	return &Gate{counts: map[string]int{}, faults: map[string]Fault{}}
}

// Guard puts the gate in front of a service. The request's body is read whole beforehand, so that the server notices
// when the client goes away.
func (g *Gate) Guard(service string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
		if err != nil {
			http.Error(w, "the request cannot be read", http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		g.mu.Lock()
		g.counts[service]++
		fault := g.faults[service]
		g.mu.Unlock()
		if fault == nil {
			next.ServeHTTP(w, r)
			return
		}
		fault(w, r, next)
	})
}

// Order makes a service misbehave from the next request on; nil makes it behave again.
func (g *Gate) Order(service string, f Fault) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.faults[service] = f
}

// Count returns how many requests a service has had.
func (g *Gate) Count(service string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.counts[service]
}

// Counts returns how many requests each service has had.
func (g *Gate) Counts() map[string]int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.counts)
}

// Total returns how many requests all services have had.
func (g *Gate) Total() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := 0
	for _, count := range g.counts {
		n += count
	}
	return n
}
