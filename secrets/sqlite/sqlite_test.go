package sqlite_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/secrets"
	"github.com/beam-cloud/docker-credential-beta9/secrets/secretstest"
	"github.com/beam-cloud/docker-credential-beta9/secrets/sqlite"
)

var harness = secretstest.Harness{
	Fresh: func(t testing.TB) string { return filepath.Join(t.TempDir(), "secrets.db") },
	Open: func(ctx context.Context, address string, k *secrets.Keyring) (secretstest.Store, error) {
		return sqlite.Open(ctx, address, k)
	},
	Load:   secretstest.Rows("sqlite").Load,
	Save:   secretstest.Rows("sqlite").Save,
	Change: secretstest.Rows("sqlite").Change,
}

func TestMain(m *testing.M) { os.Exit(secretstest.Main(m, harness)) }

func TestStore(t *testing.T) { secretstest.Run(t, harness) }
