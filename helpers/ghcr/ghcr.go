// Package ghcr makes credentials for GitHub's registries from a token.
package ghcr

import (
	"context"
	"strings"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

const (
	// anyone is the user name that goes with a token when none is given: GitHub's registry takes every name that is
	// not empty.
	anyone = "x-access-token"
	// fineGrainedPrefix starts GitHub's fine-grained personal access tokens.
	fineGrainedPrefix = "github_pat_"
)

// Exchanger is the [helpers.Exchanger] of GitHub's registries. A credential of it costs no call; when its token
// expires is not to be seen from it.
type Exchanger struct{}

// New returns the exchanger; it needs nothing of the machine.
func New(helpers.Machine) helpers.Exchanger { return Exchanger{} }

// Exchange takes the first token that the material holds. The user name is the one beside it, and never the token.
func (Exchanger) Exchange(ctx context.Context, r helpers.Registry, m helpers.Material) (helpers.Credential, error) {
	k, err := m.KeySet("ghcr", r)
	if err != nil {
		return helpers.Credential{}, err
	}
	username, token := anyone, m.Value(k.Secret)
	for _, key := range k.Takes {
		if v := m.Value(key); v != "" && v != token {
			username = v
			break
		}
	}
	warn(ctx, token)
	return helpers.NewCredential(username, token, time.Time{}), nil
}

// Keep takes a login as it is.
func Keep(ctx context.Context, l helpers.Login, _ time.Time) helpers.Kept {
	warn(ctx, l.Secret())
	return helpers.Kept{Credential: helpers.NewCredential(l.Username(), l.Secret(), time.Time{})}
}

func warn(ctx context.Context, token string) {
	if strings.HasPrefix(token, fineGrainedPrefix) {
		helpers.Hint(ctx, "GitHub's registry does not take fine-grained tokens ("+fineGrainedPrefix+
			"...): use a classic token with the scope read:packages")
	}
}
