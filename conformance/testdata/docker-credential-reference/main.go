// Command docker-credential-reference is a helper on top of the reference implementation's Serve. What Serve leaves to a
// helper is done as this project's helpers do it, so that what the suite finds are the faults of Serve.
package main

import (
	"context"
	"errors"
	"os"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/folders"
	"github.com/beam-cloud/docker-credential-beta9/internal/store"
	"github.com/docker/docker-credential-helpers/credentials"
)

const typ = "ghcr"

func main() {
	credentials.Serve(helper{store.Open(folders.New(os.Getenv))})
}

type helper struct{ logins *store.Store }

// registry is the registry that a server URL stands for, if it is one of this helper's.
func registry(serverURL string) (helpers.Registry, error) {
	r, err := helpers.ParseServerURL(serverURL)
	if err != nil {
		return r, said{err}
	}
	if t, ok := helpers.Lookup(r); !ok || t.Name != typ {
		return r, helpers.ErrNotFound
	}
	return r, nil
}

// said is an error in the words of the protocol.
type said struct{ error }

func (s said) Error() string { return helpers.ErrorLine(s.error) }
func (s said) Unwrap() error { return s.error }

func (h helper) Add(c *credentials.Credentials) error {
	l, err := helpers.NewLogin(c.ServerURL, c.Username, c.Secret)
	if err != nil {
		return said{err}
	}
	if _, err := registry(c.ServerURL); err != nil {
		return said{helpers.Fail(helpers.WrongHost, "not a registry of this helper", "")}
	}
	if err := h.logins.Put(context.Background(), typ, l); err != nil {
		return said{err}
	}
	return nil
}

func (h helper) Delete(serverURL string) error {
	r, err := registry(serverURL)
	if helpers.IsNotFound(err) {
		return nil
	}
	if err == nil {
		err = h.logins.Delete(context.Background(), typ, r)
	}
	if err != nil {
		return said{err}
	}
	return nil
}

func (h helper) Get(serverURL string) (username, secret string, err error) {
	r, err := registry(serverURL)
	if err != nil {
		return "", "", err
	}
	l, err := h.logins.Get(context.Background(), typ, r)
	if _, nowhere := errors.AsType[*folders.Error](err); nowhere {
		return "", "", helpers.ErrNotFound
	}
	if err != nil {
		return "", "", said{err}
	}
	return l.Username(), l.Secret(), nil
}

func (h helper) List() (map[string]string, error) {
	entries := map[string]string{}
	heads, _ := h.logins.List(context.Background(), typ) // list never fails
	for _, head := range heads {
		entries[head.ServerURL] = head.Username
	}
	return entries, nil
}
