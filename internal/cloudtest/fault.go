package cloudtest

import (
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// A Fault answers a request in a service's place, or lets the service answer after all.
type Fault func(w http.ResponseWriter, r *http.Request, next http.Handler)

// BombSize is how much [Bomb] answers unless the client stops it, in bytes: 2 GiB.
const BombSize = 2 << 30

// Delay lets every answer wait. A stand-in that answers at once hides callers that do not wait for each other.
func Delay(d time.Duration) Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if pause(r, d) {
			next.ServeHTTP(w, r)
		}
	}
}

// Status answers every request with a status and a body of JSON.
func Status(code int, body string) Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_, _ = w.Write([]byte(body))
	}
}

// Times lets a fault answer the first n requests.
func Times(n int, f Fault) Fault {
	var seen atomic.Int64
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if seen.Add(1) <= int64(n) {
			f(w, r, next)
			return
		}
		next.ServeHTTP(w, r)
	}
}

// Throttle answers the first n requests with 429.
func Throttle(n int) Fault {
	return Times(n, Status(http.StatusTooManyRequests, `{"error":"too many requests"}`))
}

// Garbage answers every request with 200 and a body that is no JSON and holds the canary.
func Garbage(canary string) Fault {
	return Status(http.StatusOK, "<html>\x00\xff"+canary)
}

// Redirect sends every request elsewhere, in the way that keeps its method and its body.
func Redirect(url string) Fault {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		http.Redirect(w, r, url, http.StatusTemporaryRedirect)
	}
}

// Hang never answers: it returns when the client has gone.
func Hang() Fault {
	return func(_ http.ResponseWriter, r *http.Request, _ http.Handler) { <-r.Context().Done() }
}

// Drip starts an answer and goes on with one byte every 20 ms until the client has gone.
func Drip() Fault {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		flow := http.NewResponseController(w)
		_, _ = w.Write([]byte(`{"access_token":"`))
		for pause(r, 20*time.Millisecond) {
			if _, err := w.Write([]byte("a")); err != nil {
				return
			}
			_ = flow.Flush()
		}
	}
}

// Bomb starts an answer that is well formed as far as it goes, and goes on for [BombSize] bytes. It adds what it could
// send to sent, when that is not nil.
func Bomb(sent *atomic.Int64) Fault {
	chunk := []byte(strings.Repeat("a", 64<<10))
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		_, _ = w.Write([]byte(`{"access_token":"`))
		for n := 0; n < BombSize; n += len(chunk) {
			if _, err := w.Write(chunk); err != nil {
				return
			}
			if sent != nil {
				sent.Add(int64(len(chunk)))
			}
		}
	}
}

// pause waits and tells whether the client is still there.
func pause(r *http.Request, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}
