package cloudtest_test

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/helpers/upstream"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest"
)

func get(ctx context.Context, p *cloudtest.Proxy, url string, attempts int) (upstream.Answer, error) {
	c := upstream.New(upstream.Options{Getenv: p.Getenv})
	defer c.Close()
	return c.Do(ctx, upstream.Request{Service: "the service", Method: http.MethodGet, URL: url, Attempts: attempts})
}

func TestProxyServesRealNames(t *testing.T) {
	t.Parallel()
	p := cloudtest.NewProxy(t)
	gate := cloudtest.NewGate()
	p.Serve("token.example.com", gate.Guard("token", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("host " + r.Host))
	})))
	a, err := get(t.Context(), p, "https://token.example.com/", 1)
	if err != nil || string(a.Body) != "host token.example.com" {
		t.Errorf("got %q, %v", a.Body, err)
	}
	if _, err := get(t.Context(), p, "https://other.example.com/", 1); helpers.ReasonOf(err) != helpers.Unreachable {
		t.Errorf("a host that nobody stands in for: got %v, want %s", err, helpers.Unreachable)
	}
	if want := []string{"token.example.com:443", "other.example.com:443"}; !slices.Equal(p.Called(), want) {
		t.Errorf("called %v, want %v", p.Called(), want)
	}
	if gate.Count("token") != 1 || gate.Total() != 1 {
		t.Errorf("counted %d of %d requests, want 1 of 1", gate.Count("token"), gate.Total())
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	elsewhere := "https://elsewhere.example.com/"
	for name, c := range map[string]struct {
		fault  cloudtest.Fault
		status int
		reason helpers.Reason
	}{
		"none":     {nil, 200, ""},
		"delay":    {cloudtest.Delay(time.Millisecond), 200, ""},
		"throttle": {cloudtest.Throttle(1), 429, ""},
		"status":   {cloudtest.Status(503, "{}"), 503, ""},
		"garbage":  {cloudtest.Garbage("x"), 200, ""},
		"redirect": {cloudtest.Redirect(elsewhere), 307, ""},
		"hang":     {cloudtest.Hang(), 0, helpers.Timeout},
		"drip":     {cloudtest.Drip(), 0, helpers.Timeout},
		"bomb":     {cloudtest.Bomb(nil), 0, helpers.BadAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := cloudtest.NewProxy(t)
			gate := cloudtest.NewGate()
			gate.Order("token", c.fault)
			p.Serve("token.example.com", gate.Guard("token", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
			p.Serve("elsewhere.example.com", gate.Guard("elsewhere", http.NotFoundHandler()))
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			if c.reason != helpers.Timeout {
				ctx, cancel = t.Context(), func() {}
			}
			defer cancel()
			a, err := get(ctx, p, "https://token.example.com/", 1)
			if a.Status != c.status || helpers.ReasonOf(err) != c.reason {
				t.Errorf("got status %d and %v, want %d and %q", a.Status, err, c.status, c.reason)
			}
			if gate.Count("token") != 1 || gate.Count("elsewhere") != 0 {
				t.Errorf("%d requests came, and %d went elsewhere", gate.Count("token"), gate.Count("elsewhere"))
			}
		})
	}
}
