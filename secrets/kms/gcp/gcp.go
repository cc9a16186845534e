// Package gcp has a key of Google Cloud KMS guard the keys of a keyring:
//
//	client, err := kms.NewKeyManagementClient(ctx)
//	ring, err := secrets.LoadKeyring(ctx, read,
//		gcp.New(client, "projects/P/locations/L/keyRings/R/cryptoKeys/K"))
//
// The identity needs the role roles/cloudkms.cryptoKeyEncrypterDecrypter on the key.
package gcp

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"

	kms "cloud.google.com/go/kms/apiv1"
	"cloud.google.com/go/kms/apiv1/kmspb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/beam-cloud/docker-credential-beta9/secrets"
)

// purpose is authenticated with what is wrapped.
const purpose = "beta9-credentials keyring"

// errCorrupted is an answer that does not have the checksum that was sent with it, or to a request that did not arrive
// whole: https://cloud.google.com/kms/docs/data-integrity-guidelines.
var errCorrupted = errors.New("what was sent was corrupted on its way")

// New returns a wrapper that uses the symmetric key of a resource name.
func New(client *kms.KeyManagementClient, key string) secrets.Wrapper { return &wrapper{client, key} }

type wrapper struct {
	client *kms.KeyManagementClient
	key    string
}

func (w *wrapper) Wrap(ctx context.Context, key []byte) ([]byte, error) {
	out, err := w.client.Encrypt(ctx, &kmspb.EncryptRequest{
		Name:      w.key,
		Plaintext: key, PlaintextCrc32C: checksum(key),
		AdditionalAuthenticatedData: []byte(purpose), AdditionalAuthenticatedDataCrc32C: checksum([]byte(purpose)),
	})
	if err == nil && (!out.VerifiedPlaintextCrc32C || !out.VerifiedAdditionalAuthenticatedDataCrc32C ||
		out.CiphertextCrc32C.GetValue() != checksum(out.Ciphertext).GetValue()) {
		err = errCorrupted
	}
	if err != nil {
		return nil, fmt.Errorf("wrapping with Google Cloud KMS: %w", err)
	}
	return out.Ciphertext, nil
}

func (w *wrapper) Unwrap(ctx context.Context, wrapped []byte) ([]byte, error) {
	out, err := w.client.Decrypt(ctx, &kmspb.DecryptRequest{
		Name:       w.key,
		Ciphertext: wrapped, CiphertextCrc32C: checksum(wrapped),
		AdditionalAuthenticatedData: []byte(purpose), AdditionalAuthenticatedDataCrc32C: checksum([]byte(purpose)),
	})
	if err == nil && out.PlaintextCrc32C.GetValue() != checksum(out.Plaintext).GetValue() {
		err = errCorrupted
	}
	if err != nil {
		return nil, fmt.Errorf("unwrapping with Google Cloud KMS: %w", err)
	}
	return out.Plaintext, nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(data []byte) *wrapperspb.Int64Value {
	return wrapperspb.Int64(int64(crc32.Checksum(data, castagnoli)))
}
