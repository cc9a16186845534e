// Package postgres keeps secrets in a PostgreSQL database, for any number of machines.
package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
	"github.com/beam-cloud/docker-credential-beta9/secrets/internal/rows"
)

//go:embed migrations/*.sql
var migrations embed.FS

// A Store is a [secrets.Store], [secrets.Images] and [secrets.Rotator]; see the package. It outlives the server: what
// is called while there is none fails with [secrets.ErrUnavailable], and what is called afterwards works again.
type Store = rows.Store

// migrating is the advisory lock that is held while tables are made; a number that nobody else has a reason to use.
const migrating = 0x62657461_63726564

// maxConnections bounds what one process takes of the server, whose default for everybody is 100.
const maxConnections = 16

// Open opens the store in a database in which [Migrate] was run. dsn is a URL or a list of settings, see
// https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING; it is not quoted in errors. Close the
// store after use.
func Open(ctx context.Context, dsn string, k *secrets.Keyring) (*Store, error) {
	db, err := open(dsn)
	if err != nil {
		return nil, err
	}
	s, err := rows.New(ctx, db, k, rows.Dialect{Share: " FOR SHARE", Hint: hint})
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
		err = rows.Locked(ctx, db, migrating, func() error {
			return rows.Migrate(ctx, db, goose.DialectPostgres, files, "cred_version")
		})
	}
	if err != nil {
		return secrets.Unavailable(database{}, err, hint(err))
	}
	return nil
}

type database struct{}

func (database) String() string { return "the store in PostgreSQL" }

func open(dsn string) (*sql.DB, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, &helpers.Failure{
			Reason: helpers.BadRequest,
			Text:   "the address of the PostgreSQL database cannot be understood",
			Hint:   "write it as postgres://user@host/database, with the password in a passfile or PGPASSWORD",
			Cause:  err,
		}
	}
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(maxConnections)
	db.SetMaxIdleConns(maxConnections)
	return db, nil
}

// hint says what to do about the errors that a person can do something about; the codes are those of
// https://www.postgresql.org/docs/current/errcodes-appendix.html.
func hint(err error) string {
	failed, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return ""
	}
	switch failed.Code {
	case "42P01": // undefined_table
		return "make the store's tables: beta9-credentials migrate"
	case "42501": // insufficient_privilege
		return "give the user of the database access to the tables whose names start with cred_"
	case "53100": // disk_full
		return "make room on the disk of the database"
	case "28P01", "28000": // invalid_password, invalid_authorization_specification
		return "see that the user and the password of the database are right"
	}
	return ""
}
