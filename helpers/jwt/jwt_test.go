package jwt_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/helpers/jwt"
)

func newKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func block(typ string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: der})
}

func TestSign(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	for _, alg := range []jwt.Algorithm{jwt.RS256, jwt.PS256} {
		token, err := jwt.Sign(alg, jwt.Header{"kid": "key-1"}, map[string]any{"iss": "me"}, key)
		if err != nil {
			t.Fatal(err)
		}
		parts := strings.Split(token, ".")
		var decoded [3][]byte
		for i, part := range parts {
			if decoded[i], err = base64.RawURLEncoding.DecodeString(part); err != nil {
				t.Fatalf("%s: part %d: %v", alg, i, err)
			}
		}
		var header map[string]string
		if err := json.Unmarshal(decoded[0], &header); err != nil || len(header) != 3 ||
			header["alg"] != string(alg) || header["typ"] != "JWT" || header["kid"] != "key-1" {
			t.Errorf("%s: header %s, %v", alg, decoded[0], err)
		}
		if string(decoded[1]) != `{"iss":"me"}` {
			t.Errorf("%s: claims %s", alg, decoded[1])
		}
		digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
		if alg == jwt.RS256 {
			err = rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, digest[:], decoded[2])
		} else {
			err = rsa.VerifyPSS(&key.PublicKey, crypto.SHA256, digest[:], decoded[2], &rsa.PSSOptions{SaltLength: 32})
		}
		if err != nil {
			t.Errorf("%s: signature: %v", alg, err)
		}
	}
}

func TestReadClaims(t *testing.T) {
	t.Parallel()
	body := base64.URLEncoding.EncodeToString([]byte(`{"exp":1700000000,"tid":"t"}`)) // padded
	for token, ok := range map[string]bool{
		"x." + body + ".y":                        true,
		"x." + strings.TrimRight(body, "=") + ".": true,
		"x." + body:                               false,
		"x." + body + ".y.z":                      false,
		"x.!.y":                                   false,
		"x.e30x.y":                                false,
		"":                                        false,
	} {
		var claims struct{ Exp int64 }
		err := jwt.ReadClaims(token, &claims)
		if ok && (err != nil || claims.Exp != 1700000000) {
			t.Errorf("%s: got %d, %v", token, claims.Exp, err)
		}
		if !ok && !errors.Is(err, jwt.ErrNotJWT) {
			t.Errorf("%s: got %v, want %v", token, err, jwt.ErrNotJWT)
		}
	}
}

func TestParseKey(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	curve8, err := x509.MarshalPKCS8PrivateKey(curve)
	if err != nil {
		t.Fatal(err)
	}
	legacy := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: []byte("x"),
		Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-256-CBC,00"}})
	for name, c := range map[string]struct {
		text []byte
		err  error
	}{
		"PKCS #8":                {block("PRIVATE KEY", pkcs8), nil},
		"PKCS #1":                {block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)), nil},
		"behind a certificate":   {append(block("CERTIFICATE", []byte("x")), block("PRIVATE KEY", pkcs8)...), nil},
		"a path":                 {[]byte("/home/me/key.pem"), jwt.ErrNoKey},
		"nothing":                {nil, jwt.ErrNoKey},
		"a certificate only":     {block("CERTIFICATE", []byte("x")), jwt.ErrNoKey},
		"garbage in PKCS #8":     {block("PRIVATE KEY", []byte("x")), jwt.ErrKey},
		"garbage in PKCS #1":     {block("RSA PRIVATE KEY", []byte("x")), jwt.ErrKey},
		"elliptic curve":         {block("PRIVATE KEY", curve8), jwt.ErrNotRSA},
		"elliptic curve, SEC 1":  {block("EC PRIVATE KEY", []byte("x")), jwt.ErrNotRSA},
		"encrypted":              {block("ENCRYPTED PRIVATE KEY", []byte("x")), jwt.ErrEncrypted},
		"encrypted, in RFC 1421": {legacy, jwt.ErrEncrypted},
	} {
		got, err := jwt.ParseKey(c.text)
		if !errors.Is(err, c.err) || (err == nil) != (got != nil && got.Equal(key)) {
			t.Errorf("%s: got %v, want %v", name, err, c.err)
		}
	}
}
