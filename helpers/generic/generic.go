// Package generic makes credentials for any registry that takes a fixed user name and password.
package generic

import (
	"context"
	"strings"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// Exchanger is the [helpers.Exchanger] of all registries without a type of their own. A credential of it does not
// expire and costs no call.
type Exchanger struct{}

// New returns the exchanger; it needs nothing of the machine.
func New(helpers.Machine) helpers.Exchanger { return Exchanger{} }

// Exchange takes the first pair of user name and password that the material holds whole. Some services prescribe the
// user name, or want the token in both places.
func (Exchanger) Exchange(ctx context.Context, r helpers.Registry, m helpers.Material) (helpers.Credential, error) {
	k, err := m.KeySet("generic", r)
	if err != nil {
		return helpers.Credential{}, err
	}
	secret := m.Value(k.Secret)
	username := k.Username
	switch {
	case len(k.Needs) > 0:
		username = m.Value(k.Needs[0])
	case username == "":
		username = secret
	}
	warn(ctx, username)
	return helpers.NewCredential(username, secret, time.Time{}), nil
}

// Keep takes a login as it is.
func Keep(ctx context.Context, l helpers.Login, _ time.Time) helpers.Kept {
	warn(ctx, l.Username())
	return helpers.Kept{Credential: helpers.NewCredential(l.Username(), l.Secret(), time.Time{})}
}

func warn(ctx context.Context, username string) {
	if strings.Contains(username, ":") {
		helpers.Hint(ctx, "a user name with a colon cannot be sent to a registry: Basic authentication ends it there")
	}
}
