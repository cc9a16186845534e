// Package aws has a key of AWS KMS guard the keys of a keyring:
//
//	config, err := config.LoadDefaultConfig(ctx)
//	ring, err := secrets.LoadKeyring(ctx, read, aws.New(kms.NewFromConfig(config), "alias/registry-secrets"))
//
// The identity needs kms:Encrypt and kms:Decrypt on the key.
package aws

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/beam-cloud/docker-credential-beta9/secrets"
)

// encryptionContext is authenticated, and shows in the trail of the service what its key was used for.
var encryptionContext = map[string]string{"purpose": "beta9-credentials keyring"}

// New returns a wrapper that uses the symmetric key of an id, ARN or alias. Nothing but that key unwraps.
func New(client *kms.Client, key string) secrets.Wrapper { return &wrapper{client, key} }

type wrapper struct {
	client *kms.Client
	key    string
}

func (w *wrapper) Wrap(ctx context.Context, key []byte) ([]byte, error) {
	out, err := w.client.Encrypt(ctx, &kms.EncryptInput{KeyId: &w.key, Plaintext: key, EncryptionContext: encryptionContext})
	if err != nil {
		return nil, fmt.Errorf("wrapping with AWS KMS: %w", err)
	}
	return out.CiphertextBlob, nil
}

func (w *wrapper) Unwrap(ctx context.Context, wrapped []byte) ([]byte, error) {
	out, err := w.client.Decrypt(ctx, &kms.DecryptInput{KeyId: &w.key, CiphertextBlob: wrapped, EncryptionContext: encryptionContext})
	if err != nil {
		return nil, fmt.Errorf("unwrapping with AWS KMS: %w", err)
	}
	return out.Plaintext, nil
}
