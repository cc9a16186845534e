// Package ecr makes credentials for Amazon's Elastic Container Registry, in every partition, and for ECR Public.
//
// A registry's name tells the region and the endpoint to ask; access keys, a tenant's or those of the machine's own
// identity, sign one call of GetAuthorizationToken, whose token serves all registries of the region that the principal
// may reach, whatever their account.
package ecr

import (
	"context"
	"strings"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/helpers/upstream"
)

// typeName is the name of the row in the table of types.
const typeName = "ecr"

// The keys of material for this type.
const (
	accessKeyID     = "AWS_ACCESS_KEY_ID"
	secretAccessKey = "AWS_SECRET_ACCESS_KEY"
	sessionToken    = "AWS_SESSION_TOKEN"
)

// An Exchanger is the [helpers.Exchanger] of ECR. It takes from its machine the map, the proxy (HTTPS_PROXY, NO_PROXY)
// and the certificates to trust (SSL_CERT_FILE, SSL_CERT_DIR), and nothing else: the AWS_* variables of a machine, which
// may send a call to another endpoint, do not count for material that somebody else gave. The zero Exchanger has no map
// and no proxy, and trusts the system's certificates.
type Exchanger struct{ Machine helpers.Machine }

// New returns the exchanger of a machine.
func New(m helpers.Machine) helpers.Exchanger { return Exchanger{Machine: m} }

// Exchange asks ECR for a token. For ECR Public, which serves anonymous clients too, a token that cannot be had is
// [helpers.ErrNotFound]; any other error is a [*helpers.Failure].
func (e Exchanger) Exchange(ctx context.Context, r helpers.Registry, m helpers.Material) (helpers.Credential, error) {
	k, err := m.KeySet(typeName, r)
	if err != nil {
		return helpers.Credential{}, err
	}
	h, err := hostOf(e.Machine.Map, r)
	if err != nil {
		return helpers.Credential{}, err
	}
	client := upstream.New(upstream.Options{Getenv: e.Machine.Getenv})
	defer client.Close()
	c := caller{client: client, now: time.Now}
	credential, err := c.token(ctx, apiOf(h), m)
	if err != nil && h.Public {
		return helpers.Credential{}, anonymous(ctx, k.Secret, err)
	}
	return credential, err
}

// Share returns what the tokens that are made of the material may be shared by: the keys themselves and the region,
// but not the registry. It is zero for a registry that is not ECR's.
func Share(m *helpers.Map, r helpers.Registry, material helpers.Material) helpers.Key {
	h, err := hostOf(m, r)
	if err != nil || material.IsZero() {
		return helpers.Key{}
	}
	return keyOf(apiOf(h), []string{
		"material", material.Value(accessKeyID), material.Value(secretAccessKey), material.Value(sessionToken),
	}, nil)
}

// hostOf tells which registry of ECR this is.
func hostOf(m *helpers.Map, r helpers.Registry) (helpers.ECRHost, error) {
	if h, ok := m.ECR(r); ok {
		return h, nil
	}
	if p, ok := m.Pin(r); ok && p.Type == typeName {
		return helpers.ECRHost{}, helpers.Fail(helpers.BadMaterial, "the map file does not tell which registry of ECR "+
			r.Identity()+" is", `add "registry" or "region" to its entry`)
	}
	return helpers.ECRHost{}, helpers.Fail(helpers.WrongHost, r.Identity()+" is not a registry of Amazon ECR", "")
}

// anonymous turns a failure for ECR Public into the outcome that leads to anonymous access. The end of the call stays
// what it is: nothing is known then.
func anonymous(ctx context.Context, source string, err error) error {
	if reason := helpers.ReasonOf(err); reason == helpers.Canceled || reason == helpers.Timeout {
		return err
	}
	helpers.LeaveSource(ctx, source, "ECR Public is used without a token: "+err.Error())
	return noneBy(err)
}

// noneBy returns the outcome "none" for a failure that is no reason to fail.
func noneBy(err error) error {
	if helpers.IsOutage(err) {
		return helpers.ErrNoAnswer
	}
	return helpers.ErrNotFound
}

// keyOf makes the key of a token from the endpoint that it comes from, from what tells the identity apart, and from
// everything that the identity is configured by.
func keyOf(a api, identity, configuration []string) helpers.Key {
	token := append([]string{a.service, a.partition, a.region, a.url}, identity...)
	return helpers.Key{Token: helpers.Digest(token...), Origin: helpers.Digest(append(token, configuration...)...)}
}

// newKeys makes material out of access keys. The error is a [*helpers.Failure] with [helpers.BadMaterial], which says
// where the keys come from.
func newKeys(r helpers.Registry, source, id, secret, session string) (helpers.Material, error) {
	switch {
	case id == "" && secret == "":
		return helpers.Material{}, helpers.Fail(helpers.BadMaterial, source+" holds no access keys", "")
	case id == "" || secret == "":
		return helpers.Material{}, helpers.Fail(helpers.BadMaterial, source+" holds half a pair of access keys",
			"give the access key id and the secret access key together")
	case strings.ContainsFunc(id+secret+session, notGraphic):
		return helpers.Material{}, helpers.Fail(helpers.BadMaterial, source+" holds access keys with white space in them",
			"copy the keys again")
	}
	t, _ := helpers.TypeNamed(typeName) // a row of the compiled-in table
	return helpers.NewMaterial(t, r, map[string]string{accessKeyID: id, secretAccessKey: secret, sessionToken: session})
}

// notGraphic holds for what is in no access key, and what would end a line of a header.
func notGraphic(c rune) bool { return c <= ' ' || c > '~' }
