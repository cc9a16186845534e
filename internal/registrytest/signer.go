package registrytest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"
)

// claims are what an access token says: https://distribution.github.io/distribution/spec/auth/jwt/.
type claims struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Audience  string   `json:"aud"`
	Expires   int64    `json:"exp"` // Unix seconds, as the two below
	NotBefore int64    `json:"nbf"`
	IssuedAt  int64    `json:"iat"`
	ID        string   `json:"jti"`
	Access    []access `json:"access"`
}

// access is one thing that a token allows.
type access struct {
	Type    string   `json:"type"`
	Name    string   `json:"name"`
	Actions []string `json:"actions"`
}

// signer signs access tokens as JSON Web Tokens with ES256 (RFC 7515, RFC 7518). Its certificate goes along in each, which
// is how a docker-registry process that trusts the certificate finds the key.
type signer struct {
	key    *ecdsa.PrivateKey
	header string // encoded
	bundle []byte // the certificate, PEM
}

func newSigner() (*signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("token key: %w", err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(24 * time.Hour), // longer than any test run
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("token certificate: %w", err)
	}
	header, err := json.Marshal(map[string]any{
		"typ": "JWT",
		"alg": "ES256",
		"x5c": []string{base64.StdEncoding.EncodeToString(der)},
	})
	if err != nil {
		return nil, fmt.Errorf("token header: %w", err)
	}
	return &signer{
		key:    key,
		header: base64.RawURLEncoding.EncodeToString(header),
		bundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
	}, nil
}

// coordinate is the length of each half of an ES256 signature.
const coordinate = 32

func (s *signer) sign(c claims) (string, error) {
	payload, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	signed := s.header + "." + base64.RawURLEncoding.EncodeToString(payload)
	digest := sha256.Sum256([]byte(signed))
	x, y, err := ecdsa.Sign(rand.Reader, s.key, digest[:])
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	signature := make([]byte, 2*coordinate)
	x.FillBytes(signature[:coordinate])
	y.FillBytes(signature[coordinate:])
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

// verify reads a token that this signer signed, whatever its time.
func (s *signer) verify(token string) (claims, error) {
	i := strings.LastIndexByte(token, '.')
	header, payload, ok := strings.Cut(token[:max(i, 0)], ".")
	if !ok || header != s.header {
		return claims{}, errors.New("not a token of this server")
	}
	signature, err := base64.RawURLEncoding.DecodeString(token[i+1:])
	if err != nil || len(signature) != 2*coordinate {
		return claims{}, errors.New("malformed token signature")
	}
	digest := sha256.Sum256([]byte(token[:i]))
	x := new(big.Int).SetBytes(signature[:coordinate])
	y := new(big.Int).SetBytes(signature[coordinate:])
	if !ecdsa.Verify(&s.key.PublicKey, digest[:], x, y) {
		return claims{}, errors.New("wrong token signature")
	}
	data, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return claims{}, errors.New("malformed token payload")
	}
	var c claims
	if err := json.Unmarshal(data, &c); err != nil {
		return claims{}, errors.New("malformed token payload")
	}
	return c, nil
}
