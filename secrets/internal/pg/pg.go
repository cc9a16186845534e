// Package pg is what the stores on PostgreSQL have in common.
package pg

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// MaxConnections bounds what one process takes of a server, whose default for everybody is 100.
const MaxConnections = 16

// BadAddress is the error about an address that the client library cannot parse. Its text holds nothing of the address,
// which may hold a password.
func BadAddress(cause error) error {
	return &helpers.Failure{
		Reason: helpers.BadRequest,
		Text:   "the address of the PostgreSQL database cannot be understood",
		Hint:   "write it as postgres://user@host/database, with the password in a passfile or PGPASSWORD",
		Cause:  cause,
	}
}

const lockNotAvailable = "55P03"

// Hint says what to do about an error; the codes are those of
// https://www.postgresql.org/docs/current/errcodes-appendix.html.
func Hint(err error) string {
	failed, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return hintOfConnection(err)
	}
	switch failed.Code {
	case "42P01", "42703": // undefined_table, undefined_column
		return "make the store's tables: beta9-credentials migrate"
	case "42501": // insufficient_privilege
		return "give the user of the database its rights on the store's tables and sequences"
	case "3D000": // invalid_catalog_name
		return "make the database, or see that its name is right"
	case "25006": // read_only_sql_transaction
		return "this server only reads: name the primary one, or add target_session_attrs=read-write to the address"
	case lockNotAvailable:
		return "a transaction keeps a table for itself: end it (pg_stat_activity shows it), or try again later"
	case "53100": // disk_full
		return "make room on the disk of the database"
	case "28P01", "28000": // invalid_password, invalid_authorization_specification
		return "see that the user and the password of the database are right"
	case "57P01", "57P02", "57P03": // admin_shutdown, crash_shutdown, cannot_connect_now
		return lost
	}
	return "see what the log of the database server says about it"
}

const lost = "see that the server is up, and try again"

// hintOfConnection is the hint about an error that the server has not sent.
func hintOfConnection(err error) string {
	if errors.Is(err, context.Canceled) {
		return "" // the caller's own doing
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); !ok {
		return lost
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "see that the certificate of the server is for this host; name the file with that of its authority by sslrootcert in the address"
	}
	if strings.Contains(err.Error(), "server refused TLS connection") { // nothing but its text tells this error
		return "this server does not speak TLS: turn its ssl on, or see that sslmode in the address is right"
	}
	return "see that the server is up, and that its host and port are right"
}

// Locked runs migrate while it holds an advisory lock, for which it waits as long as ctx lets it.
func Locked(ctx context.Context, db *sql.DB, lock int64, migrate func() error) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_lock($1)`, lock); err != nil {
		return err
	}
	// A lock that cannot be given back ends with the connection.
	defer conn.ExecContext(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, lock)
	return migrate()
}

// Committed has the transactions of a connection see what others committed before each statement, whatever the database's
// own setting is: the stores wait for each other's locks, and look after that at what is there. In the stricter levels
// whoever lost a race would be told that the database failed.
const Committed = `SET default_transaction_isolation = 'read committed'`

// LockKeys keeps writers away from the table of the key that everything is written with, by its name, until the transaction
// ends. The row could be locked instead, but that lock lets those who share it in ahead of whoever waits to change the row:
// a rotation would not begin as long as writers come. This one is given in the order in which it was asked for, so whoever
// shares the row has to ask for that before locking any secret.
func LockKeys(table string) string { return `LOCK TABLE ` + table + ` IN EXCLUSIVE MODE` }

// Haste begins a transaction that others wait for while it waits itself, as those of a rotation are. It has it wait for a
// lock for as long as transactions that are in order take to end, and fail then: the others would wait as well for
// somebody who hangs, and for a rotation that was killed, which the server does not notice while it waits.
const Haste = `SET LOCAL lock_timeout = '1s'`

// pause is for the others.
const pause = time.Second

// Patiently carries out a transaction that begins with [Haste], again and again for as long as it does not get its locks
// and ctx lasts.
func Patiently(ctx context.Context, transaction func() error) error {
	for {
		err := transaction()
		if failed, ok := errors.AsType[*pgconn.PgError](err); !ok || failed.Code != lockNotAvailable {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w, after %w", ctx.Err(), err)
		case <-time.After(pause):
		}
	}
}

// LockImage keeps others from attaching to an image of a workspace until the transaction ends. Without it two
// would each take away the references that were there, and both of theirs would stay; or wait for each other.
const LockImage = `SELECT pg_advisory_xact_lock(hashtextextended('cred_image ' || length($1::text) || ' ' || $1 || $2, 0))`
