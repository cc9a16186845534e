package secretstest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/file/filetest"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
)

// FullDisk fills the disk of the table in which a store on PostgreSQL keeps what it writes. fill is that of [Outage].
func FullDisk(t *testing.T, h Harness, table string, fill func(t testing.TB, address string)) {
	cluster := NewCluster(t)
	address := cluster.Database(t)
	if fill != nil {
		fill(t, address)
	}
	h.Fresh = func(testing.TB) string { return address }
	p := newPlace(t, h)
	s := p.open(t)
	ctx := t.Context()
	do(t, s.Attach(ctx, imageOf(t, workspace, image, "ghcr.io/a/b"), login(t, workspace, "ghcr.io", "kept")))

	disk := filetest.SmallDisk(t)
	do(t, give(disk))
	do(t, os.Chmod(filepath.Dir(disk), 0o711)) // the server is another user
	Execute(t, address, "CREATE TABLESPACE small LOCATION '"+disk+"'")
	table = pgx.Identifier{table}.Sanitize()
	Execute(t, address, "ALTER TABLE "+table+" SET TABLESPACE small")
	var full error
	written := 0
	for ; full == nil && written < 1000; written++ {
		_, full = s.Put(ctx, login(t, workspace, fmt.Sprintf("registry-%d.example", written), strings.Repeat("x", 1024)))
	}
	if !errors.Is(full, secrets.ErrUnavailable) || helpers.HintOf(full) == "" {
		t.Fatalf("a full disk: %v, hint %q", full, helpers.HintOf(full))
	}
	written-- // the last one failed
	if got, err := s.Find(ctx, workspace, image, registry(t, "ghcr.io/a/b")); err != nil || password(got) != "kept" {
		t.Errorf("reading from a full disk: %v", err)
	}
	if list, err := p.open(t).List(ctx, workspace); err != nil || len(list) != written+1 {
		t.Errorf("%d of the %d that were acknowledged are there, %v", len(list), written+1, err)
	}
	Execute(t, address, "ALTER TABLE "+table+" SET TABLESPACE pg_default")
	must(s.Put(ctx, login(t, workspace, "quay.io", "later")))(t)
}
