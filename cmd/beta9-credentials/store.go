package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/beam-cloud/docker-credential-beta9/internal/file"
	"github.com/beam-cloud/docker-credential-beta9/internal/folders"
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
type storeFlag struct{ store, keys string }

func (f *storeFlag) add(cmd *cobra.Command) {
	cmd.PersistentFlags().StringVar(&f.store, "store", "", "where the secrets are (default: $"+storeVariable+", or a file in the data folder)")
	cmd.PersistentFlags().StringVar(&f.keys, "keys", "", "file with the keys of the store, or env:NAME (default: $"+keysVariable+", or beside a store that is a file)")
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
		return storeAddress{kind: "postgres", at: text}, nil
	case kind == "beta9+postgres", kind == "beta9+postgresql":
		return storeAddress{kind: "beta9", at: strings.TrimPrefix(text, "beta9+")}, nil
	}
	return storeAddress{}, usageError("what --store or %s says is not a store: it is sqlite:PATH, postgres://... or beta9+postgres://...", storeVariable)
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

// open opens the store. The keyring and the file of an embedded store are made when neither is there.
func (a *app) open(ctx context.Context, f storeFlag) (workspaceStore, error) {
	at, err := a.address(f)
	if err != nil {
		return nil, err
	}
	k, err := a.keyring(f, at)
	if err != nil {
		return nil, err
	}
	if at.kind == "sqlite" {
		if err := a.prepare(ctx, at, k); err != nil {
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
func (a *app) prepare(ctx context.Context, at storeAddress, k keyringPlace) error {
	if at.own {
		d, err := file.Make(filepath.Dir(at.at))
		if err != nil {
			return err
		}
		defer d.Close()
	}
	if _, err := os.Lstat(at.at); !errors.Is(err, fs.ErrNotExist) || k.variable != "" {
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
