package ecr

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/helpers/upstream"
)

// The addresses of the metadata services of containers: of ECS, and of EKS by either version of the protocol. Outside of
// them and of this machine's loopback addresses, plain http is refused.
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
const (
	ecsAddress   = "169.254.170.2"
	eksAddress   = "169.254.170.23"
	eksAddressV6 = "fd00:ec2::23"
)

// container takes the identity that the container's metadata service gives.
func (c *chain) container(ctx context.Context) (identity, error) {
	endpoint, err := c.containerURL()
	if err != nil {
		return identity{}, err
	}
	if endpoint == "" {
		helpers.LeaveSource(ctx, containerSource,
			"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and AWS_CONTAINER_CREDENTIALS_FULL_URI are not set")
		return identity{}, helpers.ErrNotFound
	}
	header := http.Header{"Accept": {"application/json"}}
	token, err := c.containerToken()
	if err != nil {
		return identity{}, err
	}
	parts := []string{"container", endpoint}
	if token != "" {
		header.Set("Authorization", token)
		who := subject(token)
		if who == nil {
			who = []string{token} // nothing tells whom it is for
		}
		parts = append(parts, who...)
	}
	return identity{
		source: containerSource, parts: parts,
		keys: func(ctx context.Context, reach reach) (helpers.Material, error) {
			a, err := reach.near.Do(ctx, upstream.Request{
				Service: "the " + containerSource, Method: http.MethodGet, URL: endpoint, Header: header, Throttled: passes,
			})
			if err != nil {
				return helpers.Material{}, err
			}
			if !a.OK() {
				return helpers.Material{}, refused(a, "the keys of the container's role")
			}
			return c.metadataKeys(a)
		},
	}, nil
}

// containerURL returns where the service is, or nothing when no variable says so.
func (c *chain) containerURL() (string, error) {
	if path := c.machine.Getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"); path != "" {
		if path[0] != '/' {
			return "", helpers.Fail(helpers.BadMaterial, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is not a path", "start it with /")
		}
		return "http://" + ecsAddress + path, nil
	}
	full := c.machine.Getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI")
	if full == "" {
		return "", nil
	}
	u, err := url.Parse(full)
	if err == nil && u.Host != "" && u.Scheme == "https" {
		return full, nil
	}
	if err == nil && u.Scheme == "http" {
		switch host := u.Hostname(); {
		case host == ecsAddress, host == eksAddress, host == eksAddressV6, upstream.Loopback(host):
			return full, nil
		}
	}
	return "", helpers.Fail(helpers.BadMaterial,
		"AWS_CONTAINER_CREDENTIALS_FULL_URI is neither https nor an address of this machine, of ECS or of EKS", "")
}

// containerToken returns what the service wants as authorization, or nothing. The file counts before the variable.
func (c *chain) containerToken() (string, error) {
	if path := c.machine.Getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"); path != "" {
		return readToken(containerSource, path)
	}
	token := c.machine.Getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN")
	if strings.ContainsFunc(token, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "", helpers.Fail(helpers.BadMaterial, "AWS_CONTAINER_AUTHORIZATION_TOKEN holds a character that no header may", "")
	}
	return token, nil
}

// metadataKeys reads the keys as the metadata services of containers and instances write them. "Success" is the
// instance's; a container's has no code.
func (c *chain) metadataKeys(a upstream.Answer) (helpers.Material, error) {
	var v struct{ Code, AccessKeyID, SecretAccessKey, Token string }
	if err := a.JSON(&v); err != nil {
		return helpers.Material{}, err
	}
	if v.Code != "" && v.Code != "Success" {
		return helpers.Material{}, helpers.Fail(helpers.AccessDenied, a.Service()+" has no keys for the role",
			"see whether the role's trust policy names the service that runs this machine")
	}
	return newKeys(c.registry, "the answer of "+a.Service(), v.AccessKeyID, v.SecretAccessKey, v.Token)
}
