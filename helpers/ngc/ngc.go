// Package ngc makes credentials for NVIDIA's registry from an API key.
package ngc

import (
	"context"
	"strings"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

const (
	// username is literally what the registry asks for.
	username = "$oauthtoken"
	// keyPrefix starts the keys that every service of NVIDIA takes.
	keyPrefix = "nvapi-"
)

// Exchanger is the [helpers.Exchanger] of NVIDIA's registry. A credential of it does not expire and costs no call.
type Exchanger struct{}

// New returns the exchanger; it needs nothing of the machine.
func New(helpers.Machine) helpers.Exchanger { return Exchanger{} }

// Exchange takes the first key that the material holds.
func (Exchanger) Exchange(ctx context.Context, r helpers.Registry, m helpers.Material) (helpers.Credential, error) {
	k, err := m.KeySet("ngc", r)
	if err != nil {
		return helpers.Credential{}, err
	}
	key := m.Value(k.Secret)
	warn(ctx, key)
	return helpers.NewCredential(username, key, time.Time{}), nil
}

// Keep takes a login as it is.
func Keep(ctx context.Context, l helpers.Login, _ time.Time) helpers.Kept {
	warn(ctx, l.Secret())
	if l.Username() != username {
		helpers.Hint(ctx, "the user name for nvcr.io is "+username+", with the dollar sign")
	}
	return helpers.Kept{Credential: helpers.NewCredential(l.Username(), l.Secret(), time.Time{})}
}

func warn(ctx context.Context, key string) {
	if !strings.HasPrefix(key, keyPrefix) {
		helpers.Hint(ctx, "newer services refuse a key that does not start with "+keyPrefix+
			": generate a personal or service key in the NGC console")
	}
}
