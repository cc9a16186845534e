// Package testca is a certificate authority for one test run. It vouches for whatever host name a client asks for, so that
// a server of the test can stand in for ghcr.io as well as for localhost:
//
//	ca, err := testca.New()
//	err = ca.WriteBundle(path)         // the client: SSL_CERT_FILE=path
//	server.TLSConfig = ca.ServerConfig() // the server
//
// Its key never leaves the process.
package testca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"sync"
	"time"
)

// lifetime of a certificate, to both sides of now: longer than any test run, and than a clock is wrong.
const lifetime = 24 * time.Hour

// Authority signs certificates. It may be used by several goroutines at once.
type Authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey

	mu     sync.Mutex
	leaves map[string]*tls.Certificate // by the name they vouch for
}

// New makes an authority with a fresh key.
func New() (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("key of the test authority: %w", err)
	}
	template := certificate("test authority, trusted by nobody else")
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("certificate of the test authority: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("certificate of the test authority: %w", err)
	}
	return &Authority{cert: cert, key: key, leaves: map[string]*tls.Certificate{}}, nil
}

// certificate is what the authority's own certificate and those it signs have in common.
func certificate(name string) *x509.Certificate {
	now := time.Now()
	serial := make([]byte, 16) // at most 20 bytes: RFC 5280, section 4.1.2.2
	rand.Read(serial)          // never fails
	return &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-lifetime),
		NotAfter:     now.Add(lifetime),
	}
}

// Bundle returns the authority's certificate in PEM: what a client has to trust.
func (a *Authority) Bundle() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

// WriteBundle writes [Authority.Bundle] to a file that everybody may read.
func (a *Authority) WriteBundle(path string) error {
	return os.WriteFile(path, a.Bundle(), 0o644)
}

// ClientConfig returns the side of TLS of a client in this process, which trusts this authority alone.
func (a *Authority) ClientConfig() *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return &tls.Config{RootCAs: pool}
}

// ServerConfig returns a server's side of TLS: a certificate for the host name that the client asked for, or for the
// address it reached when it named none.
func (a *Authority) ServerConfig() *tls.Config {
	return &tls.Config{
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			name := hello.ServerName
			if name == "" {
				host, _, err := net.SplitHostPort(hello.Conn.LocalAddr().String())
				if err != nil {
					return nil, err
				}
				name = host
			}
			return a.leaf(name)
		},
	}
}

func (a *Authority) leaf(name string) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if leaf, ok := a.leaves[name]; ok {
		return leaf, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("key for %s: %w", name, err)
	}
	template := certificate("server of a test")
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	if ip := net.ParseIP(name); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("certificate for %s: %w", name, err)
	}
	leaf := &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	a.leaves[name] = leaf
	return leaf, nil
}
