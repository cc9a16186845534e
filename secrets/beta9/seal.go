package beta9

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
)

// keyPrefix stands in front of the base64 of a workspace's key.
const keyPrefix = "sk_"

// workspaceKey returns the cipher of a workspace: AES-256-GCM with a random nonce in front and no associated data, which
// is what Beta9 seals with.
func workspaceKey(signingKey string) (cipher.AEAD, error) {
	if signingKey == "" {
		return nil, helpers.Fail(helpers.StoreFailed, "the workspace has no signing key", "let Beta9 make one for the workspace")
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(signingKey, keyPrefix))
	if err != nil || len(raw) != 32 || !strings.HasPrefix(signingKey, keyPrefix) {
		return nil, helpers.Fail(helpers.StoreFailed, "the signing key of the workspace is not one of Beta9's", "put the key back that Beta9 made for the workspace")
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return nil, helpers.Fail(helpers.StoreFailed, "the signing key of the workspace cannot be used", "")
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// key returns the cipher of the row's workspace. Without one the row does not open; it can be removed all the same.
func (r row) key() (cipher.AEAD, error) {
	key, err := workspaceKey(r.signingKey)
	if failed, ok := errors.AsType[*helpers.Failure](err); ok {
		return nil, secrets.Sealed(r.place, failed.Text, failed.Hint)
	}
	return key, err
}

// seal returns the value of workspace_secret: base64 of nonce, ciphertext and tag.
func seal(key cipher.AEAD, plain []byte) string {
	return base64.StdEncoding.EncodeToString(key.Seal(nil, nil, plain, nil))
}

// open returns what is in a value of workspace_secret.
func open(key cipher.AEAD, p secrets.Place, value string) ([]byte, error) {
	box, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return nil, secrets.Sealed(p, "it is not base64", restore)
	}
	plain, err := key.Open(nil, nil, box, nil)
	if err != nil {
		return nil, secrets.Sealed(p, "it was changed, or sealed with another key than the workspace's", restore)
	}
	return plain, nil
}

const restore = "store the secret again"
