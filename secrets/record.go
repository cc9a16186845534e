package secrets

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
)

// A sealed record is
//
//	1 byte    version, 1
//	8 bytes   id of the key
//	12 bytes  nonce
//	n bytes   AES-256-GCM ciphertext of the blob
//	16 bytes  tag
//
// with the first nine bytes and the place, length-prefixed, as associated data.
const (
	recordVersion = 1
	// HeadSize is the size of what stands in front of a record, and tells which format and which key it has, in bytes.
	HeadSize       = 1 + idSize
	recordOverhead = HeadSize + 12 + 16
)

// Head returns what every record starts with that is sealed with the key.
func (k Key) Head() []byte { return append([]byte{recordVersion}, k.k().id[:]...) }

// KeyID returns the id of the key that a record of this head was sealed with, or nothing when the head is cut short.
func KeyID(head []byte) string {
	if len(head) < HeadSize {
		return ""
	}
	return hex.EncodeToString(head[1:HeadSize])
}

// Seal returns a record that opens at its place only. The key is one of the keyring's, by its id.
func (r *Keyring) Seal(id string, p Place, plain []byte) ([]byte, error) {
	k, ok := r.get(id)
	if !ok {
		return nil, lacking(p, id)
	}
	head := k.Head()
	record := append(make([]byte, 0, recordOverhead+len(plain)), head...)
	return k.k().aead.Seal(record, nil, plain, p.append(head)), nil
}

// Open returns what is in a record. The keyring is read again when it does not have the record's key. The error is
// [ErrSealed].
func (r *Keyring) Open(ctx context.Context, p Place, record []byte) ([]byte, error) {
	k, err := r.keyOf(ctx, p, record, recordOverhead)
	if err != nil {
		return nil, err
	}
	plain, err := k.k().aead.Open(nil, nil, record[HeadSize:], p.append(k.Head()))
	if err != nil {
		return nil, Sealed(p, "it was changed, or moved here from another place", restore)
	}
	return plain, nil
}

// MAC vouches for a value that is at rest in somebody else's format: nine bytes like those of a record, and
// HMAC-SHA256 over them, the place, length-prefixed, and the value.
func (r *Keyring) MAC(id string, p Place, value []byte) ([]byte, error) {
	k, ok := r.get(id)
	if !ok {
		return nil, lacking(p, id)
	}
	return k.tag(p, value), nil
}

// Verify checks the MAC of a value. The keyring is read again when it does not have the MAC's key. The error is
// [ErrSealed].
func (r *Keyring) Verify(ctx context.Context, p Place, value, mac []byte) error {
	k, err := r.keyOf(ctx, p, mac, HeadSize+sha256.Size)
	if err != nil {
		return err
	}
	if !hmac.Equal(mac, k.tag(p, value)) {
		return Sealed(p, "it was changed by somebody else than this store", restore)
	}
	return nil
}

const restore = "store the secret again, or restore it from a backup"

func (k Key) tag(p Place, value []byte) []byte {
	head := k.Head()
	h := hmac.New(sha256.New, k.k().mac)
	h.Write(p.append(head))
	h.Write(value)
	return h.Sum(head)
}

// keyOf returns the key that a record or a MAC of at least a size was made with.
func (r *Keyring) keyOf(ctx context.Context, p Place, data []byte, size int) (Key, error) {
	switch {
	case len(data) == 0:
		return Key{}, Sealed(p, "it is empty", restore)
	case data[0] != recordVersion:
		return Key{}, Sealed(p, "it is in a format that this release does not know", "use the release that wrote it, or a newer one")
	case len(data) < size:
		return Key{}, Sealed(p, "it is cut short", restore)
	}
	return r.find(ctx, p, [idSize]byte(data[1:]))
}
