package cloudtest

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
)

// An Assertion is a JSON Web Token taken apart, as a token service does it.
type Assertion struct {
	Header map[string]any
	Claims map[string]any

	signed    string
	signature []byte
}

// ParseAssertion takes a token apart. The encoding is that of RFC 7515: base64url without padding.
func ParseAssertion(token string) (Assertion, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return Assertion{}, errors.New("the token has not three parts")
	}
	a := Assertion{signed: parts[0] + "." + parts[1]}
	for i, into := range []*map[string]any{&a.Header, &a.Claims} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || json.Unmarshal(raw, into) != nil {
			return Assertion{}, errors.New("the token has a part that is not JSON in base64url")
		}
	}
	var err error
	if a.signature, err = base64.RawURLEncoding.DecodeString(parts[2]); err != nil {
		return Assertion{}, errors.New("the token's signature is not base64url")
	}
	return a, nil
}

// Verify checks the signature. The header has to name the algorithm that is expected: RS256 or PS256.
func (a Assertion) Verify(algorithm string, key *rsa.PublicKey) error {
	if a.Header["alg"] != algorithm || a.Header["typ"] != "JWT" {
		return errors.New("the token is not a JWT of " + algorithm)
	}
	digest := sha256.Sum256([]byte(a.signed))
	if algorithm == "PS256" {
		return rsa.VerifyPSS(key, crypto.SHA256, digest[:], a.signature,
			&rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256})
	}
	return rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], a.signature)
}

// Claim returns a claim that is a string, or nothing.
func (a Assertion) Claim(name string) string {
	s, _ := a.Claims[name].(string)
	return s
}

// Time returns a claim that is a time in Unix seconds, or zero.
func (a Assertion) Time(name string) int64 {
	seconds, _ := a.Claims[name].(float64)
	return int64(seconds)
}
