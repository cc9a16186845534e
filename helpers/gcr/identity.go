package gcr

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// An identity is somebody whom Google gives access tokens.
type identity interface {
	token(ctx context.Context, s *service) (helpers.Credential, error)
}

// keyFile is what Google's tools write of an identity; which fields count depends on the type
// (https://google.aip.dev/auth/4110). Fields that say where to send something are left out on purpose.
type keyFile struct {
	Type string `json:"type"`

	ClientEmail  string `json:"client_email"`
	PrivateKeyID string `json:"private_key_id"`
	PrivateKey   string `json:"private_key"`

	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	RefreshToken string `json:"refresh_token"`

	Audience                 string        `json:"audience"`
	SubjectTokenType         string        `json:"subject_token_type"`
	CredentialSource         subjectSource `json:"credential_source"`
	WorkforcePoolUserProject string        `json:"workforce_pool_user_project"`

	// The account that is impersonated is named by a URL, of which nothing but the account is used.
	ImpersonationURL string `json:"service_account_impersonation_url"`
	Impersonation    struct {
		LifetimeSeconds int `json:"token_lifetime_seconds"`
	} `json:"service_account_impersonation"`
	Delegates         []string        `json:"delegates"`
	SourceCredentials json.RawMessage `json:"source_credentials"`
}

// The types that are told apart.
const (
	serviceAccountType = "service_account"
	userType           = "authorized_user"
	workforceType      = "external_account_authorized_user"
	federatedType      = "external_account"
	impersonatedType   = "impersonated_service_account"
	gdchType           = "gdch_service_account"
)

// maxDepth is how many service accounts may stand behind each other, each impersonated by the next. Longer chains have
// delegates, which take one call.
const maxDepth = 3

// parseHandedIn reads the JSON of an identity that somebody handed in as material. Only the types that name neither a
// file to be read nor a URL to be called are taken.
func parseHandedIn(name, text string) (identity, error) {
	if !strings.HasPrefix(strings.TrimSpace(text), "{") {
		return nil, helpers.Fail(helpers.BadMaterial, name+" does not hold the JSON of an identity",
			"give the content of the file, not its path")
	}
	f, err := readKeyFile(name, []byte(text))
	if err != nil {
		return nil, err
	}
	why := ""
	switch f.Type {
	case federatedType:
		why = "it can name any file or URL to read, and is used only as this machine's own configuration"
	case impersonatedType, workforceType:
		why = "it is used only as this machine's own configuration"
	}
	if why != "" {
		return nil, helpers.Fail(helpers.BadMaterial, name+" is of the type "+f.Type+", which is refused in a secret: "+why,
			"give the key of a service account, or an access token")
	}
	return f.identity(name, 0)
}

func readKeyFile(name string, text []byte) (keyFile, error) {
	var f keyFile
	if json.Unmarshal(text, &f) != nil {
		return f, helpers.Fail(helpers.BadMaterial, name+" does not hold JSON that can be read",
			"give the JSON as it was downloaded")
	}
	return f, nil
}

// identity returns whom the file speaks of. The depth is that of impersonation.
func (f keyFile) identity(name string, depth int) (identity, error) {
	switch f.Type {
	case serviceAccountType:
		return newServiceAccount(name, f)
	case userType:
		return newUser(name, f, tokenURL)
	case workforceType:
		return newUser(name, f, workforceURL)
	case federatedType:
		return newFederated(name, f)
	case impersonatedType:
		return newImpersonated(name, f, depth)
	case gdchType:
		return nil, helpers.Fail(helpers.BadMaterial, name+" is of the type "+gdchType+", which the registries of Google Cloud do not take",
			"give the key of a service account of Google Cloud")
	case "":
		return nil, helpers.Fail(helpers.BadMaterial, name+" says nothing of the type of its identity",
			"give the key of a service account; the JSON of an OAuth client is not one")
	}
	return nil, helpers.Fail(helpers.BadMaterial, name+" is of a type that is not known", // the type is the author's word, and is not repeated
		"give the key of a service account")
}

// lacks is the failure of a file without a field that its type needs.
func lacks(name, field string) error {
	return helpers.Fail(helpers.BadMaterial, name+" has no "+field, "give the JSON as it was downloaded")
}
