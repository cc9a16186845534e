package pg_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

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

// TestPatiently has a lock not be given until somebody gives up waiting for it.
func TestPatiently(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		taken := &pgconn.PgError{Code: "55P03"}
		for _, last := range []error{nil, &pgconn.PgError{Code: "42P01"}} {
			answers := []error{taken, taken, last}
			err := pg.Patiently(t.Context(), func() (err error) {
				err, answers = answers[0], answers[1:]
				return err
			})
			if err != last || len(answers) != 0 {
				t.Errorf("%v, and %d times too few", err, len(answers))
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		tries := 0
		err := pg.Patiently(ctx, func() error {
			if tries++; tries == 3 {
				cancel()
			}
			return taken
		})
		if tries != 3 || !errors.Is(err, context.Canceled) || !errors.Is(err, taken) {
			t.Errorf("given up at the third try: %v after %d", err, tries)
		}
	})
}
