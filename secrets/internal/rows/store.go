// Package rows keeps sealed secrets in three tables of an SQL database, through database/sql. It is what the embedded
// store and the one on PostgreSQL have in common; each of them brings its [Dialect], its migrations and its way to
// open a database.
//
//	cred_secret   one row per name that a workspace ever used: version, sealed record; no record when deleted
//	cred_image    one row per reference of an image and name of a secret that can serve it
//	cred_key      one row: the id of the key that everything is written with; none before the first write
//
// A deleted secret leaves its name and its version behind, so that no version is ever used twice: an old record does
// not open under a new one, and a writer that saw the old one does not take the new one for it.
package rows

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"sync/atomic"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
	"github.com/beam-cloud/docker-credential-beta9/secrets/internal/memory"
)

// A Dialect is what differs between two databases.
type Dialect struct {
	// Share ends a SELECT whose rows are to stay as they are until the transaction ends. It is empty where there is
	// one writer at a time anyway.
	Share string
	// LockKeys keeps writers away from cred_key until the transaction ends, in the order in which it was asked for. It is
	// empty for the same reason.
	LockKeys string
	// Haste begins the transactions of a rotation, and has them fail rather than wait long for a lock, while others wait for
	// theirs. Patiently carries out one that begins so, again if need be. They are empty and nil for the same reason.
	Haste     string
	Patiently func(ctx context.Context, transaction func() error) error
	// LockImage keeps others from attaching to an image, of the workspace $1 and with the id $2, until the transaction ends.
	// It is empty for the same reason.
	LockImage string
	// Forget takes what was removed and what was sealed again out of what the database keeps beside its tables, as far as it
	// can; it may be nil.
	Forget func(context.Context)
	// Hint says what a person can do about an error of the driver, or nothing.
	Hint func(error) string
}

// A Store is a [secrets.Store], [secrets.Images] and [secrets.Rotator].
type Store struct {
	db      *sql.DB
	keyring *secrets.Keyring
	dialect Dialect

	get, find *sql.Stmt
	write     string // the statement of put
	// key is the id of the key to write with, as it was when the database was last asked; see claim for a new store.
	key    atomic.Pointer[string]
	memory memory.Memory
}

var (
	_ secrets.Store   = (*Store)(nil)
	_ secrets.Images  = (*Store)(nil)
	_ secrets.Rotator = (*Store)(nil)
)

// New returns the store in a database that has its tables. It takes the database over.
func New(ctx context.Context, db *sql.DB, k *secrets.Keyring, d Dialect) (*Store, error) {
	s := &Store{db: db, keyring: k, dialect: d, write: writeStatement(d)}
	var err error
	if s.get, err = db.PrepareContext(ctx, getStatement); err == nil {
		s.find, err = db.PrepareContext(ctx, findStatement)
	}
	if err == nil {
		err = s.currentKey(ctx, db)
	}
	if err != nil {
		return nil, s.unavailable(whole{}, err)
	}
	return s, nil
}

// Close closes the database.
func (s *Store) Close() error { return s.db.Close() }

// whole is the store itself, where an error is about no record.
type whole struct{}

func (whole) String() string { return "the store" }

func (s *Store) unavailable(what interface{ String() string }, err error) error {
	if _, ok := errors.AsType[*helpers.Failure](err); ok {
		return err
	}
	return secrets.Unavailable(what, err, s.dialect.Hint(err))
}

// forget is called when something was removed or sealed again.
func (s *Store) forget(ctx context.Context) {
	if s.dialect.Forget != nil {
		s.dialect.Forget(ctx)
	}
}

// querier is a database or a transaction.
type querier interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	QueryRowContext(context.Context, string, ...any) *sql.Row
}

// stamp is how times are kept: microseconds, which both databases and Go hold exactly.
func stamp(t time.Time) int64      { return t.UnixMicro() }
func moment(micro int64) time.Time { return time.UnixMicro(micro).UTC() }

// row is a record with what stands beside it.
type row struct {
	place            secrets.Place
	sealed           []byte
	created, updated int64
}

// open opens the record of a row. When the keyring lacks the key, the key may have been retired after the row was
// read: again reads the row once more, as often as it has changed since.
func (s *Store) open(ctx context.Context, r row, again func() (row, error)) (secrets.Secret, error) {
	m, err := s.material(ctx, r)
	for errors.Is(err, secrets.ErrNoKey) {
		next, lost := again()
		if lost != nil {
			return secrets.Secret{}, lost
		}
		if bytes.Equal(next.sealed, r.sealed) {
			break
		}
		r = next
		m, err = s.material(ctx, r)
	}
	if errors.Is(err, secrets.ErrSealed) {
		return secrets.Secret{Workspace: r.place.Workspace, Name: r.place.Name, Version: r.place.Version}, err
	}
	if err != nil {
		return secrets.Secret{}, err
	}
	return secrets.Secret{
		Workspace: r.place.Workspace, Name: r.place.Name, Material: m, Version: r.place.Version,
		Created: moment(r.created), Updated: moment(r.updated),
	}, nil
}

// material returns what is in the record of a row.
func (s *Store) material(ctx context.Context, r row) (helpers.Material, error) {
	if m, ok := s.memory.Recall(r.place, r.sealed); ok {
		return m, nil
	}
	plain, err := s.keyring.Open(ctx, r.place, r.sealed)
	if err != nil {
		return helpers.Material{}, err
	}
	defer clear(plain)
	m, err := helpers.ParseMaterial(plain)
	if err != nil {
		return helpers.Material{}, secrets.Sealed(r.place, "it holds no material", "store the secret again")
	}
	if m.Registry().Identity() != r.place.Registry || m.Scope() != r.place.Scope {
		return helpers.Material{}, secrets.Sealed(r.place, "its material is bound to another registry", "store the secret again")
	}
	s.memory.Remember(r.place, r.sealed, m)
	return m, nil
}
