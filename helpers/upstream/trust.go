package upstream

import (
	"bytes"
	"crypto/fips140"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
)

// roots are the certificates to trust, as they stand in a bundle. To parse the 140 of a system's bundle takes 4 ms of
// processor time, of which a server that is called needs one: only those are parsed that could have signed what a server
// shows.
type roots struct {
	certificates []root
}

// A root is a certificate that was not parsed, with the name that it goes by in those that it has signed.
type root struct{ subject, der []byte }

// config returns the settings for TLS. Nil roots stand for the verifier of the platform. whole asks for the standard
// library's own verification with all of the roots.
func (r *roots) config(whole bool) *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	switch {
	case r == nil:
	case whole || fips140.Enabled(): // which has rules of its own for what may be in a chain
		c.RootCAs = r.pool(func(root) bool { return true })
	default:
		c.InsecureSkipVerify = true // it is verify that verifies, in the same place and with the same steps
		c.VerifyConnection = r.verify
	}
	return c
}

// verify does what crypto/tls does with the certificates of a server, with a pool of fewer roots: those that go by the
// name of an issuer in the server's chain, among which x509 looks for a parent, and those that go by the name of the
// server's own certificate, which may be trusted itself. No other can be part of a chain.
func (r *roots) verify(s tls.ConnectionState) error {
	shown := s.PeerCertificates // never empty: the handshake refuses a server without one
	fail := func(err error) error {
		return &tls.CertificateVerificationError{UnverifiedCertificates: shown, Err: err}
	}
	// An address is never sent as a name, and its connections are verified by the standard library. Without a name Verify
	// would take a certificate for any.
	if s.ServerName == "" {
		return fail(x509.HostnameError{Certificate: shown[0]})
	}
	names := map[string]bool{string(shown[0].RawSubject): true}
	between := x509.NewCertPool()
	for i, c := range shown {
		names[string(c.RawIssuer)] = true
		if i > 0 {
			between.AddCert(c)
		}
	}
	_, err := shown[0].Verify(x509.VerifyOptions{
		DNSName:       s.ServerName,
		Intermediates: between,
		Roots:         r.pool(func(x root) bool { return names[string(x.subject)] }),
	})
	if err != nil {
		return fail(err)
	}
	return nil
}

// pool parses the roots that are chosen. One that cannot be parsed is left out, as the standard library does.
func (r *roots) pool(chosen func(root) bool) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, x := range r.certificates {
		if !chosen(x) {
			continue
		}
		if c, err := x509.ParseCertificate(x.der); err == nil {
			pool.AddCert(c)
		}
	}
	return pool
}

// The lines around a certificate in PEM (RFC 7468, section 5).
var (
	pemBegin = []byte("-----BEGIN CERTIFICATE-----")
	pemEnd   = []byte("-----END CERTIFICATE-----")
)

// add takes the certificates of a PEM file. What is not in the form of one is passed over.
func (r *roots) add(data []byte) {
	der := make([]byte, 0, len(data)/4*3)
	for {
		_, behind, found := bytes.Cut(data, pemBegin)
		if !found {
			return
		}
		text, rest, closed := bytes.Cut(behind, pemEnd)
		if !closed {
			return
		}
		if next := bytes.Index(text, pemBegin); next >= 0 { // the one before has no end
			data = behind[next:]
			continue
		}
		data = rest
		start := len(der)
		var ok bool
		if der, ok = appendDecoded(der, text); !ok {
			der = der[:start]
			continue
		}
		if subject, ok := subjectOf(der[start:]); ok {
			r.certificates = append(r.certificates, root{subject, der[start:len(der):len(der)]})
		}
	}
}

// appendDecoded decodes base64 line by line: the decoder is several times slower with the line ends among the text.
func appendDecoded(dst, text []byte) ([]byte, bool) {
	for len(text) > 0 {
		var line []byte
		line, text, _ = bytes.Cut(text, []byte("\n"))
		var err error
		if dst, err = base64.StdEncoding.AppendDecode(dst, bytes.TrimSpace(line)); err != nil {
			return dst, false
		}
	}
	return dst, true
}

// subjectOf returns the subject of a certificate in DER, as it is encoded (RFC 5280, section 4.1), without looking at
// anything else.
func subjectOf(certificate []byte) ([]byte, bool) {
	const sequence, integer, version = 0x30, 0x02, 0xa0
	_, inside, _, ok := element(certificate, sequence)
	if !ok {
		return nil, false
	}
	_, signed, _, ok := element(inside, sequence)
	if !ok {
		return nil, false
	}
	if _, _, rest, there := element(signed, version); there {
		signed = rest
	}
	var whole []byte
	for _, tag := range []byte{integer, sequence, sequence, sequence, sequence} { // serial number, algorithm, issuer, validity, subject
		if whole, _, signed, ok = element(signed, tag); !ok {
			return nil, false
		}
	}
	return whole, true
}

// element reads one element of DER with a tag of one byte: the whole of it, what is inside, and what comes behind.
func element(b []byte, tag byte) (whole, inside, rest []byte, ok bool) {
	if len(b) < 2 || b[0] != tag {
		return nil, nil, nil, false
	}
	head, size := 2, int(b[1])
	if size >= 0x80 { // the size is in the bytes that follow, of which a certificate needs three at most
		n := size & 0x7f
		if n == 0 || n > 3 || len(b) < 2+n {
			return nil, nil, nil, false
		}
		head, size = 2+n, 0
		for _, c := range b[2:head] {
			size = size<<8 | int(c)
		}
	}
	if len(b)-head < size {
		return nil, nil, nil, false
	}
	return b[:head+size], b[head : head+size], b[head+size:], true
}
