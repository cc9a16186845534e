package ecr

import (
	"context"
	"net/http"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/helpers/sigv4"
	"github.com/beam-cloud/docker-credential-beta9/helpers/upstream"
)

// skewed is how far the clock has to be off before a refused signature is made again by the server's clock. The
// services take five minutes to either side.
const skewed = 4 * time.Minute

// onTheWay is the deadline of a helper's call, and so the most that an answer's date can be old.
const onTheWay = 10 * time.Second

// A caller makes signed calls.
type caller struct {
	client *upstream.Client
	now    func() time.Time
}

// signed makes a call with Signature Version 4
// (package sigv4). When the signature is refused and the
// server's clock shows another time, it is made once more for that time: a machine whose clock is off cannot set it
// right by itself.
func (c caller) signed(ctx context.Context, r upstream.Request, service, region string, m helpers.Material) (upstream.Answer, error) {
	var offset time.Duration
	keys := sigv4.Keys{ID: m.Value(accessKeyID), Secret: m.Value(secretAccessKey), Session: m.Value(sessionToken)}
	r.Throttled = passes
	r.Prepare = func(request *http.Request) {
		sigv4.Sign(request, r.Body, keys, service, region, c.now().Add(offset))
	}
	a, err := c.client.Do(ctx, r)
	if err != nil || a.OK() || refusalOf(a) != badSignature {
		return a, err
	}
	if offset = c.ahead(a); offset.Abs() < skewed {
		return a, nil
	}
	return c.client.Do(ctx, r)
}

// ahead returns by how much the clock of whoever answered is ahead of this machine's: nothing when the answer does not
// tell, or when it is no more than an answer may have been on its way.
func (c caller) ahead(a upstream.Answer) time.Duration {
	theirs, err := http.ParseTime(a.Header.Get("Date"))
	if d := theirs.Sub(c.now()); err == nil && d.Abs() > onTheWay {
		return d
	}
	return 0
}
