package store

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/file"
	"github.com/beam-cloud/docker-credential-beta9/internal/seal"
)

// logins returns the path of the folder of the logins.
func (s *Store) logins() (string, error) {
	data, err := s.folders.Data()
	return filepath.Join(data, "logins"), err
}

// make opens the folder of the logins and creates it when there is none.
func (s *Store) make() (*file.Folder, error) {
	path, err := s.logins()
	if err != nil {
		return nil, err
	}
	// A folder of logins that others can enter is closed first: the folder around it looks shared until then.
	if d, err := file.Open(path); err == nil {
		d.Close()
	}
	parent, err := file.Make(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	parent.Close()
	return file.Make(path)
}

// open opens the folder of the logins and reads the key. The error is helpers.ErrNotFound when there is no folder, or
// no key and no record that would need it.
func (s *Store) open() (*file.Folder, seal.Key, error) {
	path, err := s.logins()
	if err != nil {
		return nil, seal.Key{}, err
	}
	d, err := file.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, seal.Key{}, helpers.ErrNotFound
	}
	if err != nil {
		return nil, seal.Key{}, err
	}
	key, err := s.key(d)
	if err != nil {
		d.Close()
		return nil, seal.Key{}, err
	}
	return d, key, nil
}

// key reads the key for the records in d.
func (s *Store) key(d *file.Folder) (seal.Key, error) {
	keyFile, err := seal.Find(s.folders)
	if err != nil {
		return seal.Key{}, err
	}
	key, err := s.keys.Read(keyFile)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	names, err := d.Names()
	if err != nil {
		return seal.Key{}, err
	}
	if !slices.ContainsFunc(names, isRecord) {
		return seal.Key{}, helpers.ErrNotFound
	}
	// The first login of all, with its key, may have been stored between the two looks.
	key, err = s.keys.Read(keyFile)
	if errors.Is(err, fs.ErrNotExist) {
		return seal.Key{}, &LostError{key: keyFile.Path(), folder: d.Path("")}
	}
	return key, err
}

// absent says what it means that a record is not there: none, unless there are records of another key.
func (s *Store) absent(d *file.Folder, key seal.Key) error {
	names, err := d.Names()
	if err != nil {
		return err
	}
	own := keyPrefix(key)
	if !slices.ContainsFunc(names, func(n string) bool { return isRecord(n) && !strings.HasPrefix(n, own) }) {
		return helpers.ErrNotFound
	}
	keyFile, err := seal.Find(s.folders)
	if err != nil {
		return err
	}
	return &LostError{key: keyFile.Path(), folder: d.Path(""), own: own}
}

// sweep removes what writers that were killed left behind. The caller holds the lock that every writer takes.
func sweep(d *file.Folder) error {
	names, err := d.Names()
	if err != nil {
		return err
	}
	names = slices.DeleteFunc(names, func(n string) bool {
		_, ok := file.Temporary(n)
		return !ok
	})
	return d.Remove(names...)
}
