package upstream

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// canary stands for a secret that a server puts into whatever it answers.
const canary = "not-a-secret-canary"

// local makes a client that may call the test's own servers, and that counts its pauses instead of making them.
func local(t *testing.T, pauses *[]time.Duration) *Client {
	t.Helper()
	c := New(Options{Plain: Loopback})
	t.Cleanup(c.Close)
	c.pause = func(ctx context.Context, d time.Duration) error {
		if pauses != nil {
			*pauses = append(*pauses, d)
		}
		return ctx.Err()
	}
	return c
}

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func TestDoReadsEveryStatus(t *testing.T) {
	t.Parallel()
	tests := []struct {
		status    int
		throttled bool // what the request's own look at the answer says
		attempts  int32
		want      helpers.Reason
	}{
		{status: 200, attempts: 1},
		{status: 204, attempts: 1},
		{status: 302, attempts: 1, want: helpers.BadAnswer},
		{status: 400, attempts: 1, want: helpers.BadAnswer},
		{status: 400, throttled: true, attempts: 4, want: helpers.Throttled},
		{status: 401, attempts: 1, want: helpers.AccessDenied},
		{status: 403, attempts: 1, want: helpers.AccessDenied},
		{status: 404, attempts: 1, want: helpers.BadAnswer},
		{status: 429, attempts: 4, want: helpers.Throttled},
		{status: 500, attempts: 4, want: helpers.Unavailable},
		{status: 503, attempts: 4, want: helpers.Unavailable},
	}
	for _, test := range tests {
		t.Run(http.StatusText(test.status), func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int32
			second := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") })
			url := serve(t, func(w http.ResponseWriter, r *http.Request) {
				calls.Add(1)
				body, _ := io.ReadAll(r.Body)
				if string(body) != "payload" || r.Header.Get("X-Kind") != "test" || r.Header.Get("X-Prepared") != "yes" {
					t.Errorf("attempt %d lacks a part of the request", calls.Load())
				}
				w.Header().Set("Location", second)
				w.WriteHeader(test.status)
				if test.status != 204 {
					_, _ = io.WriteString(w, canary)
				}
			})
			a, err := local(t, nil).Do(t.Context(), Request{
				Service: "the test", Method: "POST", URL: url, Body: []byte("payload"), Header: http.Header{"X-Kind": {"test"}},
				Prepare:   func(r *http.Request) { r.Header.Set("X-Prepared", "yes") },
				Throttled: func(Answer) bool { return test.throttled },
			})
			if err != nil || a.Status != test.status {
				t.Fatalf("got status %d and %v", a.Status, err)
			}
			if calls.Load() != test.attempts {
				t.Errorf("%d attempts, not %d", calls.Load(), test.attempts)
			}
			if a.OK() != (test.want == "") {
				t.Errorf("OK is %v", a.OK())
			}
			if a.OK() {
				return
			}
			f := a.Failure()
			if f.Reason != test.want || strings.Contains(f.Error()+f.Hint, canary) || !strings.Contains(f.Text, "the test at 127.0.0.1") {
				t.Errorf("the failure is %q", f.Error())
			}
		})
	}
}

func TestDoWaitsAsLongAsItIsAsked(t *testing.T) {
	t.Parallel()
	answers := []func(http.ResponseWriter){
		func(w http.ResponseWriter) { w.WriteHeader(503) },
		func(w http.ResponseWriter) { w.Header().Set("Retry-After", "3"); w.WriteHeader(429) },
		func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT")
			w.WriteHeader(429)
		},
		func(w http.ResponseWriter) { _, _ = io.WriteString(w, `{}`) },
	}
	var calls atomic.Int32
	url := serve(t, func(w http.ResponseWriter, r *http.Request) { answers[calls.Add(1)-1](w) })
	var pauses []time.Duration
	a, err := local(t, &pauses).Do(t.Context(), Request{Service: "the test", Method: "GET", URL: url})
	if err != nil || !a.OK() || len(pauses) != 3 {
		t.Fatalf("got %d, %v, pauses %v", a.Status, err, pauses)
	}
	within := func(d, low, high time.Duration) bool { return low <= d && d <= high }
	if !within(pauses[0], firstPause/2, firstPause) || pauses[1] != 3*time.Second || !within(pauses[2], 2*firstPause, 4*firstPause) {
		t.Errorf("pauses %v", pauses)
	}
}

func TestDoGivesTheReasonRatherThanATimeout(t *testing.T) {
	t.Parallel()
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "60")
		w.WriteHeader(429)
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var pauses []time.Duration
	a, err := local(t, &pauses).Do(ctx, Request{Service: "the test", Method: "GET", URL: url})
	if err != nil || a.Failure().Reason != helpers.Throttled || len(pauses) != 0 {
		t.Errorf("got %v, %v, pauses %v", a.Failure(), err, pauses)
	}
}

func TestDoWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	hang := func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	tests := []struct {
		name    string
		handler http.HandlerFunc
		url     string // instead of a handler
		limit   time.Duration
		pauses  int
		want    helpers.Reason
	}{
		{name: "refused", url: "http://" + refused(t), pauses: 3, want: helpers.Unreachable},
		{name: "no such name", url: "https://no-such-name.invalid", want: helpers.Unreachable},
		{name: "no address", url: "https://\x7f", want: helpers.BadMaterial},
		{name: "plain http elsewhere", url: "http://192.0.2.1", want: helpers.BadMaterial},
		{name: "another scheme", url: "ftp://127.0.0.1", want: helpers.BadMaterial},
		{name: "hangs", handler: hang, limit: 50 * time.Millisecond, want: helpers.Timeout},
		{name: "drips", limit: 50 * time.Millisecond, want: helpers.Timeout, handler: func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, canary)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}},
		{name: "resets", pauses: 3, want: helpers.Unreachable, handler: func(w http.ResponseWriter, r *http.Request) {
			panic(http.ErrAbortHandler)
		}},
		{name: "ends early", pauses: 3, want: helpers.Unreachable, handler: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, canary)
		}},
		{name: "does not end", want: helpers.BadAnswer, handler: func(w http.ResponseWriter, r *http.Request) {
			for chunk := strings.Repeat(canary, 1000); r.Context().Err() == nil; {
				if _, err := io.WriteString(w, chunk); err != nil {
					return
				}
			}
		}},
		{name: "large header", pauses: 3, want: helpers.Unreachable, handler: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Large", strings.Repeat(canary, 8<<10))
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url := test.url
			if test.handler != nil {
				url = serve(t, test.handler)
			}
			ctx := t.Context()
			if test.limit > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, test.limit)
				defer cancel()
			}
			var pauses []time.Duration
			_, err := local(t, &pauses).Do(ctx, Request{Service: "the test", Method: "GET", URL: url})
			f, ok := errors.AsType[*helpers.Failure](err)
			if !ok || f.Reason != test.want {
				t.Fatalf("got %v, not %v", err, test.want)
			}
			if strings.Contains(f.Error()+f.Hint, canary) || f.Cause != nil && strings.Contains(f.Cause.Error(), canary) {
				t.Error("the failure quotes the server")
			}
			if len(pauses) != test.pauses {
				t.Errorf("%d pauses, not %d", len(pauses), test.pauses)
			}
		})
	}
}

func TestDoEndsWhenTheCallerDoes(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	_, err := local(t, nil).Do(ctx, Request{Service: "the test", Method: "GET", URL: url})
	if !errors.Is(err, helpers.Canceled) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestJSONQuotesNothing(t *testing.T) {
	t.Parallel()
	for body, ok := range map[string]bool{
		`{"a":"b"}`: true, ``: false, canary: false, `{"a":` + canary: false, `{"a":"b"} {}`: false, `{"a":["` + canary + `"]}`: false,
	} {
		var v struct{ A string }
		err := Answer{Body: []byte(body), service: "the test"}.JSON(&v)
		if (err == nil) != ok {
			t.Errorf("%q: %v", body, err)
		}
		if err != nil && (helpers.ReasonOf(err) != helpers.BadAnswer || strings.Contains(err.Error(), canary)) {
			t.Errorf("%q: %v", body, err)
		}
	}
}

// refused returns an address at which nobody listens.
func refused(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
