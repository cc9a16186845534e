package ecr

import (
	"context"
	"encoding/base64"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/helpers/upstream"
)

// authorization is one entry of the answer of GetAuthorizationToken. Its proxyEndpoint is left out: it names the caller's
// own account, which need not be the registry's.
type authorization struct {
	Token     string  `json:"authorizationToken"`
	ExpiresAt float64 `json:"expiresAt"` // seconds since 1970
}

// token asks for a token with the keys that the material holds.
func (c caller) token(ctx context.Context, a api, m helpers.Material) (helpers.Credential, error) {
	service := "Amazon ECR"
	if a.public {
		service = "Amazon ECR Public"
	}
	answer, err := c.signed(ctx, upstream.Request{
		Service: service, Method: http.MethodPost, URL: a.url,
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {a.target}},
		Body:   []byte("{}"),
	}, a.service, a.region, m)
	if err != nil {
		return helpers.Credential{}, err
	}
	if !answer.OK() {
		return helpers.Credential{}, refused(answer, a.service+":GetAuthorizationToken")
	}
	data, err := authorizationOf(answer, a.public)
	if err != nil {
		return helpers.Credential{}, err
	}
	return data.credential(answer.Service(), c.now(), c.ahead(answer))
}

// authorizationOf reads the answer: a list in private registries, one object in the public one.
func authorizationOf(answer upstream.Answer, public bool) (authorization, error) {
	if public {
		var v struct {
			Data authorization `json:"authorizationData"`
		}
		err := answer.JSON(&v)
		return v.Data, err
	}
	var v struct {
		Data []authorization `json:"authorizationData"`
	}
	if err := answer.JSON(&v); err != nil || len(v.Data) == 0 {
		return authorization{}, err
	}
	return v.Data[0], nil
}

// credential reads "user:password" out of the token. A token without an end of life is refused, since it would be taken
// for one that has none, and so is one that is past it. The end is one by this machine's clock, which the service's is
// ahead of by some time.
func (d authorization) credential(service string, now time.Time, ahead time.Duration) (helpers.Credential, error) {
	pair, err := base64.StdEncoding.DecodeString(d.Token)
	username, password, ok := strings.Cut(string(pair), ":")
	if err != nil || !ok || username == "" || password == "" || strings.ContainsFunc(string(pair), notGraphic) {
		return helpers.Credential{}, helpers.Fail(helpers.BadAnswer, service+" answered without a token", "")
	}
	expires := unixSeconds(d.ExpiresAt).Add(-ahead)
	if !now.Before(expires) { // no time at all lies in the past, too
		return helpers.Credential{}, helpers.Fail(helpers.BadAnswer, service+" answered a token that has expired or does not tell its end",
			"see whether the clock of this machine is right")
	}
	return helpers.NewCredential(username, password, expires), nil
}

// unixSeconds reads a time from before the year 2200, and returns the zero time for anything else.
func unixSeconds(s float64) time.Time {
	if !(s > 0 && s < 7258118400) {
		return time.Time{}
	}
	whole, fraction := math.Modf(s)
	return time.Unix(int64(whole), int64(fraction*1e9))
}
