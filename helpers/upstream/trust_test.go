package upstream

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"reflect"
	"regexp"
	"testing"
	"time"
)

// A signer makes certificates of servers, and of further signers.
type signer struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// certify makes a certificate; a nil parent signs itself.
func certify(t testing.TB, name string, parent *signer, change func(*x509.Certificate)) *signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(len(name))), Subject: pkix.Name{CommonName: name, Organization: []string{"Nobody"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	change(template)
	by := &signer{template, key}
	if parent != nil {
		by = parent
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.certificate, key.Public(), by.key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &signer{c, key}
}

func isCA(c *x509.Certificate) {
	c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
}

func serves(names ...string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.DNSNames, c.ExtKeyUsage = names, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
}

func and(changes ...func(*x509.Certificate)) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		for _, change := range changes {
			change(c)
		}
	}
}

func inPEM(certificates ...*signer) []byte {
	var b bytes.Buffer
	for _, c := range certificates {
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: c.certificate.Raw}) // to memory
	}
	return b.Bytes()
}

// Whatever a server shows, the verdict is that of the standard library with all roots.
func TestTrustsWhomTheStandardLibraryTrusts(t *testing.T) {
	t.Parallel()
	const name = "api.ecr.example.com"
	root := certify(t, "root", nil, isCA)
	double := certify(t, "root", nil, isCA) // another key under the same name
	unrelated := certify(t, "unrelated", nil, isCA)
	constrained := certify(t, "constrained", nil, and(isCA, func(c *x509.Certificate) {
		c.PermittedDNSDomainsCritical, c.PermittedDNSDomains = true, []string{"example.org"}
	}))
	between := certify(t, "between", root, isCA)
	late := certify(t, "late", root, and(isCA, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }))
	leaf := func(by *signer, changes ...func(*x509.Certificate)) *signer {
		return certify(t, "leaf", by, and(append([]func(*x509.Certificate){serves(name)}, changes...)...))
	}
	self, known := leaf(nil), leaf(between)
	bundle := inPEM(unrelated, double, root, constrained)
	tests := []struct {
		name   string
		bundle []byte
		shown  []*signer // the server's own first
		host   string
		want   bool
	}{
		{name: "signed by a root", shown: []*signer{leaf(root)}, want: true},
		{name: "signed by a root with a double", shown: []*signer{leaf(double)}, want: true},
		{name: "signed by one between", shown: []*signer{leaf(between), between}, want: true},
		{name: "with the root in the chain", shown: []*signer{leaf(between), between, root}, want: true},
		{name: "with others in the chain", shown: []*signer{leaf(between), unrelated, late, between}, want: true},
		{name: "trusted itself", bundle: inPEM(unrelated, self), shown: []*signer{self}, want: true},
		{name: "trusted itself, signed by a stranger", bundle: inPEM(unrelated, known), shown: []*signer{known}, want: true},
		{name: "one between that is trusted itself", bundle: inPEM(between), shown: []*signer{leaf(between)}, want: true},
		{name: "a wildcard", shown: []*signer{leaf(root, serves("*.ecr.example.com"))}, want: true},
		{name: "the name with a dot behind it", shown: []*signer{leaf(root)}, host: name + ".", want: true},
		{name: "signed by itself", shown: []*signer{self}},
		{name: "a stranger under a root's name", bundle: inPEM(unrelated, root), shown: []*signer{leaf(double)}},
		{name: "the one between left out", shown: []*signer{leaf(between)}},
		{name: "an expired one between", shown: []*signer{leaf(late), late}},
		{name: "expired", shown: []*signer{leaf(root, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })}},
		{name: "not yet valid", shown: []*signer{leaf(root, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) })}},
		{name: "another's name", shown: []*signer{leaf(root)}, host: "sts.example.com"},
		{name: "no names", shown: []*signer{leaf(root, serves())}},
		{name: "not a server's", shown: []*signer{leaf(root, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })}},
		{name: "signed by who may not sign", shown: []*signer{leaf(leaf(root)), leaf(root)}},
		{name: "a name that its root may not vouch for", shown: []*signer{leaf(constrained)}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := &roots{}
			r.add(bundle)
			if test.bundle != nil {
				r = &roots{}
				r.add(test.bundle)
			}
			host := name
			if test.host != "" {
				host = test.host
			}
			ours, theirs := greet(t, r.config(false), host, test.shown), greet(t, r.config(true), host, test.shown)
			if (ours == nil) != test.want || (theirs == nil) != test.want {
				t.Fatalf("ours: %v; the standard library's: %v", ours, theirs)
			}
			if ours != nil && (reflect.TypeOf(ours) != reflect.TypeOf(theirs) || timeless(ours) != timeless(theirs)) {
				t.Errorf("ours: %v; the standard library's: %v", ours, theirs)
			}
		})
	}
}

// timeless is the text of an error without the second in which it came to be.
func timeless(err error) string { return now.ReplaceAllString(err.Error(), "$1") }

var now = regexp.MustCompile(`(current time )\S+`)

// greet returns what a client says to a server's certificates.
func greet(t *testing.T, config *tls.Config, host string, shown []*signer) error {
	t.Helper()
	certificate := tls.Certificate{PrivateKey: shown[0].key}
	for _, s := range shown {
		certificate.Certificate = append(certificate.Certificate, s.certificate.Raw)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if conn, err := listener.Accept(); err == nil {
			_ = conn.(*tls.Conn).Handshake() // what the client says of it is what is asked
			conn.Close()
		}
	}()
	defer func() {
		listener.Close()
		<-done
	}()
	config.ServerName = host
	conn, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", listener.Addr().String())
	if err == nil {
		conn.Close()
	}
	return err
}

// Without a name there would be nothing to compare a certificate with, and each would do.
func TestNobodyIsTrustedWithoutAName(t *testing.T) {
	t.Parallel()
	root := certify(t, "root", nil, isCA)
	leaf := certify(t, "leaf", root, and(serves("localhost"), func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)} }))
	r := &roots{}
	r.add(inPEM(root))
	if err := greet(t, r.config(false), "127.0.0.1", []*signer{leaf}); err == nil {
		t.Error("a server without a name was trusted")
	}
	if err := greet(t, r.config(true), "127.0.0.1", []*signer{leaf}); err != nil {
		t.Errorf("the standard library does not trust an address: %v", err)
	}
}

// What is a bundle to the standard library is the same one here.
func TestReadsBundlesAsTheStandardLibraryDoes(t *testing.T) {
	t.Parallel()
	a, b, c := inPEM(certify(t, "a", nil, isCA)), inPEM(certify(t, "b", nil, isCA)), inPEM(certify(t, "c", nil, isCA))
	all := [][]byte{a, b, c}
	broken := bytes.Replace(b, []byte("\n"), []byte("\n*"), 1)
	for name, bundle := range map[string][]byte{
		"three":           bytes.Join(all, nil),
		"DOS":             bytes.ReplaceAll(bytes.Join(all, nil), []byte("\n"), []byte("\r\n")),
		"with remarks":    bytes.Join(all, []byte("# somebody\n\nSubject: CN=somebody\n")),
		"one is damaged":  bytes.Join([][]byte{a, broken, c}, nil),
		"one is cut":      bytes.Join([][]byte{a, b[:len(b)/2], []byte("\n"), c}, nil),
		"the last is cut": bytes.Join([][]byte{a, b, c[:len(c)/2]}, nil),
		"with headers":    bytes.Join([][]byte{a, bytes.Replace(b, []byte("\n"), []byte("\nProc-Type: 4\n\n"), 1), c}, nil),
		"another kind":    bytes.Join([][]byte{a, bytes.ReplaceAll(b, []byte(" CERT"), []byte(" TRUSTED CERT")), c}, nil),
		"not X.509":       bytes.Join([][]byte{a, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{0x30, 1, 2, 3}}), c}, nil),
		"nothing":         nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			theirs, r := x509.NewCertPool(), &roots{}
			theirs.AppendCertsFromPEM(bundle)
			r.add(bundle)
			if ours := r.pool(func(root) bool { return true }); !ours.Equal(theirs) {
				t.Errorf("%d certificates, and not those of the standard library", len(r.certificates))
			}
		})
	}
}

// FuzzSubjectOf holds that whatever the standard library takes for a certificate has the same subject here.
func FuzzSubjectOf(f *testing.F) {
	root := certify(f, "root", nil, isCA)
	f.Add(root.certificate.Raw)
	f.Add(certify(f, "leaf", root, serves("a.example")).certificate.Raw)
	f.Add([]byte{0x30, 0x84, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, der []byte) {
		subject, ok := subjectOf(der)
		c, err := x509.ParseCertificate(der)
		if err == nil && (!ok || !bytes.Equal(subject, c.RawSubject)) {
			t.Errorf("the subject %x was read as %x", c.RawSubject, subject)
		}
	})
}
