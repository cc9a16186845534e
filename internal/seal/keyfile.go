package seal

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"path/filepath"
	"sync"

	"github.com/beam-cloud/docker-credential-beta9/internal/file"
	"github.com/beam-cloud/docker-credential-beta9/internal/folders"
)

// A NotKeyError says that a key file holds something else than a key.
type NotKeyError struct {
	// Path is the path of the file.
	Path string
}

// Error names the file, and nothing of what is in it.
func (e *NotKeyError) Error() string { return e.Path + ": not a key, which is 32 random bytes" }

// Hint says what to do about it.
func (e *NotKeyError) Hint() string {
	return "restore " + e.Path + ", or remove it and log in again"
}

// A KeyFile is where a key lies: exactly its bytes, in a file that only its owner can read. It is safe for concurrent
// use by any number of processes.
type KeyFile struct {
	path string
	// named says that a person chose the path. The folder is theirs, and left as it is.
	named bool
}

// Find returns the key file that the environment asks for. It does not look whether there is one.
func Find(f folders.Folders) (KeyFile, error) {
	path, named, err := f.Key()
	return KeyFile{path: path, named: named}, err
}

// Path returns the path of the file.
func (f KeyFile) Path() string { return f.path }

// Read returns the key. The error is fs.ErrNotExist when there is none; nothing is created.
func (f KeyFile) Read() (Key, error) {
	d, err := f.open()
	if err != nil {
		return Key{}, err
	}
	defer d.Close()
	return f.read(d)
}

// Keys remembers the keys that it has read, so that several parts of one call read a file once. The nil Keys remembers
// nothing. It is safe for concurrent use.
type Keys struct {
	mu    sync.Mutex
	known map[string]Key // by path
}

// Read returns the key of a file, as [KeyFile.Read] does.
func (k *Keys) Read(f KeyFile) (Key, error) {
	if k == nil {
		return f.Read()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if key, ok := k.known[f.path]; ok {
		return key, nil
	}
	key, err := f.Read()
	if err == nil {
		if k.known == nil {
			k.known = make(map[string]Key, 1)
		}
		k.known[f.path] = key
	}
	return key, err
}

// ReadOrMake returns the key, and makes one when there is none. Of several processes that do so at the same time, one
// makes it and all return it. The key is on the disk before it is returned.
func (f KeyFile) ReadOrMake(ctx context.Context) (Key, error) {
	d, err := f.open()
	if errors.Is(err, fs.ErrNotExist) && !f.named {
		d, err = file.Make(filepath.Dir(f.path))
	}
	if err != nil {
		return Key{}, err
	}
	defer d.Close()
	k, err := f.read(d)
	if !errors.Is(err, fs.ErrNotExist) {
		return k, err
	}
	lock, err := d.Lock(ctx, f.name()+".lock")
	if err != nil {
		return Key{}, err
	}
	defer lock.Discard()
	k, err = f.read(d)
	if !errors.Is(err, fs.ErrNotExist) {
		return k, err
	}
	return f.make(d)
}

func (f KeyFile) name() string { return filepath.Base(f.path) }

func (f KeyFile) open() (*file.Folder, error) {
	if f.named {
		return file.OpenShared(filepath.Dir(f.path))
	}
	return file.Open(filepath.Dir(f.path))
}

func (f KeyFile) read(d *file.Folder) (Key, error) {
	content, err := d.ReadStart(f.name(), KeySize+1)
	if err != nil {
		return Key{}, err
	}
	// A file of zeros is what some file systems leave of a file that was being written when the power went.
	if len(content) != KeySize || [KeySize]byte(content) == [KeySize]byte{} {
		return Key{}, &NotKeyError{Path: f.path}
	}
	return newKey([KeySize]byte(content))
}

// make writes a new key. The caller holds the lock and has seen that there is none, so that what other makers left
// behind is of no use to anybody.
func (f KeyFile) make(d *file.Folder) (Key, error) {
	if err := d.Sweep(f.name()); err != nil {
		return Key{}, err
	}
	var secret [KeySize]byte
	rand.Read(secret[:]) // never fails: the program ends when the system has no randomness
	if err := d.Write(f.name(), secret[:]); err != nil {
		return Key{}, err
	}
	return newKey(secret)
}
