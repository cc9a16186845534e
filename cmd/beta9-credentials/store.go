package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/file"
	"github.com/beam-cloud/docker-credential-beta9/internal/folders"
	"github.com/beam-cloud/docker-credential-beta9/internal/serve"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
	"github.com/beam-cloud/docker-credential-beta9/secrets/beta9"
	"github.com/beam-cloud/docker-credential-beta9/secrets/postgres"
	"github.com/beam-cloud/docker-credential-beta9/secrets/sqlite"
)

// The variables that stand for the flags --store and --keys.
const (
	storeVariable = "BETA9_CREDENTIAL_STORE"
	keysVariable  = "BETA9_CREDENTIAL_KEYS"
)

// storeFile is the name of the embedded store in the data folder.
const storeFile = "secrets.db"

// keysSuffix is what the file with the keys of a store that is a file is called by, behind the name of the store.
const keysSuffix = ".keys"

const aboutStores = `The store is named by --store or ` + storeVariable + `:

  sqlite:PATH           one file, for one machine; the default, in the data folder
  postgres://...        a PostgreSQL database of the store's own
  beta9+postgres://...  Beta9's database, in Beta9's own tables and format

The keys that seal it are in the file that --keys or ` + keysVariable + ` names, or, for
env:NAME, in an environment variable. The keys of sqlite:PATH are in PATH.keys unless
another place is named. Each store has a keyring of its own.`

// A workspaceStore is what the subcommands use of a store.
type workspaceStore interface {
	secrets.Store
	secrets.Images
	secrets.Rotator
	io.Closer
}

// A storeFlag says which store a command is about.
type storeFlag struct {
	store, keys string
	// there says that the command does not make a store in a file that is not there, or empty.
	there bool
}

// mustBeThere returns the flag for a command that only reads or removes: a mistyped path is not a new store without secrets.
func (f storeFlag) mustBeThere() storeFlag {
	f.there = true
	return f
}

func (f *storeFlag) add(cmd *cobra.Command) {
	cmd.PersistentFlags().StringVar(&f.store, "store", "", "where the secrets are (default: $"+storeVariable+", or a file in the data folder)")
	cmd.PersistentFlags().StringVar(&f.keys, "keys", "", "file with the keys of the store, or env:NAME (default: $"+keysVariable+", or beside a store that is a file)")
}

// command returns what a person types for a command of this program about the same store, in a POSIX shell. What was given as
// a flag is given again; none of it is secret, as other users of the machine see it.
func (f storeFlag) command(words ...string) string {
	words = append([]string{"beta9-credentials"}, words...)
	if f.store != "" {
		words = append(words, "--store", f.store)
	}
	if f.keys != "" {
		words = append(words, "--keys", f.keys)
	}
	for i, word := range words {
		words[i] = quote(word)
	}
	return strings.Join(words, " ")
}

// plainWord is what a shell takes as it is.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:=@%+,-]+$`)

func quote(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// typed has the hint of an error name a command as it has to be typed for this store: the packages below know no flags.
func (f storeFlag) typed(err error) error {
	hint := hintOf(err)
	for _, words := range [][]string{{"migrate"}, {"key", "new"}} {
		if before, ok := strings.CutSuffix(hint, storeFlag{}.command(words...)); ok {
			return withHint(err, before+f.command(words...))
		}
	}
	return err
}

// A storeAddress is where a store is: a file, or a database.
type storeAddress struct {
	kind string // "sqlite", "postgres" or "beta9"
	at   string // a path, or the address of a database
	// own says that the file is in the data folder, which this command makes.
	own bool
}

// address returns where the store is.
func (a *app) address(f storeFlag) (storeAddress, error) {
	text := f.store
	if text == "" {
		text = a.getenv(storeVariable)
	} else if err := checkAddress(text); err != nil {
		return storeAddress{}, err
	}
	kind, rest, _ := strings.Cut(text, ":")
	switch {
	case text == "":
		data, err := folders.New(a.getenv).Data()
		return storeAddress{"sqlite", filepath.Join(data, storeFile), true}, err
	case kind == "sqlite" && rest != "":
		path, err := filepath.Abs(rest)
		return storeAddress{kind: kind, at: path}, err
	case !strings.HasPrefix(rest, "//"): // no address of a database; what it is may hold a password
	case kind == "postgres", kind == "postgresql":
		at, err := a.connecting(text)
		return storeAddress{kind: "postgres", at: at}, err
	case kind == "beta9+postgres", kind == "beta9+postgresql":
		at, err := a.connecting(strings.TrimPrefix(text, "beta9+"))
		return storeAddress{kind: "beta9", at: at}, err
	}
	return storeAddress{}, usageError("what --store or %s says is not a store: it is sqlite:PATH, postgres://... or beta9+postgres://...", storeVariable)
}

// connecting returns the address of a database, when it can be one, with the time after which connecting to it fails, unless
// something says that already. Long work has no deadline that would end it.
func (a *app) connecting(address string) (string, error) {
	// The end of a password that is not escaped stands behind what is then taken for the host, and would be shown as the name
	// of the database.
	_, behind, _ := strings.Cut(address, "://")
	if i := strings.IndexAny(behind, "/?#"); i >= 0 && strings.Contains(behind[i:], "@") {
		return "", withHint(usageError("the address that --store or %s has is malformed: there is an @ behind the host", storeVariable),
			"in a user, a password and the name of a database, write / as %2F, ? as %3F, # as %23 and @ as %40; or leave the password to a passfile or PGPASSWORD")
	}
	timeout, err := a.environment().Timeout()
	u, malformed := url.Parse(address) // which whoever opens the store says
	if err != nil || malformed != nil || u.Query().Has("connect_timeout") || a.getenv("PGCONNECT_TIMEOUT") != "" {
		return address, err
	}
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += fmt.Sprintf("connect_timeout=%d", int(math.Ceil(timeout.Seconds())))
	return u.String(), nil
}

// checkAddress refuses the address of a database on the command line that holds a password, or may hold one.
func checkAddress(address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return usageError("the address that --store has is malformed: write it as postgres://user@host/database")
	}
	if _, set := u.User.Password(); u.Scheme != "sqlite" && (set || u.Query().Has("password") || u.Query().Has("sslpassword")) {
		return usageError("--store holds a password, which other users of this machine can see: set %s instead, or PGPASSWORD", storeVariable)
	}
	return nil
}

// within bounds what is asked of a store: a server that is silent, or a table that somebody holds locked, would hold the
// command up for ever.
func (a *app) within(ctx context.Context, do func(context.Context) error) error {
	return a.watched(ctx, 1, func(ctx context.Context, _ func()) error { return do(ctx) })
}

// watched bounds long work by what it may take from one sign of life to the next: so many times the deadline of a call.
func (a *app) watched(ctx context.Context, times time.Duration, do func(ctx context.Context, alive func()) error) error {
	timeout, err := a.environment().Timeout()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(times*timeout, func() { cancel(context.DeadlineExceeded) })
	defer timer.Stop()
	err = do(ctx, func() { timer.Reset(times * timeout) })
	if context.Cause(ctx) == context.DeadlineExceeded &&
		(errors.Is(err, secrets.ErrUnavailable) || errors.Is(err, context.Canceled) || helpers.ReasonOf(err) == helpers.Canceled) {
		return &helpers.Failure{
			Reason: helpers.Timeout, Cause: err,
			Text: "the store does not answer",
			Hint: "see that it is up and that nobody holds its tables or files locked; " + serve.TimeoutVariable + " gives it more time",
		}
	}
	return err
}

// awaited does what may go on when ctx has ended: from then on it is waited for a last moment, and left to itself. It tells
// whether it was done.
func awaited(ctx context.Context, do func()) bool {
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	select {
	case <-done:
		return true
	case <-ctx.Done():
	}
	select {
	case <-done:
		return true
	case <-time.After(lastMoment):
		return false
	}
}

// shut closes a store. Closing waits for what is left of a connection on which a server fell silent: it gets the time of any
// other call, and only a last moment after one that failed for want of an answer.
func (a *app) shut(ctx context.Context, s workspaceStore, failed error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if errors.Is(failed, helpers.Timeout) {
		stop()
	}
	_ = a.within(ctx, func(ctx context.Context) error {
		awaited(ctx, func() { s.Close() })
		return nil
	})
}

// open opens the store. The keyring and the file of an embedded store are made when neither is there, unless the store must
// be there.
func (a *app) open(ctx context.Context, f storeFlag) (s workspaceStore, err error) {
	err = a.within(ctx, func(ctx context.Context) error {
		var now workspaceStore
		var failed error
		if !awaited(ctx, func() { now, failed = a.openNow(ctx, f) }) { // it closes what it cannot open; see shut
			return ctx.Err()
		}
		s = now
		return failed
	})
	return s, err
}

func (a *app) openNow(ctx context.Context, f storeFlag) (workspaceStore, error) {
	at, err := a.address(f)
	if err != nil {
		return nil, err
	}
	k, err := a.keyring(f, at)
	if err != nil {
		return nil, err
	}
	if at.kind == "sqlite" {
		if err := a.prepare(ctx, f, at, k); err != nil {
			return nil, err
		}
	}
	ring, err := k.load(ctx)
	if err != nil {
		return nil, err
	}
	switch at.kind {
	case "postgres":
		return opened(postgres.Open(ctx, at.at, ring))
	case "beta9":
		return opened(beta9.Open(ctx, at.at, ring))
	}
	return opened(sqlite.Open(ctx, at.at, ring))
}

// opened keeps a store that is nil from being taken for one.
func opened[S workspaceStore](s S, err error) (workspaceStore, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

// prepare makes what an embedded store needs: its folder when that is this command's own, and a first key when there is
// no store yet that another key could belong to.
func (a *app) prepare(ctx context.Context, f storeFlag, at storeAddress, k keyringPlace) error {
	there, err := sqlite.Exists(ctx, at.at)
	if err != nil {
		return err
	}
	if f.there && !there {
		return &helpers.Failure{
			Reason: helpers.StoreFailed, Cause: fs.ErrNotExist, Text: "there is no store in " + at.at,
			Hint: "see that --store or " + storeVariable + " names the right file; the first secret put, image attach or migrate makes a new store",
		}
	}
	if at.own {
		d, err := file.Make(filepath.Dir(at.at))
		if err != nil {
			return err
		}
		defer d.Close()
	}
	if there || k.variable != "" {
		return nil
	}
	return k.change(ctx, func(keys []secrets.Key) ([]secrets.Key, error) {
		if len(keys) > 0 {
			return nil, nil
		}
		first, err := secrets.NewKey()
		return []secrets.Key{first}, err
	})
}

// progress returns what shows how far long work is: one line that is written over, on a terminal only.
func (a *app) progress(what string) (show func(done, total int), end func()) {
	if !isTerminal(a.stderr) {
		return func(int, int) {}, func() {}
	}
	return func(done, total int) { fmt.Fprintf(a.stderr, "\r%s: %d of %d", what, done, total) },
		func() { fmt.Fprint(a.stderr, "\r\x1b[K") }
}
