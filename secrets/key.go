package secrets

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
)

const (
	// KeySize is the size of a key, in bytes.
	KeySize = 32
	// idSize makes two of a thousand keys share an id with a chance of 2^-45.
	idSize = 8
)

// A Key seals records and vouches for values. It prints as "[redacted]". The zero Key is not for use. A Key is not
// changed after it was made and is safe for concurrent use.
//
// Three things are derived from its bytes with HKDF-SHA256 (RFC 5869): the key of AES-256-GCM, the key of HMAC-SHA256,
// and the id, from which nothing about the key can be learned.
type Key struct {
	opaque
	// k is a function because fmt and its like cannot look into one. A pointer they follow, where they may not call
	// methods and the verb fits nothing.
	k func() *key
}

type key struct {
	bytes [KeySize]byte
	id    [idSize]byte
	aead  cipher.AEAD // with a random nonce, which is safe for 2^32 records per key
	mac   []byte
}

// NewKey makes a key of random bytes.
func NewKey() (Key, error) {
	var b [KeySize]byte
	rand.Read(b[:]) // never fails: the program ends when the system has no randomness
	return KeyFrom(b)
}

// KeyFrom returns the key of the bytes.
func KeyFrom(b [KeySize]byte) (Key, error) {
	k := &key{bytes: b}
	id, err := k.derive("id", idSize)
	if err != nil {
		return Key{}, err
	}
	copy(k.id[:], id)
	if k.mac, err = k.derive("mac", sha256.Size); err != nil {
		return Key{}, err
	}
	sealing, err := k.derive("seal", KeySize)
	if err != nil {
		return Key{}, err
	}
	block, err := aes.NewCipher(sealing)
	if err != nil {
		return Key{}, err
	}
	if k.aead, err = cipher.NewGCMWithRandomNonce(block); err != nil {
		return Key{}, err
	}
	return Key{k: func() *key { return k }}, nil
}

func (k *key) derive(use string, size int) ([]byte, error) {
	return hkdf.Key(sha256.New, k.bytes[:], nil, "beta9-credentials secrets "+use, size)
}

// ID tells keys apart: sixteen hexadecimal digits.
func (k Key) ID() string { return hex.EncodeToString(k.k().id[:]) }
