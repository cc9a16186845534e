package testca

import (
	"crypto/tls"
	"net"
	"strings"
	"testing"
)

// handshake has a client that trusts pool's authority ask for name, and returns what it made of the answer.
func handshake(t *testing.T, server, trusted *Authority, name string) error {
	t.Helper()
	ln, err := tls.Listen("tcp", "127.0.0.1:0", server.ServerConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		conn.(*tls.Conn).Handshake() // the client's verdict is the test's
		conn.Close()
	}()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	config := trusted.ClientConfig()
	config.ServerName = name
	return tls.Client(conn, config).Handshake()
}

func TestAuthorityVouchesForAnyName(t *testing.T) {
	t.Parallel()
	ca, err := New()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ghcr.io", "localhost", "123456789012.dkr.ecr.us-east-1.amazonaws.com", "127.0.0.1"} {
		if err := handshake(t, ca, ca, name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnotherAuthorityIsNotTrusted(t *testing.T) {
	t.Parallel()
	ca, err := New()
	if err != nil {
		t.Fatal(err)
	}
	other, err := New()
	if err != nil {
		t.Fatal(err)
	}
	if err := handshake(t, ca, other, "ghcr.io"); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("got %v, want a refusal of the certificate", err)
	}
}
