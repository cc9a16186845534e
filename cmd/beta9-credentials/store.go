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

	"github.com/beam-cloud/docker-credential-beta9/helpers"
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

// A keyringPlace is where the keys of a store are: a file, or a variable of the environment.
type keyringPlace struct {
	path     string
	own      bool // the file is in the data folder
	variable string
	getenv   func(string) string
}

// keyring returns where the keys of the store are.
func (a *app) keyring(f storeFlag, at storeAddress) (keyringPlace, error) {
	text := f.keys
	if text == "" {
		text = a.getenv(keysVariable)
	}
	if name, ok := strings.CutPrefix(text, "env:"); ok {
		return keyringPlace{variable: name, getenv: a.getenv}, nil
	}
	if text != "" {
		path, err := filepath.Abs(text)
		return keyringPlace{path: path}, err
	}
	if at.kind == "sqlite" {
		return keyringPlace{path: at.at + keysSuffix, own: at.own}, nil
	}
	return keyringPlace{}, usageError("nothing says where the keys of the store are: add --keys FILE, or set %s", keysVariable)
}

// String names the place for people.
func (k keyringPlace) String() string {
	if k.variable != "" {
		return "the variable " + k.variable
	}
	return k.path
}

// load returns the keyring, which is read again when a record asks for a key that is not in it.
func (k keyringPlace) load(ctx context.Context) (*secrets.Keyring, error) {
	return secrets.LoadKeyring(ctx, func(context.Context) ([]byte, error) { return k.read() }, nil)
}

// maxKeys is the largest keyring that is read, in bytes: room for some thousand keys.
const maxKeys = 1 << 20

// read returns the document of the keyring. The error is fs.ErrNotExist when there is none.
func (k keyringPlace) read() ([]byte, error) {
	if k.variable != "" {
		if text := k.getenv(k.variable); text != "" {
			return []byte(text), nil
		}
		return nil, k.missing()
	}
	d, err := k.folder()
	if err != nil {
		return nil, k.wrong(err)
	}
	defer d.Close()
	data, err := d.Read(filepath.Base(k.path), maxKeys)
	return data, k.wrong(err)
}

func (k keyringPlace) folder() (*file.Folder, error) {
	if k.own {
		return file.Make(filepath.Dir(k.path))
	}
	folder := filepath.Dir(k.path)
	d, err := file.OpenShared(folder)
	if errors.Is(err, fs.ErrNotExist) {
		err = &helpers.Failure{
			Reason: helpers.StoreFailed, Cause: err,
			Text: "there is no folder " + folder, Hint: "make it, for yourself alone: mkdir -p -m 700 " + folder,
		}
	}
	return d, err
}

// wrong says what to do about a keyring that cannot be read.
func (k keyringPlace) wrong(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return k.missing()
	}
	return err
}

func (k keyringPlace) missing() error {
	return &helpers.Failure{
		Reason: helpers.BadMaterial,
		Text:   "there is no keyring in " + k.String(),
		Hint:   "put the one that belongs to the store back; for a new store make one with beta9-credentials key new",
		Cause:  fs.ErrNotExist,
	}
}

// change replaces the keys in the file by what edit makes of them; nothing stands for leaving them. Other processes that
// change the file wait.
func (k keyringPlace) change(ctx context.Context, edit func([]secrets.Key) ([]secrets.Key, error)) error {
	if k.variable != "" {
		return helpers.Fail(helpers.BadRequest, "the keys in "+k.String()+" cannot be changed from here",
			"keep them in a file with --keys FILE, and set the variable to what is in the file")
	}
	d, err := k.folder()
	if err != nil {
		return err
	}
	defer d.Close()
	lock, err := d.Lock(ctx, filepath.Base(k.path)+".lock")
	if err != nil {
		return err
	}
	defer lock.Discard()
	// What a killed writer left behind holds keys.
	if err := d.Sweep(filepath.Base(k.path)); err != nil {
		return err
	}
	var keys []secrets.Key
	data, err := d.Read(filepath.Base(k.path), maxKeys)
	switch {
	case err == nil:
		if keys, err = secrets.ParseKeys(ctx, data, nil); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	next, err := edit(keys)
	if err != nil || next == nil {
		return err
	}
	doc, err := secrets.AppendKeys(ctx, nil, next, nil)
	if err != nil {
		return err
	}
	return d.Write(filepath.Base(k.path), doc)
}

// progress returns what shows how far long work is: one line that is written over, on a terminal only.
func (a *app) progress(what string) (show func(done, total int), end func()) {
	if !isTerminal(a.stderr) {
		return func(int, int) {}, func() {}
	}
	return func(done, total int) { fmt.Fprintf(a.stderr, "\r%s: %d of %d", what, done, total) },
		func() { fmt.Fprint(a.stderr, "\r\x1b[K") }
}
