package upstream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

const (
	// attempts is how often a call is made when the request says nothing. With the pauses below the last one comes
	// about 0.7 s after the first: a throttled token service lets one through by then, and an outage outlasts it.
	attempts = 4
	// firstPause comes before the second attempt; each further one is twice as long, up to longestPause.
	firstPause   = 100 * time.Millisecond
	longestPause = 2 * time.Second
	// patience is the deadline of a call whose context has none.
	patience = 30 * time.Second
)

// Request is one call of a service, in a form that can be made again.
type Request struct {
	// Service is how failures name the service, such as "Amazon ECR".
	Service string
	Method  string
	URL     string
	Header  http.Header
	Body    []byte
	// Prepare is called with each attempt before it is sent: a signature depends on the time. It may be nil.
	Prepare func(*http.Request)
	// Throttled tells of an answer with another status than 429 and 5xx that it asks to come back later. It may be nil.
	Throttled func(Answer) bool
	// Attempts is how often the call is made at most; zero is 4.
	Attempts int
}

// Answer is what a service answered, whatever its status. Header and Body may hold secrets.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte

	service   string // with the host, for failures
	throttled bool
}

// OK tells whether the status is 2xx.
func (a Answer) OK() bool { return a.Status >= 200 && a.Status <= 299 }

// JSON decodes the body, which has to be one JSON value. The error is a [*helpers.Failure] with [helpers.BadAnswer] that
// quotes nothing.
func (a Answer) JSON(v any) error {
	if json.Unmarshal(a.Body, v) != nil {
		return helpers.Fail(helpers.BadAnswer, a.service+" answered something that is not the JSON that is expected", "")
	}
	return nil
}

// Do makes the call. When there is no connection, when the service is out of order (5xx) and when it throttles (429, or
// [Request.Throttled]) the call is made again after a pause, as long as attempts and the context's deadline allow; a
// pause that would not end before the deadline is not begun, so that what comes back is the reason and not a time-out.
//
// An answer of any status is returned without an error: [Answer.OK] and [Answer.Failure] read it. The error, when there
// is no answer, is a [*helpers.Failure]. Redirects are not followed: they are answers.
func (c *Client) Do(ctx context.Context, r Request) (Answer, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	last := r.Attempts
	if last == 0 {
		last = attempts
	}
	for attempt := 1; ; attempt++ {
		a, err := c.once(ctx, r)
		again, wait := retry(a, err)
		if !again || attempt >= last {
			return a, err
		}
		if wait == 0 {
			wait = jitter(attempt)
		}
		if deadline, _ := ctx.Deadline(); time.Until(deadline) <= wait || c.pause(ctx, wait) != nil {
			return a, err
		}
	}
}

func (c *Client) once(ctx context.Context, r Request) (Answer, error) {
	request, err := http.NewRequestWithContext(ctx, r.Method, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return Answer{}, helpers.Fail(helpers.BadMaterial, r.Service+" has no address that can be called", "")
	}
	service := r.Service + " at " + request.URL.Host
	if r.Header != nil {
		request.Header = r.Header.Clone()
	}
	if r.Prepare != nil {
		r.Prepare(request)
	}
	response, err := c.RoundTrip(request)
	if err != nil {
		return Answer{}, explain(ctx, service, err)
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close() // it was read to its end, or is given up
	if err == nil {
		// A server that is told that the call is over may end its answer in good order where it stands.
		err = ctx.Err()
	}
	if err != nil {
		return Answer{}, explain(ctx, service, err)
	}
	a := Answer{Status: response.StatusCode, Header: response.Header, Body: body, service: service}
	a.throttled = a.Status == http.StatusTooManyRequests || !a.OK() && r.Throttled != nil && r.Throttled(a)
	return a, nil
}

// retry tells whether another attempt may bring something else, and how long the server asked to wait for it.
func retry(a Answer, err error) (bool, time.Duration) {
	if err != nil {
		f, ok := errors.AsType[*helpers.Failure](err)
		return ok && f.Reason == helpers.Unreachable && !errors.Is(err, errLasting), 0
	}
	if !a.throttled && a.Status < 500 {
		return false, 0
	}
	// Of the two forms of RFC 9110, section 10.2.3, the services use the seconds.
	seconds, err := strconv.ParseUint(a.Header.Get("Retry-After"), 10, 16)
	if err != nil {
		return true, 0
	}
	return true, time.Duration(seconds) * time.Second
}

// jitter returns the pause behind an attempt: between half and the whole of a time that doubles, so that callers that
// were throttled together do not come back together.
func jitter(attempt int) time.Duration {
	d := min(firstPause<<min(attempt-1, 10), longestPause)
	return d/2 + rand.N(d/2)
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
