package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/file"
	"github.com/beam-cloud/docker-credential-beta9/internal/folders"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
)

// A keyringPlace is where the keys of a store are: a file, or a variable of the environment.
type keyringPlace struct {
	path     string
	own      bool // the file is in the data folder
	variable string
	getenv   func(string) string
}

// variableName is what a variable of the environment is called by that a shell can set.
var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// keyring returns where the keys of the store are.
func (a *app) keyring(f storeFlag, at storeAddress) (keyringPlace, error) {
	text := f.keys
	if text == "" {
		text = a.getenv(keysVariable)
	}
	name, ok := strings.CutPrefix(text, "env:")
	// A keyring that stands where its name belongs is made a file's name by nobody, and is not repeated.
	if ok && !variableName.MatchString(name) || strings.ContainsFunc(text, func(c rune) bool { return c == '{' || c == '"' || unicode.IsControl(c) }) {
		return keyringPlace{}, withHint(usageError("what --keys or %s says is neither a file nor env:NAME", keysVariable),
			"give the path of the file with the keys; to give the keys themselves, set a variable to them and name it: env:NAME")
	}
	if ok {
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
	ring, err := secrets.LoadKeyring(ctx, func(context.Context) ([]byte, error) { return k.read() }, nil)
	if k.variable != "" && helpers.ReasonOf(err) == helpers.BadMaterial {
		err = withHint(err, "set it to the keyring that belongs to the store; for a new store make one with beta9-credentials key new --keys FILE, and set it to what is in the file")
	}
	return ring, err
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
			Text: "there is no folder " + folder, Hint: "make it, for yourself alone: mkdir -p -m 700 " + quote(folder),
		}
	}
	return d, err
}

// wrong says what to do about a keyring that cannot be read.
func (k keyringPlace) wrong(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return k.missing()
	}
	return k.elsewhere(err)
}

// elsewhere has the hint about a file that cannot be used name the flags that say where it is, in the place of the variable
// that says where this command's own files are.
func (k keyringPlace) elsewhere(err error) error {
	if f, ok := errors.AsType[*file.Error](err); ok && !k.own && strings.Contains(f.Hint(), folders.HomeVariable) {
		return withHint(err, "make "+f.Path+" accessible to you, or name another place with --keys or --store")
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

// retiredSuffix is what the file with the keys that were taken out of a keyring is called by, behind the name of the keyring.
// No store is opened with it.
const retiredSuffix = ".retired"

// retired returns the keys that were taken out of the keyring.
func (k keyringPlace) retired(ctx context.Context) ([]secrets.Key, error) {
	d, err := k.folder()
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return readRetired(ctx, d, filepath.Base(k.path)+retiredSuffix)
}

func readRetired(ctx context.Context, d *file.Folder, name string) ([]secrets.Key, error) {
	keys, err := readKeys(ctx, d, name)
	if helpers.ReasonOf(err) == helpers.BadMaterial {
		err = withHint(fmt.Errorf("the retired keys in %s cannot be read: %w", d.Path(name), err), "put the file back from a backup, or move it away")
	}
	return keys, err
}

// readKeys returns the keys in a file; none, when it is not there.
func readKeys(ctx context.Context, d *file.Folder, name string) ([]secrets.Key, error) {
	data, err := d.Read(name, maxKeys)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return secrets.ParseKeys(ctx, data, nil)
}

func writeKeys(ctx context.Context, d *file.Folder, name string, keys []secrets.Key) error {
	doc, err := secrets.AppendKeys(ctx, nil, keys, nil)
	if err != nil {
		return err
	}
	return d.Write(name, doc)
}

// without returns the keys that are not among the others.
func without(keys, others []secrets.Key) []secrets.Key {
	var rest []secrets.Key
	for _, k := range keys {
		if !slices.ContainsFunc(others, func(o secrets.Key) bool { return o.ID() == k.ID() }) {
			rest = append(rest, k)
		}
	}
	return rest
}

// change replaces the keys in the file by what edit makes of them; nothing stands for leaving them. Other processes that
// change the file wait. A key that edit takes out is retired: whether another store, or a backup, is sealed with it cannot be
// seen from here.
func (k keyringPlace) change(ctx context.Context, edit func([]secrets.Key) ([]secrets.Key, error)) (err error) {
	defer func() { err = k.elsewhere(err) }()
	if k.variable != "" {
		return helpers.Fail(helpers.BadRequest, "the keys in "+k.String()+" cannot be changed from here",
			"keep them in a file with --keys FILE, and set the variable to what is in the file")
	}
	d, err := k.folder()
	if err != nil {
		return err
	}
	defer d.Close()
	name := filepath.Base(k.path)
	lock, err := d.Lock(ctx, name+".lock")
	if err != nil {
		return err
	}
	defer lock.Discard()
	// What a killed writer left behind holds keys.
	for _, name := range []string{name, name + retiredSuffix} {
		if err := d.Sweep(name); err != nil {
			return err
		}
	}
	keys, err := readKeys(ctx, d, name)
	if err != nil {
		return err
	}
	next, err := edit(keys)
	if err != nil || next == nil {
		return err
	}
	// Whoever is killed before the second write leaves the key in both files.
	if gone := without(keys, next); len(gone) > 0 {
		retired, err := readRetired(ctx, d, name+retiredSuffix)
		if err != nil {
			return err
		}
		if err := writeKeys(ctx, d, name+retiredSuffix, append(retired, without(gone, retired)...)); err != nil {
			return err
		}
	}
	return writeKeys(ctx, d, name, next)
}
