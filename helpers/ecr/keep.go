package ecr

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// tokenUser is the user name that goes with every token of ECR.
const tokenUser = "AWS"

// Keep decides about a login that a client gives to be stored. It never fails, since docker stores whatever it has logged
// in with. A pair of access keys is kept as material. A token is kept until the end of its life, which ECR writes into
// it; one in which it cannot be read, and anything else, is dropped: tokens are made when they are asked for.
func Keep(ctx context.Context, l helpers.Login, now time.Time) helpers.Kept {
	user := l.Username()
	switch {
	case user == tokenUser:
		return keepToken(ctx, l, now)
	case isKeyID(user, "AKIA"):
		m, err := newKeys(l.Registry(), "the login", user, l.Secret(), "")
		if err != nil {
			helpers.Advise(ctx, err.Error())
		}
		return helpers.Kept{Material: m} // zero when there was an error
	case isKeyID(user, "ASIA"):
		helpers.Advise(ctx, "the keys of a session do not work without its token, for which a login has no place: "+
			"put them into the environment, with "+sessionToken)
	default:
		helpers.Advise(ctx, "a login to ECR is kept when it is a pair of access keys or a token of the user "+tokenUser)
	}
	return helpers.Kept{}
}

func keepToken(ctx context.Context, l helpers.Login, now time.Time) helpers.Kept {
	expires := tokenExpiry(l.Secret())
	switch {
	case expires.IsZero():
		helpers.Advise(ctx, "the token does not tell the end of its life and is not kept: one is made when it is asked for")
		return helpers.Kept{}
	case !now.Before(expires):
		helpers.Advise(ctx, "the token has expired and is not kept")
		return helpers.Kept{}
	}
	return helpers.Kept{Credential: helpers.NewCredential(tokenUser, l.Secret(), expires)}
}

// tokenExpiry reads the end of life that stands in the password of ECR: base64 of a JSON object. Its form is not
// documented and has been this since the service began; a password of another form has no readable end.
func tokenExpiry(password string) time.Time {
	data, err := base64.StdEncoding.DecodeString(password)
	if err != nil {
		return time.Time{}
	}
	var v struct {
		Expiration float64 `json:"expiration"`
	}
	if json.Unmarshal(data, &v) != nil {
		return time.Time{}
	}
	return unixSeconds(v.Expiration)
}

// isKeyID tells an access key id of the kind that the prefix stands for: AKIA for the keys of a user, ASIA for those of
// a session. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
func isKeyID(s, prefix string) bool {
	if !strings.HasPrefix(s, prefix) || len(s) < 16 || len(s) > 128 {
		return false
	}
	return !strings.ContainsFunc(s, func(c rune) bool { return !('A' <= c && c <= 'Z' || '0' <= c && c <= '9') })
}
