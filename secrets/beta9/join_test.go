package beta9_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/beam-cloud/docker-credential-beta9/secrets"
)

func TestFindIsOneQuery(t *testing.T) {
	t.Parallel()
	address := fresh(t)
	prepare(t, address, []string{workspace, other}, []string{image})
	address, statements := counting(t, address)
	s := reopen(t, address)
	attach(t, s, []secrets.Secret{github(t, "x", ""), github(t, "y", "acme")}, "ghcr.io/acme/app:1", "ghcr.io/else/app:1")
	find := func(t *testing.T) {
		if _, err := s.Find(t.Context(), workspace, image, registry(t, "ghcr.io/acme/app")); err != nil {
			t.Fatal(err)
		}
	}
	find(t) // connects
	before := statements.Load()
	find(t)
	if n := statements.Load() - before; n != 1 {
		t.Errorf("%d statements to read one secret", n)
	}
}

// counting makes another address for a database, where the statements that are carried out are counted on their way; see
// https://www.postgresql.org/docs/current/protocol-message-formats.html.
func counting(t *testing.T, address string) (string, *atomic.Int64) {
	t.Helper()
	config, err := pgx.ParseConfig(address)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "") // the usual folder of a test is too long for the name of a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	listener, err := net.Listen("unix", filepath.Join(dir, fmt.Sprintf(".s.PGSQL.%d", config.Port)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	statements := new(atomic.Int64)
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go relay(client, config, statements)
		}
	}()
	settings := url.Values{"host": {dir}, "port": {fmt.Sprint(config.Port)}, "user": {config.User}, "password": {config.Password}}
	return "postgres:///" + config.Database + "?" + settings.Encode(), statements
}

// relay carries one connection until either side ends it.
func relay(client net.Conn, config *pgx.ConnConfig, statements *atomic.Int64) {
	defer client.Close()
	network, address := pgconn.NetworkAddress(config.Host, config.Port)
	server, err := net.Dial(network, address)
	if err != nil {
		return
	}
	go func() {
		defer client.Close()
		io.Copy(client, server)
	}()
	defer server.Close()
	// The first message has no type in front of its length.
	for head := make([]byte, 4); ; head = make([]byte, 5) {
		if _, err := io.ReadFull(client, head); err != nil {
			return
		}
		if len(head) == 5 && (head[0] == 'E' || head[0] == 'Q') { // Execute, Query
			statements.Add(1)
		}
		if _, err := server.Write(head); err != nil {
			return
		}
		if _, err := io.CopyN(server, client, int64(binary.BigEndian.Uint32(head[len(head)-4:]))-4); err != nil {
			return
		}
	}
}
