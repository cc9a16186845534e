package pg_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/beam-cloud/docker-credential-beta9/secrets/internal/pg"
)

// TestHintOfRights is about an insert into a table whose sequence the user may not use: PostgreSQL has rights for either.
func TestHintOfRights(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("put: %w", &pgconn.PgError{Code: "42501", Message: "permission denied for sequence workspace_secret_id_seq"})
	if got := pg.Hint(err); !strings.Contains(got, "tables and sequences") {
		t.Errorf("hint %q", got)
	}
}

// TestHintOfConnection connects to servers that end it at the first packet, which asks for TLS.
func TestHintOfConnection(t *testing.T) {
	t.Parallel()
	web := httptest.NewTLSServer(nil) // whose certificate nobody here trusts
	defer web.Close()
	for name, c := range map[string]struct {
		answer func(net.Conn)
		want   string
	}{
		"no TLS":      {func(conn net.Conn) { _, _ = conn.Write([]byte("N")) }, "does not speak TLS"},
		"certificate": {func(conn net.Conn) { _, _ = conn.Write([]byte("S")); _ = tls.Server(conn, web.TLS).Handshake() }, "sslrootcert"},
		"no server":   {func(net.Conn) {}, "host and port"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			go func() {
				for {
					conn, err := listener.Accept()
					if err != nil {
						return
					}
					_, _ = io.ReadFull(conn, make([]byte, 8))
					c.answer(conn)
					conn.Close()
				}
			}()
			_, err = pgx.Connect(t.Context(), "postgres://u@"+listener.Addr().String()+"/d?sslmode=verify-full")
			if got := pg.Hint(err); !strings.Contains(got, c.want) {
				t.Errorf("%v: hint %q, want %q in it", err, got, c.want)
			}
		})
	}
}
