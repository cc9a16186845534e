package docs_test

import (
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/secrets/secretstest"
)

// database is the host of the databases that pages speak of: secrets, which is empty, and beta9, which is one of Beta9's
// with a workspace and an image in it. Each belongs to a user of its name.
const database = "db.example"

// serveDatabases starts the server behind that name.
func serveDatabases(t *testing.T) {
	t.Helper()
	cluster := secretstest.NewCluster(t)
	for _, statement := range []string{
		"CREATE ROLE secrets LOGIN", "CREATE DATABASE secrets OWNER secrets", "CREATE ROLE beta9 LOGIN SUPERUSER", "CREATE DATABASE beta9",
	} {
		secretstest.Execute(t, cluster.Address("postgres"), statement)
	}
	tables, err := os.ReadFile(filepath.Join(root, "secrets", "beta9", "testdata", "schema.sql"))
	if err != nil {
		t.Fatal(err)
	}
	secretstest.Execute(t, cluster.Address("beta9"), string(tables)+`;
INSERT INTO workspace (external_id, name, signing_key)
VALUES ('7d444840-9dc0-41d1-b245-5ffdce74fad2', 'acme', 'sk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=');
INSERT INTO image (image_id, clip_version) VALUES ('3f2a9c1e', 2);`)
	address, err := url.Parse(cluster.Address("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	forward(t, net.JoinHostPort(database, "5432"), filepath.Join(address.Query().Get("host"), ".s.PGSQL.5432"))
}

// forward leads connections to a socket, until the test ends.
func forward(t *testing.T, from, to string) {
	t.Helper()
	listener, err := net.Listen("tcp", from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("unix", to)
			if err != nil {
				near.Close()
				continue
			}
			go func() { io.Copy(far, near); far.Close() }()
			go func() { io.Copy(near, far); near.Close() }()
		}
	}()
}
