package gcr

import (
	"errors"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// FuzzHandedInIdentitiesReadNothing shows that whatever is handed in becomes an identity that only Google's own token
// endpoint is asked about, or a failure of the material.
func FuzzHandedInIdentitiesReadNothing(f *testing.F) {
	for _, text := range []string{
		`{"type":"service_account","client_email":"a@b","private_key":"x","token_uri":"https://evil.example"}`,
		`{"type":"authorized_user","client_id":"a","client_secret":"b","refresh_token":"c","token_url":"https://evil.example"}`,
		`{"type":"external_account","audience":"a","subject_token_type":"b","credential_source":{"file":"/etc/shadow"}}`,
		`{"type":"service_account","TYPE":"external_account","audience":"a","subject_token_type":"b","credential_source":{"url":"http://localhost"}}`,
		`{"type":"impersonated_service_account","source_credentials":{"type":"external_account"}}`,
		`{"type":"external_account_authorized_user","client_id":"a","client_secret":"b","refresh_token":"c"}`,
		"/etc/shadow", "", "{", "[]",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, err := parseHandedIn("the secret", text)
		switch id := id.(type) {
		case nil:
			if !errors.Is(err, helpers.BadMaterial) {
				t.Errorf("got %v, want %s", err, helpers.BadMaterial)
			}
		case *serviceAccount:
		case *user:
			if id.url != tokenURL {
				t.Errorf("a login is sent to %s", id.url)
			}
		default:
			t.Errorf("got a %T", id)
		}
	})
}
