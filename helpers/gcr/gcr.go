// Package gcr makes credentials for Google's Container Registry and Artifact Registry: access tokens, which every host
// of the two takes from whoever may use it.
//
// A tenant's material is an access token, a service account's key or a person's login. The machine's own identity
// ([Ambient]) may also be federated, impersonated, or the metadata server's. Tokens come from Google's public endpoints
// and from nowhere else: the URLs and the universe_domain in an identity's JSON are not looked at.
package gcr

import (
	"context"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/helpers/upstream"
)

const (
	typ = "gcr"
	// username is literally what the registries ask for beside an access token.
	username = "oauth2accesstoken"
	// tokenKey is the only key whose value is a credential already.
	tokenKey = "GCP_ACCESS_TOKEN"
)

// Exchanger is the [helpers.Exchanger] of Google's registries. [New] makes one. It is safe for concurrent use.
type Exchanger struct{ service *service }

// New returns an exchanger that takes proxies and certificates from the machine's environment, see [upstream.Options],
// and nothing else of the machine.
func New(m helpers.Machine) helpers.Exchanger {
	return &Exchanger{&service{client: upstream.New(upstream.Options{Getenv: m.Getenv}), now: time.Now}}
}

// Exchange makes an access token. An access token that is material itself is handed on, and when it ends is not known.
// The error is a [*helpers.Failure]; it never quotes the material or an answer.
func (e *Exchanger) Exchange(ctx context.Context, r helpers.Registry, m helpers.Material) (helpers.Credential, error) {
	k, err := m.KeySet(typ, r)
	if err != nil {
		return helpers.Credential{}, err
	}
	// A host that no service owns may have been pinned to this type; one of another service was not.
	if t, ok := helpers.Lookup(r); !ok || t.Name != typ && !t.CatchAll() {
		return helpers.Credential{}, helpers.Fail(helpers.WrongHost, r.Identity()+" is not a registry of Google's", "")
	}
	value := m.Value(k.Secret)
	if k.Secret == tokenKey {
		return newCredential(tokenKey, value, time.Time{})
	}
	id, err := parseHandedIn(k.Secret, value)
	if err != nil {
		return helpers.Credential{}, err
	}
	return id.token(ctx, e.service)
}

// Share returns what tokens made of the material may be shared by: one token serves every registry of Google's, and so
// does not depend on the host. An access token is not shared, since it costs nothing.
func Share(_ *helpers.Map, r helpers.Registry, m helpers.Material) helpers.Key {
	k, err := m.KeySet(typ, r)
	if err != nil || k.Secret == tokenKey {
		return helpers.Key{}
	}
	print := helpers.Digest("material", m.Value(k.Secret))
	return helpers.Key{Token: print, Origin: print}
}

// newCredential checks an access token before it is handed on. What hands it out may lie, or may be configured to hold
// something else; the error does not quote it.
func newCredential(from, token string, expires time.Time) (helpers.Credential, error) {
	for i := range len(token) {
		if c := token[i]; c <= ' ' || c > '~' { // a token is visible ASCII: RFC 6749, appendix A.12
			return helpers.Credential{}, helpers.Fail(helpers.BadMaterial, from+" holds no access token",
				"an access token starts with ya29. and has neither spaces nor line breaks")
		}
	}
	return helpers.NewCredential(username, token, expires), nil
}
