// Package dockerhub makes credentials for Docker Hub from a user name and a password or token.
package dockerhub

import (
	"context"
	"strings"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// organisationPrefix starts Docker Hub's organisation access tokens.
const organisationPrefix = "dckr_oat_"

// Exchanger is the [helpers.Exchanger] of Docker Hub. A credential of it does not expire and costs no call.
type Exchanger struct{}

// New returns the exchanger; it needs nothing of the machine.
func New(helpers.Machine) helpers.Exchanger { return Exchanger{} }

// Exchange takes the first pair of user name and secret that the material holds whole.
func (Exchanger) Exchange(ctx context.Context, r helpers.Registry, m helpers.Material) (helpers.Credential, error) {
	k, err := m.KeySet("dockerhub", r)
	if err != nil {
		return helpers.Credential{}, err
	}
	username, secret := m.Value(k.Needs[0]), m.Value(k.Secret)
	advise(ctx, secret)
	return helpers.NewCredential(username, secret, time.Time{}), nil
}

// Keep takes a login as it is.
func Keep(ctx context.Context, l helpers.Login, _ time.Time) helpers.Kept {
	advise(ctx, l.Secret())
	return helpers.Kept{Credential: helpers.NewCredential(l.Username(), l.Secret(), time.Time{})}
}

func advise(ctx context.Context, secret string) {
	if strings.HasPrefix(secret, organisationPrefix) {
		helpers.Advise(ctx, "a token that starts with "+organisationPrefix+
			" belongs to an organisation: it works with the organisation's name as user name, not with a person's")
	}
}
