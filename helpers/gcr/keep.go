package gcr

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// Keep keeps the key of a service account that was given as the password of _json_key, or in base64 of _json_key_base64,
// as material. Anything else is dropped: an access token ends within the hour, when exactly it does not tell, and one is
// made for each call anyway.
func Keep(ctx context.Context, l helpers.Login, _ time.Time) helpers.Kept {
	text := l.Secret()
	switch l.Username() {
	case "_json_key":
	case "_json_key_base64":
		decoded, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
		if err != nil {
			helpers.Advise(ctx, "the login is not kept: the password of _json_key_base64 is not base64")
			return helpers.Kept{}
		}
		text = string(decoded)
	case username:
		helpers.Advise(ctx, "the login is not kept: an access token ends within the hour; log in as _json_key with the key of a service account, "+
			"or run gcloud auth application-default login")
		return helpers.Kept{}
	default:
		helpers.Advise(ctx, "the login is not kept: Google's registries know the users _json_key, _json_key_base64 and "+username)
		return helpers.Kept{}
	}
	const key = "GCP_SERVICE_ACCOUNT_JSON"
	_, err := parseHandedIn("the password", text)
	var material helpers.Material
	if err == nil {
		t, _ := helpers.TypeNamed(typ)
		material, err = helpers.NewMaterial(t, l.Registry(), map[string]string{key: text})
	}
	if err != nil {
		helpers.Advise(ctx, "the login is not kept: "+clause(err))
		return helpers.Kept{}
	}
	return helpers.Kept{Material: material}
}

// clause is what a failure says, and what to do, without its code.
func clause(err error) string {
	f, ok := errors.AsType[*helpers.Failure](err)
	if !ok {
		return "it is malformed"
	}
	if f.Hint == "" {
		return f.Text
	}
	return f.Text + "; " + f.Hint
}
