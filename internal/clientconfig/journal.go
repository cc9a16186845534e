package clientconfig

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"

	"github.com/beam-cloud/docker-credential-beta9/internal/file"
)

const (
	journalName = "configured.json"
	lockName    = "configure.lock"
	// maxJournal is the largest journal that is read, in bytes: a thousand registries in a hundred files.
	maxJournal = 16 << 20
)

// A journal says what was changed in which file, so that it can be taken back.
type journal map[string]*record

// A record is what was changed in one file.
type record struct {
	// MadeFile and MadeObjects name what was not there before.
	MadeFile    bool            `json:"made_file,omitempty"`
	MadeObjects []string        `json:"made_objects,omitempty"`
	Changes     []journalChange `json:"changes"`
}

type journalChange struct {
	place
	// Before is what stood there, or nil.
	Before *string `json:"before"`
	// After is what was put there. What is something else by now is somebody else's, and is not taken back.
	After string `json:"after"`
}

// change returns the record's change at the place.
func (r *record) change(p place) *journalChange {
	for i := range r.Changes {
		if r.Changes[i].place == p {
			return &r.Changes[i]
		}
	}
	return nil
}

// A JournalError says that the journal cannot be read as one.
type JournalError struct {
	// Path is its file.
	Path string
}

// Error names the file.
func (e *JournalError) Error() string { return "the journal " + e.Path + " is damaged" }

// Hint says how to get out of it.
func (e *JournalError) Hint() string {
	return "move " + e.Path + " away; what was configured before has to be taken out of the clients' files by hand then"
}

// A desk is the folder with the journal, locked.
type desk struct {
	folder *file.Folder
	lock   *file.Lock
}

func openDesk(ctx context.Context, path string) (*desk, error) {
	folder, err := file.Make(path)
	if err != nil {
		return nil, err
	}
	lock, err := folder.Lock(ctx, lockName)
	if err != nil {
		folder.Close()
		return nil, err
	}
	return &desk{folder, lock}, nil
}

func (d *desk) close() {
	d.lock.Release()
	d.folder.Close()
}

func (d *desk) read() (journal, error) {
	data, err := d.folder.Read(journalName, maxJournal)
	if errors.Is(err, fs.ErrNotExist) {
		return journal{}, nil
	}
	if err != nil {
		return nil, err
	}
	j := journal{}
	if err := json.Unmarshal(data, &j); err != nil {
		return nil, &JournalError{Path: d.folder.Path(journalName)}
	}
	return j, nil
}

func (d *desk) write(j journal) error {
	data, err := json.MarshalIndent(j, "", "\t")
	if err != nil {
		return err
	}
	if err := d.folder.Sweep(journalName); err != nil {
		return err
	}
	return d.folder.Write(journalName, append(data, '\n'))
}
