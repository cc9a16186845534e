package acr

import (
	"context"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// Keep keeps a name and its password as they are: those of a registry's token, its admin user, or an application. A
// registry's own token, as "az acr login" stores it, is kept until it expires. One that does not say when it expires is
// dropped.
func Keep(ctx context.Context, l helpers.Login, now time.Time) helpers.Kept {
	if l.Username() == username || l.Username() == helpers.IdentityToken {
		switch expires, ok := expiry(l.Secret()); {
		case !ok:
			helpers.Advise(ctx, "the login is not kept: the password of "+l.Username()+" is not a registry's token that says when it expires")
		case !expires.After(now):
			helpers.Advise(ctx, "the login is not kept: the token has expired; run az acr login again")
		default:
			return helpers.Kept{Credential: helpers.NewCredential(l.Username(), l.Secret(), expires)}
		}
		return helpers.Kept{}
	}
	t, _ := helpers.TypeNamed(typ)
	m, err := helpers.NewMaterial(t, l.Registry(), map[string]string{tokenNameKey: l.Username(), tokenKey: l.Secret()})
	if err != nil {
		helpers.Advise(ctx, "the login is not kept: it holds nothing that can be used")
		return helpers.Kept{}
	}
	return helpers.Kept{Material: m}
}
