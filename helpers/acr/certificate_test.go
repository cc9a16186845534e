package acr

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest"
)

// newCertificate returns a certificate and its private key in one PEM text, behind the certificate of somebody else, and
// the certificate's DER and public key. Equal n give equal keys.
func newCertificate(t *testing.T, n int, until time.Time) (text string, der []byte, public *rsa.PublicKey) {
	t.Helper()
	sign := func(key *rsa.PrivateKey) []byte {
		template := &x509.Certificate{
			SerialNumber: big.NewInt(int64(n)), Subject: pkix.Name{CommonName: "application of a test"},
			NotBefore: until.Add(-24 * time.Hour), NotAfter: until,
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	key := cloudtest.Key(t, n)
	der = sign(key)
	for _, c := range [][]byte{sign(cloudtest.Key(t, n+1)), der} {
		text += string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c}))
	}
	return text + cloudtest.KeyPEM(t, key), der, &key.PublicKey
}
