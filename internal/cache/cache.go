// Package cache keeps computed credentials on the disk, sealed, until they expire, so that most calls of a helper need
// no network, and any number of processes that need the same credential at the same time make one call upstream.
//
// There is one file for each key, in the folder of the tokens. Whoever has to ask upstream holds the lock of that key;
// the others wait for the lock, and then find the answer. A credential is asked for anew after half its life, by one
// process, while the others go on with the one that is there. It bridges an outage of the service until it expires. An
// entry that cannot be read counts as none, and a cache that cannot be written costs a call upstream and no failure.
package cache

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/file"
	"github.com/beam-cloud/docker-credential-beta9/internal/folders"
	"github.com/beam-cloud/docker-credential-beta9/internal/seal"
)

// Variable is the environment variable of the cache.
const Variable = "BETA9_CREDENTIAL_CACHE"

// Its values, besides on.
const (
	// Off forbids to write a token to the disk, and to read one.
	Off = "off"
	// Renew hands out nothing that came before the call began, as a registry may have refused it, and puts what comes of the
	// call in its place.
	Renew = "renew"
)

// traceName is what the cache is called among the sources of a trace.
const traceName = "cache"

// A Cache keeps the credentials of one type. Its methods are safe for concurrent use by any number of goroutines and
// processes.
type Cache struct {
	typ     string
	folders folders.Folders
	lasting folders.Folders // where tokens lie for a process that has no folder of the session
	keys    *seal.Keys
	mode    string // what Variable says
	now     func() time.Time
}

// Open returns the cache of a type, as [Variable] wants it. Nothing is read or created until it is needed. now tells the
// time.
func Open(typ string, getenv func(string) string, now func() time.Time) *Cache {
	lasting := func(name string) string {
		if name == "XDG_RUNTIME_DIR" {
			return ""
		}
		return getenv(name)
	}
	return &Cache{typ: typ, folders: folders.New(getenv), lasting: folders.New(lasting), mode: getenv(Variable), now: now}
}

// Sharing returns the cache with keys that others use as well.
func (c *Cache) Sharing(keys *seal.Keys) *Cache {
	shared := *c
	shared.keys = keys
	return &shared
}

// Source returns what answers like from, but from the cache where it can. Besides the errors of from there is a
// [*helpers.Failure] with helpers.Timeout when another process that asks for the same credential does not end in time,
// and one with helpers.BadAnswer for a credential that had expired when it came.
func (c *Cache) Source(from helpers.Keyed) helpers.TokenSource { return &source{cache: c, from: from} }

// Forget removes what the cache has for a key, in the folder of the session as well as in the one that is used without
// a session, as by a job that the system starts: whoever forgets does not mean one of them. It waits for whoever is just
// asking upstream for it. That there is nothing is no error; the others are a [*helpers.Failure].
func (c *Cache) Forget(ctx context.Context, key helpers.Key) error {
	outside := *c
	outside.folders = c.lasting
	err := c.forget(ctx, key)
	if other := outside.forget(ctx, key); err == nil {
		err = other
	}
	if err != nil {
		f := &helpers.Failure{Reason: helpers.StoreFailed, Text: "dropping the cached token: " + err.Error(), Cause: err}
		if fe, ok := errors.AsType[*file.Error](err); ok {
			f.Hint = fe.Hint()
		}
		if ctx.Err() != nil {
			f.Reason = endReason(ctx)
		}
		return f
	}
	return nil
}

func (c *Cache) forget(ctx context.Context, key helpers.Key) error {
	if key.Token == "" {
		return nil
	}
	s, err := c.find(key)
	if _, unset := errors.AsType[*folders.Error](err); unset || errors.Is(err, fs.ErrNotExist) {
		return nil // without a folder or a key there is nothing that could be used
	}
	if err != nil {
		return err
	}
	defer s.close()
	if there, err := s.exists(); err != nil || !there {
		return err
	}
	lock, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer lock.Discard()
	return s.remove()
}

// find returns the place for a key in the cache as it is. The error is fs.ErrNotExist when there is no cache, or no
// key that anything in it could be opened with.
func (c *Cache) find(key helpers.Key) (*slot, error) {
	path, err := c.folders.Tokens()
	if err != nil {
		return nil, err
	}
	folder, err := file.Open(path)
	if err != nil {
		return nil, err
	}
	keyFile, err := seal.Find(c.folders)
	if err != nil {
		folder.Close()
		return nil, err
	}
	sealKey, err := c.keys.Read(keyFile)
	if err != nil {
		folder.Close()
		return nil, err
	}
	return newSlot(folder, sealKey, c.typ, key.Token)
}

// make returns the place for a key, and makes the cache and the key of its seal when there are none.
func (c *Cache) make(ctx context.Context, key helpers.Key) (*slot, error) {
	path, err := c.folders.Tokens()
	if err != nil {
		return nil, err
	}
	keyFile, err := seal.Find(c.folders)
	if err != nil {
		return nil, err
	}
	sealKey, err := keyFile.ReadOrMake(ctx)
	if err != nil {
		return nil, err
	}
	folder, err := file.Make(path)
	if err != nil {
		return nil, err
	}
	return newSlot(folder, sealKey, c.typ, key.Token)
}
