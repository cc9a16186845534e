package postgres_test

import (
	"context"
	"os"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/secrets"
	"github.com/beam-cloud/docker-credential-beta9/secrets/postgres"
	"github.com/beam-cloud/docker-credential-beta9/secrets/secretstest"
)

var harness = secretstest.Harness{
	Fresh: secretstest.Postgres,
	Open: func(ctx context.Context, address string, k *secrets.Keyring) (secretstest.Store, error) {
		if err := postgres.Migrate(ctx, address); err != nil {
			return nil, err
		}
		return postgres.Open(ctx, address, k)
	},
	Load:   secretstest.Rows("pgx").Load,
	Save:   secretstest.Rows("pgx").Save,
	Change: secretstest.Rows("pgx").Change,
}

func TestMain(m *testing.M) { os.Exit(secretstest.Main(m, harness)) }

func TestStore(t *testing.T) { secretstest.Run(t, harness) }

func TestOutage(t *testing.T) { secretstest.Outage(t, harness, "cred_secret", nil) }

func TestTurns(t *testing.T) { secretstest.Turns(t, harness, "cred_") }
