package sqlite_test

import (
	"database/sql"
	"fmt"
	"net/url"
	"path/filepath"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
	"github.com/beam-cloud/docker-credential-beta9/secrets/internal/ratio"
	"github.com/beam-cloud/docker-credential-beta9/secrets/sqlite"
)

// BenchmarkRead compares reading one secret with the driver's own point read of the same bytes, by turns in one loop, so
// that both meet the same machine. The ratio is what counts.
func BenchmarkRead(b *testing.B) {
	path := filepath.Join(b.TempDir(), "secrets.db")
	s, err := sqlite.Open(b.Context(), path, ring(b))
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	const n = 1000
	for i := range n {
		put(b, s, fmt.Sprintf("registry-%d.example", i), "not-a-password")
	}
	kept := put(b, s, "ghcr.io", "not-a-token")
	name := kept.Name
	ref, err := helpers.ParseReference("ghcr.io/acme/app")
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Attach(b.Context(), secrets.Image{Workspace: "w", ID: "i", References: []helpers.Reference{ref}}); err != nil {
		b.Fatal(err)
	}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path}).String())
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	point, err := db.Prepare(`SELECT sealed FROM cred_secret WHERE workspace = $1 AND name = $2`)
	if err != nil {
		b.Fatal(err)
	}
	defer point.Close()
	read := func() error {
		var sealed []byte
		return point.QueryRowContext(b.Context(), "w", name).Scan(&sealed)
	}
	ratio.Compare(b, "driver", read, "get", func() error {
		_, err := s.Get(b.Context(), "w", name)
		return err
	})
	ratio.Compare(b, "driver", read, "find", func() error {
		_, err := s.Find(b.Context(), "w", "i", ref.Registry())
		return err
	})
}
