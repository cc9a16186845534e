// Package store keeps what docker login stores: one sealed file for each type and registry, in the folder "logins" of
// the data folder.
//
// The name of a file says nothing to whoever does not have the key: it is made of the key's id, of a part that files
// of one type share, and of a part that stands for the registry, each derived with the key. The content is described
// at [Head]'s file, record.go. Writers exclude each other with a lock on the folder; readers need none, since a file is
// replaced whole.
package store

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/file"
	"github.com/beam-cloud/docker-credential-beta9/internal/folders"
	"github.com/beam-cloud/docker-credential-beta9/internal/seal"
)

// lockName is the file that writers lock.
const lockName = "lock"

// A Store keeps logins. Its methods are safe for concurrent use by any number of goroutines and processes. Their errors
// are helpers.ErrNotFound or a [*helpers.Failure]; when the environment names no folder at all, a [*folders.Error] is
// the failure's cause. Nothing that they print holds a secret.
type Store struct {
	folders folders.Folders
	keys    *seal.Keys
}

// Open returns the store of the folders. Nothing is read or created until a method needs it.
func Open(f folders.Folders) *Store { return &Store{folders: f} }

// Sharing returns the store with keys that others use as well.
func (s *Store) Sharing(keys *seal.Keys) *Store { return &Store{s.folders, keys} }

// Any tells whether a login of any type may be stored: not where there is no folder of the logins, and none where the
// environment names no place for one.
func (s *Store) Any() bool {
	path, err := s.logins()
	if _, nowhere := errors.AsType[*folders.Error](err); nowhere {
		return false
	}
	if err == nil {
		_, err = os.Lstat(path)
	}
	return !errors.Is(err, fs.ErrNotExist)
}

// Put stores a login of a type for its registry, in the place of the one that is there. It creates the store, and the
// key, when there is none.
func (s *Store) Put(ctx context.Context, typ string, l helpers.Login) error {
	if len(l.ServerURL())+len(l.Username())+4 > maxHead {
		return helpers.Fail(helpers.BadRequest, "the user name is too long to be stored", "")
	}
	return failure("storing the login", s.put(ctx, typ, l))
}

func (s *Store) put(ctx context.Context, typ string, l helpers.Login) error {
	d, err := s.make()
	if err != nil {
		return err
	}
	defer d.Close()
	lock, err := d.Lock(ctx, lockName)
	if err != nil {
		return err
	}
	defer lock.Release()
	if err := sweep(d); err != nil {
		return err
	}
	keyFile, err := seal.Find(s.folders)
	if err != nil {
		return err
	}
	key, err := keyFile.ReadOrMake(ctx)
	if err != nil {
		return err
	}
	name, err := recordName(key, typ, l.Registry())
	if err != nil {
		return err
	}
	record, err := sealLogin(key, name, l)
	if err != nil {
		return err
	}
	return d.Write(name, record)
}

// Get returns the login of a type that is stored for a registry, or helpers.ErrNotFound. A login that is there and
// cannot be opened is a failure with a [*RecordError] as its cause, and so is one that might be there: when the key is
// missing, or another key sealed other logins, nobody can tell which registries those are for.
func (s *Store) Get(ctx context.Context, typ string, r helpers.Registry) (helpers.Login, error) {
	l, err := s.get(ctx, typ, r)
	return l, failure("reading the stored login", err)
}

func (s *Store) get(ctx context.Context, typ string, r helpers.Registry) (helpers.Login, error) {
	if err := ctx.Err(); err != nil {
		return helpers.Login{}, err
	}
	d, key, err := s.open()
	if err != nil {
		return helpers.Login{}, err
	}
	defer d.Close()
	name, err := recordName(key, typ, r)
	if err != nil {
		return helpers.Login{}, err
	}
	record, err := d.Read(name, maxRecord)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return helpers.Login{}, s.absent(d, key)
	case err != nil:
		return helpers.Login{}, &RecordError{Path: d.Path(name), Err: err}
	}
	l, err := openLogin(key, name, record)
	if err == nil && l.Registry().Identity() != r.Identity() {
		err = errOther
	}
	if err != nil {
		return helpers.Login{}, &RecordError{Path: d.Path(name), Err: err}
	}
	return l, nil
}

// Delete removes the login of a type for a registry. A login that is not there is no error; one that cannot be opened
// is removed like any other. When it cannot be told whether there is one, as [Store.Get] describes, that is a failure.
func (s *Store) Delete(ctx context.Context, typ string, r helpers.Registry) error {
	err := s.delete(ctx, typ, r)
	if errors.Is(err, helpers.ErrNotFound) {
		return nil
	}
	return failure("erasing the stored login", err)
}

func (s *Store) delete(ctx context.Context, typ string, r helpers.Registry) error {
	d, key, err := s.open()
	if err != nil {
		return err
	}
	defer d.Close()
	name, err := recordName(key, typ, r)
	if err != nil {
		return err
	}
	names, err := d.Names()
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(names, func(n string) bool {
		of, _ := file.Temporary(n)
		return n == name || of == name
	}) {
		return s.absent(d, key)
	}
	lock, err := d.Lock(ctx, lockName)
	if err != nil {
		return err
	}
	defer lock.Release()
	if err := sweep(d); err != nil {
		return err
	}
	return d.Remove(name)
}

// List returns the heads of all logins of a type, in the order of their server URLs. It opens no secret. What cannot be
// opened is left out and is the error, as [Store.Get] describes it: the heads that came along are those of the others.
func (s *Store) List(ctx context.Context, typ string) ([]Head, error) {
	heads, err := s.list(ctx, typ)
	if errors.Is(err, helpers.ErrNotFound) {
		return nil, nil
	}
	return heads, failure("listing the stored logins", err)
}

func (s *Store) list(ctx context.Context, typ string) ([]Head, error) {
	if path, err := s.logins(); err == nil {
		// The usual case of whoever lists without having stored, and the quicker way to see it.
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, helpers.ErrNotFound
		}
	}
	d, key, err := s.open()
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Names()
	if err != nil {
		return nil, err
	}
	prefix, err := typePrefix(key, typ)
	if err != nil {
		return nil, err
	}
	var heads []Head
	var unread error
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !strings.HasPrefix(name, prefix) || !isRecord(name) {
			continue
		}
		head, err := readHead(d, key, name)
		switch {
		case err == nil:
			heads = append(heads, head)
		case unread == nil && !errors.Is(err, fs.ErrNotExist): // erased meanwhile
			unread = &RecordError{Path: d.Path(name), Err: err}
		}
	}
	slices.SortFunc(heads, func(a, b Head) int { return cmp.Compare(a.ServerURL, b.ServerURL) })
	if unread == nil {
		unread = s.absent(d, key) // nobody can tell of what type the records of another key are
	}
	if errors.Is(unread, helpers.ErrNotFound) {
		unread = nil
	}
	return heads, unread
}

// readHead reads and opens the head of a record and nothing else of it.
func readHead(d *file.Folder, key seal.Key, name string) (Head, error) {
	record, err := d.ReadStart(name, maxHeadRecord)
	if err != nil {
		return Head{}, err
	}
	box, _, err := split(record)
	if err != nil {
		return Head{}, err
	}
	return openHead(key, name, box)
}
