// Package beta9 keeps secrets in Beta9's own PostgreSQL database, in Beta9's own format, so that its workers read what
// is written here and what they were given before is read here.
//
// A secret is a row of workspace_secret, sealed with the workspace's key. What that format cannot hold lies beside it in
// tables of this package, whose names start with cred_beta9_: the version, the binding, and a MAC under the store's own
// [secrets.Keyring], over workspace, name, registry, scope, version and value. A row with a name of this project's needs
// its MAC: whoever can write to the database, and so read the workspace's key, cannot make such a row. Secrets that
// older releases stored, under oci-registry-<host>, have none; they count only for the registry that they name
// themselves, and where no other secret serves it.
//
// An image's first secret is also noted where workers look for it, in image.credential_secret_name and
// credential_secret_id. Where the table has the array credential_secret_names instead, each of whose secrets holds the
// value of one environment variable, the array is read and left as it is: a name of this project's would be taken for a
// variable's.
//
// A workspace is named by its external id, a UUID.
package beta9

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"io/fs"
	"strings"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
	"github.com/beam-cloud/docker-credential-beta9/secrets/internal/memory"
	"github.com/beam-cloud/docker-credential-beta9/secrets/internal/pg"
	"github.com/beam-cloud/docker-credential-beta9/secrets/internal/rows"
)

//go:embed migrations/*.sql
var migrations embed.FS

// versionTable is this package's own; Beta9's goose_db_version is not touched.
const versionTable = "cred_beta9_version"

// migrating is the advisory lock that is held while tables are made; a number that nobody else has a reason to use.
const migrating = 0x62657461_39637264

// A Store is a [secrets.Store], [secrets.Images] and [secrets.Rotator]; see the package. It outlives the server: what
// is called while there is none fails with [secrets.ErrUnavailable], and what is called afterwards works again.
type Store struct {
	pool    *pgxpool.Pool
	keyring *secrets.Keyring
	memory  memory.Memory
	// named is a statement of Find, for the columns of the image table as they were when they were last looked at.
	named atomic.Pointer[string]
	// key is the id of the key to write MACs with, as it was when the database was last asked; see claim for a new store.
	key atomic.Pointer[string]
}

var (
	_ secrets.Store   = (*Store)(nil)
	_ secrets.Images  = (*Store)(nil)
	_ secrets.Rotator = (*Store)(nil)
)

// Open opens the store in a database of Beta9's in which [Migrate] was run. dsn is a URL or a list of settings, see
// https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING; it is not quoted in errors. The keyring
// holds the keys of the MACs. Close the store after use.
func Open(ctx context.Context, dsn string, k *secrets.Keyring) (*Store, error) {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, pg.BadAddress(err)
	}
	config.MaxConns = pg.MaxConnections
	config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		// Every statement enters its tables by keys: planning one anew, which takes ten times as long as carrying it
		// out, would come to the same.
		_, err := conn.Exec(ctx, pg.Committed+`; SET plan_cache_mode = force_generic_plan`)
		return err
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, unavailable(whole{}, err)
	}
	s := &Store{pool: pool, keyring: k}
	if err = s.look(ctx); err == nil {
		err = s.currentKey(ctx, pool)
	}
	if err != nil {
		pool.Close()
		return nil, unavailable(whole{}, err)
	}
	return s, nil
}

// look finds out which columns a release of Beta9 has for the secrets of an image: the older two, the array, or both.
func (s *Store) look(ctx context.Context) error {
	var single, array bool
	err := s.pool.QueryRow(ctx, `SELECT
	count(*) FILTER (WHERE attname = 'credential_secret_name') = 1,
	count(*) FILTER (WHERE attname = 'credential_secret_names') = 1
FROM pg_attribute WHERE attrelid = 'image'::regclass AND NOT attisdropped`).Scan(&single, &array)
	if err == nil {
		named := namedStatement(single, array)
		s.named.Store(&named)
	}
	return err
}

// withColumns does what reads the columns of the image table. When they are not those for which the statement is, Beta9 was
// replaced by another release: then it looks again, and does it again.
func (s *Store) withColumns(ctx context.Context, do func(named string) error) error {
	err := do(*s.named.Load())
	failed, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || failed.Code != "42703" && failed.Code != "42702" { // undefined_column, ambiguous_column
		return err
	}
	if err := s.look(ctx); err != nil {
		return err
	}
	return do(*s.named.Load())
}

// Close closes the connections.
func (s *Store) Close() error {
	s.pool.Close()
	return nil
}

// Migrate makes this package's tables in a database of Beta9's, and the two columns of an image where they are missing.
// Several processes may do so at the same time. For the table of images, which Beta9 uses, it waits for three seconds: the
// error is then that the store is unavailable, and nothing of Beta9's has changed.
func Migrate(ctx context.Context, dsn string) error {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return pg.BadAddress(err)
	}
	db := stdlib.OpenDB(*config)
	defer db.Close()
	files, err := fs.Sub(migrations, "migrations")
	if err == nil {
		err = isBeta9s(ctx, db)
	}
	if err == nil {
		err = pg.Locked(ctx, db, migrating, func() error {
			return rows.Migrate(ctx, db, goose.DialectPostgres, files, versionTable)
		})
	}
	if err != nil {
		return unavailable(whole{}, err)
	}
	return nil
}

// isBeta9s refuses a database without the tables of Beta9's that the store uses, before anything is made in it.
func isBeta9s(ctx context.Context, db *sql.DB) error {
	var there bool
	err := db.QueryRowContext(ctx, `SELECT count(to_regclass(name)) = count(*)
FROM unnest(ARRAY['workspace', 'workspace_secret', 'image']) name`).Scan(&there)
	if err == nil && !there {
		return helpers.Fail(helpers.BadRequest, "the database is not one of Beta9's: it does not have the tables workspace, workspace_secret and image",
			"give the address of Beta9's database, or use postgres:// for a store of its own")
	}
	return err
}

// whole is the store itself, where an error is about no record.
type whole struct{}

func (whole) String() string { return "the store in Beta9's database" }

// unavailable makes an error of the database into one of the store, and lets other errors pass.
func unavailable(what interface{ String() string }, err error) error {
	if _, ok := errors.AsType[*helpers.Failure](err); ok || helpers.IsNotFound(err) {
		return err
	}
	return secrets.Unavailable(what, err, pg.Hint(err))
}

// querier is a pool or a transaction.
type querier interface {
	Exec(context.Context, string, ...any) (pgconn.CommandTag, error)
	Query(context.Context, string, ...any) (pgx.Rows, error)
	QueryRow(context.Context, string, ...any) pgx.Row
}

// currentKey learns which key to write with. In a new store there is none.
func (s *Store) currentKey(ctx context.Context, q querier) error {
	var id string
	err := q.QueryRow(ctx, `SELECT id FROM cred_beta9_key`).Scan(&id)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	s.key.Store(&id)
	return nil
}

// claim is currentKey for writers, who have a new store written with their keyring's current key unless another one was
// faster. Whoever only reads, with the wrong keyring by mistake, would keep those with the right one out.
func (s *Store) claim(ctx context.Context, q querier) error {
	if err := s.currentKey(ctx, q); err != nil || *s.key.Load() != "" {
		return err
	}
	_, err := q.Exec(ctx, `INSERT INTO cred_beta9_key (one, id) VALUES (1, $1) ON CONFLICT DO NOTHING`, s.keyring.Current().ID())
	if err != nil {
		return err
	}
	return s.currentKey(ctx, q)
}

// checkWorkspace returns the canonical spelling of a workspace's external id, which is what MACs are made over.
func checkWorkspace(workspace string) (string, error) {
	id := strings.ToLower(workspace)
	bad := len(id) != 36
	for i := 0; i < len(id) && !bad; i++ {
		switch i {
		case 8, 13, 18, 23:
			bad = id[i] != '-'
		default:
			bad = !strings.Contains("0123456789abcdef", id[i:i+1])
		}
	}
	if bad {
		return "", helpers.Fail(helpers.BadRequest, "the workspace is not named by a UUID", "give the workspace's external id")
	}
	return id, nil
}
