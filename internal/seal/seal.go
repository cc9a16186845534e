// Package seal encrypts what lies on a developer's disk, with a key that lies in a file of its own.
//
// A sealed box is
//
//	1 byte    version, 1
//	8 bytes   id of the key
//	12 bytes  nonce
//	n bytes   AES-256-GCM ciphertext
//	16 bytes  tag
//
// with the version, the key's id and the place that the box was sealed for as associated data; each part of the place
// has its length in front, as 8 bytes, big-endian. Every purpose has a key of its own, derived with HKDF-SHA256
// (RFC 5869). A box that was flipped, cut, or put in another place does not open. A box that is put back in its own
// place later does: nothing here knows which box was the last.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
)

const (
	// KeySize is the size of a key, and of the key file, in bytes.
	KeySize = 32
	// Overhead is how much larger a box is than what is in it, in bytes.
	Overhead = 1 + idSize + 12 + 16

	version = 1
	idSize  = 8
	// nameSize makes two names of 2^32 identities equal with a chance of 2^-64.
	nameSize = 16
)

// Why a box does not open.
var (
	// ErrBroken is a box that is not whole, was changed, or was sealed for another place or purpose.
	ErrBroken = errors.New("damaged, or moved here from another place")
	// ErrOtherKey is a box that was sealed with another key.
	ErrOtherKey = errors.New("sealed with another key")
	// ErrVersion is a box of a format that this release does not know.
	ErrVersion = errors.New("in a format that this release does not know")
)

// A Key seals and opens. It prints as "[redacted]". It is not changed after it was made and is safe for concurrent use.
// The zero Key is not for use.
type Key struct {
	// k is a function because fmt and its like cannot look into one. A pointer they follow, where they may not call
	// methods and the verb fits nothing.
	k func() *key
}

type key struct {
	secret [KeySize]byte
	id     [idSize]byte
}

// newKey makes a key of its secret bytes.
func newKey(secret [KeySize]byte) (Key, error) {
	k := &key{secret: secret}
	id, err := k.derive("id", idSize)
	if err != nil {
		return Key{}, err
	}
	copy(k.id[:], id)
	return Key{k: func() *key { return k }}, nil
}

// derive returns size bytes for one use of the key.
func (k *key) derive(use string, size int) ([]byte, error) {
	return hkdf.Key(sha256.New, k.secret[:], nil, "beta9-credentials "+use, size)
}

// aead returns the cipher of a purpose. A random nonce is safe for 2^32 boxes per purpose and key.
func (k *key) aead(purpose string) (cipher.AEAD, error) {
	secret, err := k.derive("seal "+purpose, KeySize)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// ID tells keys apart. It is sixteen hexadecimal digits from which nothing about the key can be learned, the same for
// everything that the key sealed.
func (k Key) ID() string { return hex.EncodeToString(k.k().id[:]) }

// Name returns the name under which something is kept: thirty-two hexadecimal digits, from which nobody without the
// key can tell the identity, or whether a guess of it is right. The same parts have the same name.
func (k Key) Name(purpose string, identity ...string) (string, error) {
	secret, err := k.k().derive("name "+purpose, KeySize)
	if err != nil {
		return "", err
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write(appendParts(nil, identity))
	return hex.EncodeToString(mac.Sum(nil)[:nameSize]), nil
}

// Seal returns plain in a box that opens for the same purpose and place only.
func (k Key) Seal(purpose string, plain []byte, place ...string) ([]byte, error) {
	aead, err := k.k().aead(purpose)
	if err != nil {
		return nil, err
	}
	head := k.k().head()
	box := make([]byte, len(head), len(plain)+Overhead)
	copy(box, head)
	return aead.Seal(box, nil, plain, appendParts(head, place)), nil
}

// Open returns what is in a box. The error is ErrVersion, ErrOtherKey or ErrBroken.
func (k Key) Open(purpose string, box []byte, place ...string) ([]byte, error) {
	head := k.k().head()
	switch {
	case len(box) < Overhead:
		return nil, ErrBroken
	case box[0] != version:
		return nil, ErrVersion
	case [idSize]byte(box[1:]) != k.k().id:
		return nil, ErrOtherKey
	}
	aead, err := k.k().aead(purpose)
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, nil, box[len(head):], appendParts(head, place))
	if err != nil {
		return nil, ErrBroken
	}
	return plain, nil
}

// head returns what stands in front of every box of the key.
func (k *key) head() []byte { return append([]byte{version}, k.id[:]...) }

// appendParts appends every part with its length in front, so that no two lists of parts look the same.
func appendParts(dst []byte, parts []string) []byte {
	for _, part := range parts {
		dst = binary.BigEndian.AppendUint64(dst, uint64(len(part)))
		dst = append(dst, part...)
	}
	return dst
}
