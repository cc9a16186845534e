// Package vault has a key of the transit engine of HashiCorp Vault guard the keys of a keyring:
//
//	client, err := api.NewClient(api.DefaultConfig())
//	wrapper, err := vault.New(client, "transit", "registry-secrets")
//	ring, err := secrets.LoadKeyring(ctx, read, wrapper)
//
// The token needs update on <mount>/encrypt/<key> and <mount>/decrypt/<key>; the key has to be of one of the types that
// take associated data, such as aes256-gcm96.
package vault

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/vault/api"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
)

// purpose is authenticated with what is wrapped.
var purpose = base64.StdEncoding.EncodeToString([]byte("beta9-credentials keyring"))

// errAnswer is an answer that is not one of the transit engine:
// https://developer.hashicorp.com/vault/api-docs/secret/transit#encrypt-data.
var errAnswer = errors.New("the answer cannot be understood")

// New returns a wrapper that uses a key of the transit engine at a mount.
func New(client *api.Client, mount, key string) (secrets.Wrapper, error) {
	mount = strings.Trim(mount, "/")
	if mount == "" || key == "" || strings.ContainsAny(key, "/?#%") || strings.Contains(mount+"/"+key, "..") {
		return nil, helpers.Fail(helpers.BadRequest, "the mount or the key of Vault's transit engine is malformed",
			"name the mount, as in transit, and the key by its name alone")
	}
	return &wrapper{client, mount, key}, nil
}

type wrapper struct {
	client     *api.Client
	mount, key string
}

func (w *wrapper) Wrap(ctx context.Context, key []byte) ([]byte, error) {
	wrapped, err := w.call(ctx, "encrypt", "plaintext", base64.StdEncoding.EncodeToString(key), "ciphertext")
	if err != nil {
		return nil, fmt.Errorf("wrapping with Vault: %w", err)
	}
	return []byte(wrapped), nil
}

func (w *wrapper) Unwrap(ctx context.Context, wrapped []byte) ([]byte, error) {
	text, err := w.call(ctx, "decrypt", "ciphertext", string(wrapped), "plaintext")
	if err != nil {
		return nil, fmt.Errorf("unwrapping with Vault: %w", err)
	}
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("unwrapping with Vault: %w", errAnswer)
	}
	return key, nil
}

// call sends one field and returns another one.
func (w *wrapper) call(ctx context.Context, verb, field, value, want string) (string, error) {
	answer, err := w.client.Logical().WriteWithContext(ctx, w.mount+"/"+verb+"/"+w.key, map[string]any{field: value, "associated_data": purpose})
	if err != nil {
		return "", err
	}
	if answer == nil {
		return "", errAnswer
	}
	text, ok := answer.Data[want].(string)
	if !ok || text == "" {
		return "", errAnswer
	}
	return text, nil
}
