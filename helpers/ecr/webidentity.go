package ecr

import (
	"cmp"
	"context"
	"net/url"
	"strings"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/helpers/jwt"
)

// maxTokenFile is the largest token file that is read, in bytes. STS takes 20 000 characters.
const maxTokenFile = 64 << 10

// webIdentity takes the identity that the environment gives by a token file and a role.
func (c *chain) webIdentity(ctx context.Context) (identity, error) {
	path, arn := c.machine.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE"), c.machine.Getenv("AWS_ROLE_ARN")
	switch {
	case path == "":
		helpers.LeaveSource(ctx, webSource, "AWS_WEB_IDENTITY_TOKEN_FILE is not set")
		return identity{}, helpers.ErrNotFound
	case arn == "":
		return identity{}, helpers.Fail(helpers.BadMaterial, "AWS_WEB_IDENTITY_TOKEN_FILE is set without AWS_ROLE_ARN",
			"set AWS_ROLE_ARN to the role that the token is for")
	}
	return c.webRole(webSource, path, role{
		arn: arn, session: cmp.Or(c.machine.Getenv("AWS_ROLE_SESSION_NAME"), sessionName), named: "AWS_ROLE_ARN",
	})
}

// webRole is an identity of a role that is assumed with the token in a file
// (https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html). The token is exchanged for a
// new one in the file every hour or so; what stays is whom it is for.
func (c *chain) webRole(source, path string, r role) (identity, error) {
	if err := r.check(); err != nil {
		return identity{}, err
	}
	endpoint, err := c.sts()
	if err != nil {
		return identity{}, err
	}
	token, err := readToken(source, path)
	if err != nil {
		return identity{}, err
	}
	who := subject(token)
	if who == nil {
		who = []string{path}
	}
	form := url.Values{
		"Action": {"AssumeRoleWithWebIdentity"}, "RoleArn": {r.arn}, "RoleSessionName": {r.session}, "WebIdentityToken": {token},
	}
	if r.duration != "" {
		form.Set("DurationSeconds", r.duration)
	}
	return identity{
		source: source + " as " + r.arn,
		parts:  append([]string{"web identity", r.arn, r.session, r.duration}, who...),
		keys: func(ctx context.Context, reach reach) (helpers.Material, error) {
			a, err := reach.world.client.Do(ctx, stsRequest(endpoint, form))
			return c.assumed(a, err, "sts:AssumeRoleWithWebIdentity")
		},
	}, nil
}

// readToken reads a file with a token in it.
func readToken(source, path string) (string, error) {
	data, err := readFile(path, maxTokenFile)
	token := strings.TrimSpace(string(data))
	if err != nil || token == "" || strings.ContainsFunc(token, notGraphic) {
		return "", &helpers.Failure{
			Reason: helpers.BadMaterial, Text: "the token file of " + source + " holds no token that can be read",
			Hint: "check the path and the permissions of the file", Cause: err,
		}
	}
	return token, nil
}

// subject returns whom a JSON web token is for: what stays when it is renewed. It returns nothing when the token is not
// one. Whether the token is genuine is for its receiver to say.
func subject(token string) []string {
	var v struct {
		Issuer  string `json:"iss"`
		Subject string `json:"sub"`
	}
	if jwt.ReadClaims(token, &v) != nil || v.Subject == "" {
		return nil
	}
	return []string{v.Issuer, v.Subject}
}
