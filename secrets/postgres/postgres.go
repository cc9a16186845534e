// Package postgres keeps secrets in a PostgreSQL database, for any number of machines.
package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
	"github.com/beam-cloud/docker-credential-beta9/secrets/internal/pg"
	"github.com/beam-cloud/docker-credential-beta9/secrets/internal/rows"
)

//go:embed migrations/*.sql
var migrations embed.FS

// A Store is a [secrets.Store], [secrets.Images] and [secrets.Rotator]; see the package. It outlives the server: what
// is called while there is none fails with [secrets.ErrUnavailable], and what is called afterwards works again.
type Store = rows.Store

// migrating is the advisory lock that is held while tables are made; a number that nobody else has a reason to use.
const migrating = 0x62657461_63726564

// Open opens the store in a database in which [Migrate] was run. dsn is a URL or a list of settings, see
// https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING; it is not quoted in errors. Close the
// store after use.
func Open(ctx context.Context, dsn string, k *secrets.Keyring) (*Store, error) {
	db, err := open(dsn)
	if err != nil {
		return nil, err
	}
	s, err := rows.New(ctx, db, k, rows.Dialect{
		Share: " FOR SHARE", LockKeys: pg.LockKeys("cred_key"), Haste: pg.Haste, Patiently: pg.Patiently,
		LockImage: pg.LockImage, Hint: pg.Hint,
	})
	if err != nil {
		db.Close()
	}
	return s, err
}

// Migrate makes the store's tables, or brings those of an older release up to date. Several processes may do so at the
// same time.
func Migrate(ctx context.Context, dsn string) error {
	db, err := open(dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	files, err := fs.Sub(migrations, "migrations")
	if err == nil {
		err = pg.Locked(ctx, db, migrating, func() error {
			return rows.Migrate(ctx, db, goose.DialectPostgres, files, "cred_version")
		})
	}
	if f, ok := errors.AsType[*helpers.Failure](err); ok {
		return f
	}
	if err != nil {
		return secrets.Unavailable(database{}, err, pg.Hint(err))
	}
	return nil
}

type database struct{}

func (database) String() string { return "the store in PostgreSQL" }

func open(dsn string) (*sql.DB, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, pg.BadAddress(err)
	}
	db := stdlib.OpenDB(*config, stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, pg.Committed)
		return err
	}))
	db.SetMaxOpenConns(pg.MaxConnections)
	db.SetMaxIdleConns(pg.MaxConnections)
	return db, nil
}
