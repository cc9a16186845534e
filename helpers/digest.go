package helpers

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// Digest is SHA-256 over length-prefixed parts, in hex, so that no two lists of parts have the same one. It is for the
// fields of a [Key]: what is secret in the parts must be too long to be guessed from it.
func Digest(parts ...string) string {
	h := sha256.New()
	var n [8]byte
	for _, part := range parts {
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		h.Write(n[:])
		h.Write([]byte(part))
	}
	return hex.EncodeToString(h.Sum(nil))
}
