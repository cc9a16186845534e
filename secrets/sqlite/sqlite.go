// Package sqlite keeps secrets in one file, for one machine: the store that needs nothing to be set up. Any number of
// processes may use it at the same time; the file has to lie on a local disk.
package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"embed"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
	"github.com/beam-cloud/docker-credential-beta9/secrets/internal/rows"
)

//go:embed migrations/*.sql
var migrations embed.FS

// A Store is a [secrets.Store], [secrets.Images] and [secrets.Rotator]; see the package.
type Store = rows.Store

// patience is how long a connection waits for a writer, in milliseconds. haste is the same for one that cuts the log, which
// keeps writers away while it waits for readers.
const patience, haste = "20000", "10"

// settings of every connection.
var settings = url.Values{
	// Readers go on while somebody writes, and the other way round.
	"_journal_mode": {"WAL"},
	// What was acknowledged is on the disk, also when the power goes.
	"_synchronous": {"FULL"},
	// Writers wait for each other: a write takes about a millisecond.
	"_busy_timeout": {patience},
	// A transaction that reads first and writes then would fail when another one wrote in between.
	"_txlock": {"immediate"},
	"_pragma": {
		// The log of writes, which stays beside the store, is cut to this size, in bytes, and to nothing when the last
		// connection closes: a store that is put back from a backup must not find the log of another one.
		"journal_size_limit(1048576)",
		// What was removed or replaced is written over in the file, or an old keyring would open it still. The log holds it
		// for longer; see forget.
		"secure_delete(1)",
	},
	// A misspelled column is an error and not a string.
	"_dqs": {"false"},
}

// maxConnections bounds how many reads of one process run at once; more than cores are of no use.
const maxConnections = 8

// versions is the table that says how far the tables of a store are. It is the first one that a store gets.
const versions = "cred_version"

// Open opens the store in the file at path, and makes it, for its owner alone, when there is none. The folder has to be
// there. Tables of an older release are brought up to date. A database of another program is refused, and stays as it is.
// Close it after use.
//
// The errors are [*helpers.Failure], with [helpers.BadRequest] for a path that cannot be used and with
// [helpers.Unavailable] when the file cannot be read or written.
func Open(ctx context.Context, path string, k *secrets.Keyring) (*Store, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, secrets.Unavailable(file(path), err, "")
	}
	if err := claim(path); err != nil {
		return nil, err
	}
	if _, err := Exists(ctx, path); err != nil {
		return nil, err
	}
	db := open(path, settings)
	db.SetMaxOpenConns(maxConnections)
	db.SetMaxIdleConns(maxConnections)
	if err := migrate(ctx, db); err != nil {
		db.Close()
		if f, ok := errors.AsType[*helpers.Failure](err); ok {
			return nil, f
		}
		return nil, secrets.Unavailable(file(path), err, hint(err))
	}
	s, err := rows.New(ctx, db, k, rows.Dialect{Forget: func(ctx context.Context) { forget(ctx, db) }, Hint: hint})
	if err != nil {
		db.Close()
	}
	return s, err
}

// Exists tells whether there is a store in the file at path. A file that is empty, or a database without tables, is none yet.
// The errors are those of [Open]. Nothing is written: the file may be another program's.
func Exists(ctx context.Context, path string) (bool, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return false, secrets.Unavailable(file(path), err, "")
	}
	if err := trustAll(path); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	if isEmpty(path) {
		return false, nil
	}
	looking := url.Values{"mode": {"ro"}, "_busy_timeout": {patience}}
	if isEmpty(path + "-wal") {
		// All there is stands in the file. Reading it as one that nobody writes to keeps SQLite from putting files beside it,
		// and from ending what another program was killed in the middle of.
		looking.Set("immutable", "1")
	}
	db := open(path, looking)
	defer db.Close()
	var tables, ours int
	err = patiently(ctx, func() (bool, error) {
		err := db.QueryRowContext(ctx, `SELECT count(*), count(CASE WHEN type = 'table' AND name = $1 THEN 1 END) FROM sqlite_schema`,
			versions).Scan(&tables, &ours)
		return busy(err), err
	})
	switch {
	case err != nil:
		return false, secrets.Unavailable(file(path), err, hint(err))
	case tables > 0 && ours == 0:
		return false, helpers.Fail(helpers.BadRequest, "what is in "+path+" is no store, but the database of another program",
			"name the file of a store, or one that is not there yet")
	}
	return ours > 0, nil
}

// isEmpty tells whether nothing is in a file, or no file there.
func isEmpty(path string) bool {
	info, err := os.Stat(path)
	return err != nil || info.Size() == 0
}

// attempts is how often it is tried again what SQLite does not wait for by itself, as it does for a writer: for whoever turns
// a new file to write-ahead logging, or cuts the log, which is done in a moment.
const attempts = 50

// patiently calls do until nobody holds it up, but for some attempts at most.
func patiently(ctx context.Context, do func() (held bool, err error)) (err error) {
	for range attempts {
		var held bool
		if held, err = do(); !held {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
	return err
}

// migrate makes the tables, or brings them up to date.
func migrate(ctx context.Context, db *sql.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	return patiently(ctx, func() (bool, error) {
		err := rows.Migrate(ctx, db, goose.DialectSQLite3, files, versions)
		return busy(err), err
	})
}

// forget writes the log into the file and cuts it to nothing, which takes away what was removed or sealed again. That fails
// as long as somebody is in the middle of reading what was there before; what was done is done nevertheless, so nobody is
// told, and the next one to remove or to rotate cuts the log, or the last one to close the store.
func forget(ctx context.Context, db *sql.DB) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return
	}
	defer conn.Close()
	defer conn.ExecContext(context.WithoutCancel(ctx), `PRAGMA busy_timeout = `+patience)
	if _, err := conn.ExecContext(ctx, `PRAGMA busy_timeout = `+haste); err != nil {
		return
	}
	patiently(ctx, func() (held bool, err error) {
		var frames, written int // none of them when it succeeds
		err = conn.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&held, &frames, &written)
		return held || busy(err), err
	})
}

func busy(err error) bool {
	failed, ok := errors.AsType[*sqlite.Error](err)
	return ok && failed.Code()&0xff == sqlite3.SQLITE_BUSY
}

// A connector makes connections that leave the two files beside the store in their place when the last one closes. SQLite
// cannot read a store without them, and could not make them on a disk that is full or read-only.
type connector struct {
	driver sqlite.Driver
	name   string
}

// Connect opens a connection.
func (c *connector) Connect(context.Context) (driver.Conn, error) {
	conn, err := c.driver.Open(c.name)
	if err != nil {
		return nil, err
	}
	if _, err := conn.(sqlite.FileControl).FileControlPersistWAL("main", 1); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// Driver returns the driver.
func (c *connector) Driver() driver.Driver { return &c.driver }

type file string

func (f file) String() string { return "the store " + string(f) }

// open returns the database in a file, with the settings for each connection to it.
func open(path string, settings url.Values) *sql.DB {
	slashed := filepath.ToSlash(path)
	if slashed[0] != '/' { // a drive letter of Windows
		slashed = "/" + slashed
	}
	name := url.URL{Scheme: "file", Path: slashed, RawQuery: settings.Encode()}
	return sql.OpenDB(&connector{name: name.String()})
}

// claim makes the file when it is not there, so that it is nobody else's from the first byte on: SQLite gives the files
// that it puts beside it the same mode.
func claim(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		err = errors.Join(f.Chmod(0o600), f.Close()) // a umask can take the owner's access away, too
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return secrets.Unavailable(file(path), err, "see that the folder is there and that you may write into it")
	}
	return nil
}

// trustAll says why the file, or one of those that SQLite puts beside it, cannot be trusted: somebody else may have put it
// there. The error is fs.ErrNotExist when there is no file.
func trustAll(path string) error {
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		if err := trust(path + suffix); err != nil && (suffix == "" || !errors.Is(err, fs.ErrNotExist)) {
			return err
		}
	}
	return nil
}

// trust says why a file cannot be trusted.
func trust(path string) error {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return secrets.Unavailable(file(path), err, "")
	case !info.Mode().IsRegular():
		return helpers.Fail(helpers.BadRequest, file(path).String()+" is not a regular file", "name the file itself, not a link to it")
	case planted(info):
		return helpers.Fail(helpers.BadRequest, file(path).String()+" belongs to somebody else, or has a second name",
			"keep the store in a folder of your own, and see who put the file there")
	case loose(info):
		return helpers.Fail(helpers.BadRequest, file(path).String()+" is open to other users", "chmod go-rwx "+path)
	}
	return nil
}

func hint(err error) string {
	failed, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return ""
	}
	switch failed.Code() & 0xff { // the rest of the code says more of the same
	case sqlite3.SQLITE_FULL:
		return "make room on the disk of the store"
	case sqlite3.SQLITE_IOERR: // what the first write to a new store makes of a full disk
		return "see that there is room on the disk of the store, and that the disk is in order"
	case sqlite3.SQLITE_BUSY:
		return "another process holds the store: wait for it, or end it"
	case sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT:
		return "the file is damaged or is not a store: restore it from a backup"
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		return "see that you may write the file of the store, its folder, and the files beside it that end with -wal and -shm"
	}
	return ""
}
