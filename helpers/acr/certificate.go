package acr

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"net/url"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/helpers/jwt"
)

const (
	// assertionLife is how long an assertion is good for: it is used at once.
	assertionLife = 10 * time.Minute
	// assertionLead is how far an assertion is dated back, for clocks that are a little ahead of Entra's.
	assertionLead = time.Minute
)

// certificate shows that an application has the private key of a certificate
// (https://learn.microsoft.com/entra/identity-platform/certificate-credentials).
type certificate struct {
	leaf *x509.Certificate
	key  *rsa.PrivateKey
}

// parseCertificate reads a PEM text with the private key and the certificate of its public key, in any order and among
// others. PKCS #12 is not read: its encryption is not in the standard library, and a command turns it into PEM.
func parseCertificate(text string) (*certificate, error) {
	key, err := jwt.ParseKey([]byte(text))
	if err != nil {
		const convert = "openssl pkcs12 -in FILE -nodes -out FILE.pem"
		hint := "give the certificate and its RSA key in PEM form, and the content, not its path; a PFX file becomes one with: " + convert
		if errors.Is(err, jwt.ErrEncrypted) {
			hint = "take the passphrase off with: openssl pkey -in FILE -out FILE.pem"
		}
		return nil, helpers.Fail(helpers.BadMaterial, certificateKey+" cannot be used: "+err.Error(), hint)
	}
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil, helpers.Fail(helpers.BadMaterial, certificateKey+" holds no certificate of its private key",
				"put the certificate and its key into one PEM text")
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		if c, err := x509.ParseCertificate(block.Bytes); err == nil && key.PublicKey.Equal(c.PublicKey) {
			return &certificate{c, key}, nil
		}
	}
}

func (c *certificate) add(form url.Values, client, address string, now time.Time) error {
	if now.After(c.leaf.NotAfter) {
		return helpers.Fail(helpers.ExpiredIdentity, "the certificate of the application expired on "+c.leaf.NotAfter.UTC().Format(time.DateOnly),
			"add a new one to the application in the Azure portal")
	}
	thumbprint := sha256.Sum256(c.leaf.Raw)
	signed, err := jwt.Sign(jwt.PS256, jwt.Header{"x5t#S256": base64.RawURLEncoding.EncodeToString(thumbprint[:])}, map[string]any{
		"aud": address, "iss": client, "sub": client, "jti": rand.Text(),
		"nbf": now.Add(-assertionLead).Unix(), "exp": now.Add(assertionLife).Unix(),
	}, c.key)
	if err != nil {
		return helpers.Fail(helpers.BadMaterial, "the private key of "+certificateKey+" cannot sign", "")
	}
	return assertion(signed).add(form, client, address, now)
}
