package ecr

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/helpers/upstream"
)

// sessionName is the name of sessions when none is given. It is the same each time, so that it can be named in policies.
const sessionName = "docker-credential-beta9"

// stsVersion is that of the API: https://docs.aws.amazon.com/STS/latest/APIReference/welcome.html
const stsVersion = "2011-06-15"

// A role is a role to assume.
type role struct {
	arn, externalID, session string
	duration                 string // seconds; empty leaves it to the service
	named                    string // what names it, for failures
}

func (r role) check() error {
	parts := strings.Split(r.arn, ":")
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "iam" || !strings.HasPrefix(parts[5], "role/") {
		return helpers.Fail(helpers.BadMaterial, r.named+" names a role that is not the ARN of one",
			"write it as arn:aws:iam::<account>:role/<name>")
	}
	return nil
}

// assume wraps an identity by a role that it assumes.
func (c *chain) assume(base identity, r role) (identity, error) {
	if err := r.check(); err != nil {
		return identity{}, err
	}
	endpoint, err := c.sts()
	if err != nil {
		return identity{}, err
	}
	form := url.Values{"Action": {"AssumeRole"}, "RoleArn": {r.arn}, "RoleSessionName": {r.session}}
	for name, value := range map[string]string{"ExternalId": r.externalID, "DurationSeconds": r.duration} {
		if value != "" {
			form.Set(name, value)
		}
	}
	return identity{
		source: r.arn + " from " + base.source,
		parts:  append([]string{"role", r.arn, r.externalID, r.session, r.duration}, base.base()...),
		keys: func(ctx context.Context, reach reach) (helpers.Material, error) {
			m, err := base.keys(ctx, reach)
			if err != nil {
				return helpers.Material{}, err
			}
			a, err := reach.world.signed(ctx, stsRequest(endpoint, form), "sts", c.host.Region, m)
			return c.assumed(a, err, "sts:AssumeRole")
		},
	}, nil
}

// sts returns the endpoint of the token service.
func (c *chain) sts() (string, error) {
	endpoint, err := given(c.machine.Getenv, "AWS_ENDPOINT_URL_STS", c.host)
	if err != nil || endpoint != "" {
		return endpoint, err
	}
	return stsURL(c.host), nil
}

func stsRequest(endpoint string, form url.Values) upstream.Request {
	form.Set("Version", stsVersion)
	return upstream.Request{
		Service: "AWS STS", Method: http.MethodPost, URL: endpoint, Body: []byte(form.Encode()),
		Header:    http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}},
		Throttled: passes,
	}
}

// assumed reads the answer of both actions: the keys of a session.
func (c *chain) assumed(a upstream.Answer, err error, action string) (helpers.Material, error) {
	if err != nil {
		return helpers.Material{}, err
	}
	if !a.OK() {
		return helpers.Material{}, refused(a, action)
	}
	keys := document(a.Body).at(strings.TrimPrefix(action, "sts:") + "Result").at("Credentials")
	if session := keys.text("SessionToken"); session != "" {
		return newKeys(c.registry, "the answer of AWS STS", keys.text("AccessKeyId"), keys.text("SecretAccessKey"), session)
	}
	return helpers.Material{}, helpers.Fail(helpers.BadAnswer, a.Service()+" answered something that is not the XML that is expected", "")
}
