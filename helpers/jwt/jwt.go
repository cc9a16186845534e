// Package jwt writes the signed assertions that token services are asked with, and reads the claims of the tokens that
// they answer with. The compact form is that of RFC 7515, section 3.1, the claims are those of RFC 7519, section 4.1.
//
//	assertion, err := jwt.Sign(jwt.RS256, jwt.Header{"kid": id}, claims, key)
package jwt

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strings"
)

// An Algorithm is the name of a way of signing (RFC 7518, section 3.1).
type Algorithm string

// The algorithms that the token services take: Google the first, Microsoft Entra the second.
const (
	RS256 Algorithm = "RS256" // RSASSA-PKCS1-v1_5 with SHA-256
	PS256 Algorithm = "PS256" // RSASSA-PSS with SHA-256 and a salt as long as the hash
)

// Header holds the fields of a header besides the algorithm and the type, such as the id of the key.
type Header map[string]string

// The errors hold no part of what was read.
var (
	// ErrNoKey says that there is no private key in the PEM.
	ErrNoKey = errors.New("no private key in PEM form")
	// ErrEncrypted says that the private key is protected by a passphrase.
	ErrEncrypted = errors.New("the private key is encrypted")
	// ErrNotRSA says that the private key is of another kind than RSA.
	ErrNotRSA = errors.New("the private key is not an RSA key")
	// ErrKey says that the private key cannot be read.
	ErrKey = errors.New("the private key is damaged")
	// ErrNotJWT says that a token is not in the compact form, or its claims are not JSON.
	ErrNotJWT = errors.New("not a JSON Web Token")
)

// Sign returns a token in the compact form. The claims are marshalled as JSON.
func Sign(alg Algorithm, h Header, claims any, key *rsa.PrivateKey) (string, error) {
	fields := Header{"alg": string(alg), "typ": "JWT"}
	for name, value := range h {
		fields[name] = value
	}
	header, err := json.Marshal(fields)
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	encoding := base64.RawURLEncoding
	signed := encoding.EncodeToString(header) + "." + encoding.EncodeToString(body)
	digest := sha256.Sum256([]byte(signed))
	var options crypto.SignerOpts = crypto.SHA256
	if alg == PS256 {
		options = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
	}
	signature, err := key.Sign(rand.Reader, digest[:], options)
	if err != nil {
		return "", err
	}
	return signed + "." + encoding.EncodeToString(signature), nil
}

// ReadClaims decodes the claims of a token into v. It does not verify the token: it is for tokens that came from their
// issuer over TLS, or that a person hands in to be handed on, of which nothing but the time of expiry is believed.
func ReadClaims(token string, v any) error {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return ErrNotJWT
	}
	// Some issuers pad what RFC 7515 leaves unpadded.
	body, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil || json.Unmarshal(body, v) != nil {
		return ErrNotJWT
	}
	return nil
}

// ParseKey returns the first private key among the blocks of a PEM text: RSA, in PKCS #8 or PKCS #1. The error is one of
// this package's.
func ParseKey(text []byte) (*rsa.PrivateKey, error) {
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return nil, ErrNoKey
		}
		switch block.Type {
		case "PRIVATE KEY":
			key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				return nil, ErrKey
			}
			if key, ok := key.(*rsa.PrivateKey); ok {
				return key, nil
			}
			return nil, ErrNotRSA
		case "RSA PRIVATE KEY":
			if block.Headers["DEK-Info"] != "" { // RFC 1421, as OpenSSL used to write it
				return nil, ErrEncrypted
			}
			key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
			if err != nil {
				return nil, ErrKey
			}
			return key, nil
		case "ENCRYPTED PRIVATE KEY":
			return nil, ErrEncrypted
		case "EC PRIVATE KEY":
			return nil, ErrNotRSA
		}
	}
}
