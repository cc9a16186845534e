package cloudtest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"sync"
	"testing"
)

// keyBits is the size that the clouds' own keys have.
const keyBits = 2048

// sharedKeys are made once for a test binary: a key takes up to a second.
var sharedKeys struct {
	sync.Mutex
	keys []*rsa.PrivateKey
}

// Key returns the n-th key of this test binary: the same one each time.
func Key(t testing.TB, n int) *rsa.PrivateKey {
	t.Helper()
	sharedKeys.Lock()
	defer sharedKeys.Unlock()
	for len(sharedKeys.keys) <= n {
		key, err := rsa.GenerateKey(rand.Reader, keyBits)
		if err != nil {
			t.Fatal(err)
		}
		sharedKeys.keys = append(sharedKeys.keys, key)
	}
	return sharedKeys.keys[n]
}

// KeyPEM returns a key in PKCS #8 and PEM, as the clouds hand it out.
func KeyPEM(t testing.TB, key *rsa.PrivateKey) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}
