package ecr

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
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
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html). When the signature is refused and the
// server's clock shows another time, it is made once more for that time: a machine whose clock is off cannot set it
// right by itself.
func (c caller) signed(ctx context.Context, r upstream.Request, service, region string, m helpers.Material) (upstream.Answer, error) {
	var offset time.Duration
	sum := sha256.Sum256(r.Body)
	r.Throttled = passes
	r.Prepare = func(request *http.Request) error {
		keys := aws.Credentials{
			AccessKeyID: m.Value(accessKeyID), SecretAccessKey: m.Value(secretAccessKey), SessionToken: m.Value(sessionToken),
		}
		err := v4.NewSigner().SignHTTP(ctx, keys, request, hex.EncodeToString(sum[:]), service, region, c.now().Add(offset))
		if err != nil {
			return helpers.Fail(helpers.Internal, "the call of "+r.Service+" cannot be signed", "")
		}
		return nil
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
