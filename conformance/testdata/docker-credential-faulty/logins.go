package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/folders"
	internalstore "github.com/beam-cloud/docker-credential-beta9/internal/store"
)

// logins is where logins are kept.
type logins interface {
	put(helpers.Login) error
	get(helpers.Registry) (helpers.Login, error)
	remove(helpers.Registry) error
	list() (map[string]string, error)
}

// open returns the store of this project's helpers, or one with a fault.
func open() logins {
	for _, name := range []string{"writes in place", "keeps all in one file", "stores in clear", "leaves files open to others", "follows links", "ignores a full disk"} {
		if fault(name) {
			return plain(filepath.Join(os.Getenv("BETA9_CREDENTIAL_HOME"), "plain"))
		}
	}
	return sealed{internalstore.Open(folders.New(os.Getenv))}
}

type sealed struct{ s *internalstore.Store }

func (s sealed) put(l helpers.Login) error { return s.s.Put(context.Background(), typ, l) }

func (s sealed) get(r helpers.Registry) (helpers.Login, error) {
	return s.s.Get(context.Background(), typ, r)
}

func (s sealed) remove(r helpers.Registry) error { return s.s.Delete(context.Background(), typ, r) }

func (s sealed) list() (map[string]string, error) {
	entries := map[string]string{}
	heads, _ := s.s.List(context.Background(), typ) // list never fails
	for _, h := range heads {
		entries[h.ServerURL] = h.Username
	}
	return entries, nil
}

// plain is a folder with one file for each registry, or with one for all of them, written without any care.
type plain string

type record struct{ ServerURL, Username, Secret string }

func (p plain) file(r helpers.Registry) string {
	if fault("keeps all in one file") {
		return filepath.Join(string(p), "all")
	}
	sum := sha256.Sum256([]byte(r.Identity()))
	return filepath.Join(string(p), hex.EncodeToString(sum[:]))
}

func (p plain) read(file string) (map[string]record, error) {
	records := map[string]record{}
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return records, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &records)
	}
	return records, failure(err)
}

func (p plain) change(r helpers.Registry, change func(map[string]record)) error {
	folder, mode := fs.FileMode(0o700), fs.FileMode(0o600)
	if fault("leaves files open to others") {
		folder, mode = 0o777, 0o666
	}
	if err := os.MkdirAll(string(p), folder); err != nil {
		return failure(err)
	}
	records, err := p.read(p.file(r))
	if err != nil && !fault("ignores a full disk") {
		return err
	}
	change(records)
	data, err := json.Marshal(records)
	if err != nil {
		return failure(err)
	}
	f, err := os.OpenFile(p.file(r), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return failure(err)
	}
	defer f.Close()
	for len(data) > 0 { // in pieces, so that there is something to interrupt
		n := min(64, len(data))
		if _, err := f.Write(data[:n]); err != nil && !fault("ignores a full disk") {
			return failure(err)
		}
		data = data[n:]
	}
	return nil
}

func failure(err error) error {
	if err == nil {
		return nil
	}
	return &helpers.Failure{Reason: helpers.StoreFailed, Text: "the store is broken", Cause: err}
}

func (p plain) put(l helpers.Login) error {
	return p.change(l.Registry(), func(records map[string]record) {
		records[l.Registry().Identity()] = record{l.ServerURL(), l.Username(), l.Secret()}
	})
}

func (p plain) get(r helpers.Registry) (helpers.Login, error) {
	records, err := p.read(p.file(r))
	if err != nil {
		return helpers.Login{}, err
	}
	c, ok := records[r.Identity()]
	if !ok {
		return helpers.Login{}, helpers.ErrNotFound
	}
	return helpers.NewLogin(c.ServerURL, c.Username, c.Secret)
}

func (p plain) remove(r helpers.Registry) error {
	if _, err := p.get(r); helpers.IsNotFound(err) {
		return nil
	}
	return p.change(r, func(records map[string]record) { delete(records, r.Identity()) })
}

func (p plain) list() (map[string]string, error) {
	entries := map[string]string{}
	files, _ := filepath.Glob(filepath.Join(string(p), "*"))
	for _, file := range files {
		records, _ := p.read(file)
		for _, c := range records {
			entries[strings.TrimSpace(c.ServerURL)] = c.Username
		}
	}
	return entries, nil
}
