package serve

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/folders"
	"github.com/beam-cloud/docker-credential-beta9/internal/store"
)

func (c *call) get(ctx context.Context) ([]byte, error) {
	raw, r, err := helpers.ReadServerURL(c.process.Stdin)
	if err != nil {
		return nil, err
	}
	m, err := c.mine(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := c.process.switches(); err != nil {
		return nil, err
	}
	credential, err := c.credential(ctx, m, r)
	if err != nil {
		return nil, err
	}
	return helpers.AppendAnswer(nil, raw, credential, c.process.Getenv(ExtendedVariable) == "1")
}

func (c *call) store(ctx context.Context) error {
	l, err := helpers.ReadLogin(c.process.Stdin)
	if err != nil {
		return err
	}
	m, err := c.mine(ctx, l.Registry())
	switch {
	case helpers.IsNotFound(err):
		return helpers.Fail(helpers.WrongHost, l.Registry().Identity()+" is not a registry of "+c.name(),
			"let beta9-credentials configure docker choose the helper")
	case err != nil:
		return err
	}
	if c.explicit() != nil {
		return helpers.Fail(helpers.BadRequest, "a login is not stored where the material is given by the environment", "")
	}
	kept := c.kind.Keep(ctx, l, time.Now())
	if kept.IsZero() {
		return nil // docker login must not fail for a token that is of no use later
	}
	if err := c.logins().Put(ctx, c.kind.Type, l); err != nil {
		return err
	}
	// The login is stored: a cache that cannot be written, or is just being written by somebody who does not get on, is no
	// reason to tell a client that it is not. Half of the time that is left has to do, so that there is an answer at all.
	deadline, _ := ctx.Deadline() // that of the whole call, see Protocol
	limited, cancel := context.WithTimeout(ctx, time.Until(deadline)/2)
	defer cancel()
	if err := c.forget(limited, m, l.Registry(), kept.Material); err != nil {
		helpers.Hint(ctx, "the login is stored, but a token that was made before may go on: "+err.Error())
	}
	return nil
}

// erase removes what is stored for a registry. That nothing is, and that the registry is another helper's, is no error:
// docker logout asks for several spellings, and some clients do not survive an error here.
func (c *call) erase(ctx context.Context) error {
	_, r, err := helpers.ReadServerURL(c.process.Stdin)
	if err != nil {
		return err
	}
	m, err := c.mine(ctx, r)
	switch {
	case helpers.IsNotFound(err):
		return nil
	case err != nil:
		return err
	}
	var stored helpers.Material
	if c.explicit() == nil {
		if l, err := c.logins().Get(ctx, c.kind.Type, r); err == nil {
			silent := helpers.WithTrace(ctx, helpers.Trace{}) // what is wrong with it does not matter any more
			stored = c.kind.Keep(silent, l, time.Now()).Material
		}
		if err := c.logins().Delete(ctx, c.kind.Type, r); err != nil {
			return err
		}
	}
	return c.forget(ctx, m, r, stored)
}

// list names the stored logins, and the registries for which the environment has a credential that costs no call: some
// clients ask for nothing that is not listed. It never fails, because clients that list cannot go on after a failure.
func (c *call) list(ctx context.Context) ([]byte, error) {
	if c.explicit() != nil {
		return helpers.AppendList(nil, nil)
	}
	entries, listed := map[string]string{}, map[string]bool{}
	heads, err := c.logins().List(ctx, c.kind.Type)
	if _, nowhere := errors.AsType[*folders.Error](err); err != nil && !nowhere { // without a home nothing is stored
		helpers.LeaveSource(ctx, "login", err.Error())
	}
	for _, h := range heads {
		entries[h.ServerURL] = h.Username
		if r, err := helpers.ParseServerURL(h.ServerURL); err == nil {
			listed[r.Identity()] = true
		}
	}
	quiet := helpers.WithTrace(ctx, helpers.Trace{}) // get says what there is to say
	for _, r := range c.environmentRegistries(quiet) {
		if listed[r.Identity()] {
			continue
		}
		if material, err := c.fromEnvironment(quiet, r); err == nil {
			if credential, err := c.exchange(quiet, nil, r, material, "environment"); err == nil {
				username := credential.Username()
				if username == credential.Secret() { // a token that is sent as both
					username = ""
				}
				entries[r.ServerURL()] = username
			}
		}
	}
	return helpers.AppendList(nil, entries)
}

// environmentRegistries returns the registries of this helper that the environment may have a static credential for.
func (c *call) environmentRegistries(ctx context.Context) []helpers.Registry {
	if c.kind.Share != nil {
		return nil
	}
	t, _ := helpers.TypeNamed(c.kind.Type)
	return slices.DeleteFunc(t.Registries(c.process.Getenv), func(r helpers.Registry) bool {
		_, err := c.mine(ctx, r)
		return err != nil
	})
}

func (c *call) logins() *store.Store {
	return store.Open(folders.New(c.process.Getenv)).Sharing(&c.keys)
}

func (c *call) name() string { return helpers.ExecutablePrefix + c.kind.Type }

// mine returns the map under which the registry belongs to this helper, and helpers.ErrNotFound when it does not. The
// map file is read only where it can make a difference: for a host that the compiled-in table does not know, and for a
// type whose identities it chooses.
func (c *call) mine(ctx context.Context, r helpers.Registry) (*helpers.Map, error) {
	t, ok := helpers.Lookup(r)
	if ok && t.Name != c.kind.Type && !t.CatchAll() {
		ok = false
	}
	var m *helpers.Map
	if ok && (t.CatchAll() || c.kind.Ambient != nil) {
		var err error
		if m, err = c.process.Map(); err != nil {
			return nil, err
		}
		t, ok = m.Lookup(r)
	}
	if !ok || t.Name != c.kind.Type {
		helpers.LeaveSource(ctx, c.name(), "the registry is not one of this helper's")
		return nil, helpers.ErrNotFound
	}
	return m, nil
}
