package cache

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/file"
	"github.com/beam-cloud/docker-credential-beta9/internal/seal"
)

const (
	// purpose keeps tokens and logins apart under one key.
	purpose = "token"
	// maxEntry is the largest file that is read, in bytes: a credential's secret, and more than all the rest can be.
	maxEntry = helpers.MaxSecret + 64<<10
	// lockEnd ends the name of the file that is locked by whoever asks upstream for an entry.
	lockEnd = ".lock"
	// sweepMax bounds how many files a writer looks at for expired ones. It looks at others each time, so that all are
	// looked at in the end, whatever their number.
	sweepMax = 16
	// keyDigits is how many digits of the key's id stand in front of a name.
	keyDigits = 8
)

// A slot is the place of one entry. It holds the folder open.
type slot struct {
	folder *file.Folder
	key    seal.Key
	name   string
}

// newSlot returns the place for a type's token in a folder. It takes the folder over.
func newSlot(folder *file.Folder, key seal.Key, typ, token string) (*slot, error) {
	name, err := key.Name(purpose, typ, token)
	if err != nil {
		folder.Close()
		return nil, err
	}
	return &slot{folder: folder, key: key, name: key.ID()[:keyDigits] + "-" + name}, nil
}

func (s *slot) close() { s.folder.Close() }

// read returns the entry, missing when there is none that can be opened.
func (s *slot) read(ctx context.Context) entry {
	e, err := s.readAt(s.name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		helpers.LeaveSource(ctx, traceName, err.Error())
	}
	return e
}

func (s *slot) readAt(name string) (entry, error) {
	box, err := s.folder.Read(name, maxEntry)
	if err != nil {
		return entry{}, err
	}
	plain, err := s.key.Open(purpose, box, name)
	if err != nil {
		return entry{}, &file.Error{Path: s.folder.Path(name), Err: err}
	}
	return decode(plain)
}

// keep puts an entry in the place of the one before, and removes expired ones of others. A missing one changes nothing.
// The caller holds the lock. What goes wrong costs another call upstream, and is no reason to fail.
func (s *slot) keep(ctx context.Context, e entry, now time.Time) {
	if e.kind == missing {
		return
	}
	if err := s.write(e, now); err != nil {
		helpers.LeaveSource(ctx, traceName, err.Error())
	}
}

// drop removes the entry. The caller holds the lock.
func (s *slot) drop(ctx context.Context) {
	if err := s.remove(); err != nil {
		helpers.LeaveSource(ctx, traceName, err.Error())
	}
}

func (s *slot) write(e entry, now time.Time) error {
	box, err := s.key.Seal(purpose, e.encode(), s.name)
	if err != nil {
		return err
	}
	if err := s.folder.Write(s.name, box); err != nil {
		return err
	}
	return s.sweep(now)
}

// lock takes the lock of the entry.
func (s *slot) lock(ctx context.Context) (*file.Lock, error) {
	return s.folder.Lock(ctx, s.name+lockEnd)
}

// tryLock takes the lock of the entry when nobody has it.
func (s *slot) tryLock() (*file.Lock, error) { return s.folder.TryLock(s.name + lockEnd) }

// exists reports whether there is an entry, or somebody who is about to write one.
func (s *slot) exists() (bool, error) {
	names, err := s.folder.Names()
	for _, name := range names {
		if owner(name) == s.name {
			return true, nil
		}
	}
	return false, err
}

// remove removes the entry and what killed writers left of it. The caller holds the lock.
func (s *slot) remove() error {
	names, err := s.folder.Names()
	if err != nil {
		return err
	}
	gone := []string{s.name}
	for _, name := range names {
		if isTemporary(name) && owner(name) == s.name {
			gone = append(gone, name)
		}
	}
	return s.folder.Remove(gone...)
}

// owner returns the name of the entry that a file belongs to.
func owner(name string) string {
	if of, ok := file.Temporary(name); ok {
		return of
	}
	return strings.TrimSuffix(name, lockEnd)
}

// sweep removes expired entries and what killed writers left behind. An entry that cannot be opened stays: it may be
// of another key, or of a newer release. The caller holds the lock of this slot.
func (s *slot) sweep(now time.Time) error {
	names, err := s.folder.Names()
	if err != nil {
		return err
	}
	rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	for _, name := range names[:min(len(names), sweepMax)] {
		switch of := owner(name); {
		case of != s.name && (of != name || s.expired(of, now)):
			s.sweepOther(of, name, now)
		case of == s.name && isTemporary(name):
			s.folder.Remove(name)
		}
	}
	return nil
}

// sweepOther removes another entry if it is expired, and what was left of one, unless somebody is at it.
func (s *slot) sweepOther(of, left string, now time.Time) {
	lock, err := s.folder.TryLock(of + lockEnd)
	if err != nil {
		return
	}
	defer lock.Discard()
	if isTemporary(left) {
		s.folder.Remove(left)
	}
	if s.expired(of, now) {
		s.folder.Remove(of)
	}
}

func isTemporary(name string) bool {
	_, ok := file.Temporary(name)
	return ok
}

// expired reports whether an entry can be opened and is of no use any more.
func (s *slot) expired(name string, now time.Time) bool {
	e, err := s.readAt(name)
	return err == nil && !now.Before(e.expires)
}
