// Package kmstest is what the adapters of key management services share in their tests: a box that really wraps, for
// the servers that stand in for the services, and the test that every adapter has to pass.
package kmstest

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
)

// A Box is a key inside a service.
type Box struct{ aead cipher.AEAD }

// NewBox makes a box with a fresh key.
func NewBox() (Box, error) {
	key := make([]byte, 32)
	rand.Read(key) // never fails
	block, err := aes.NewCipher(key)
	if err != nil {
		return Box{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return Box{aead}, err
}

// Seal wraps data for a context.
func (b Box) Seal(data, context []byte) []byte { return b.aead.Seal(nil, nil, data, context) }

// Open unwraps data for a context.
func (b Box) Open(data, context []byte) ([]byte, error) { return b.aead.Open(nil, nil, data, context) }

// A Service is one that is set up for a test: two wrappers, of two of its keys, and a switch.
type Service struct {
	First, Second secrets.Wrapper
	// Down makes the service refuse everything, as long as it is true.
	Down *atomic.Bool
}

// Run tests an adapter.
func Run(t *testing.T, s Service) {
	ctx := t.Context()
	key := []byte("not a key, but of its size: 32 b")
	wrapped, err := s.First.Wrap(ctx, key)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(wrapped, key) {
		t.Error("what is wrapped holds the key in clear")
	}
	if got, err := s.First.Unwrap(ctx, wrapped); err != nil || !bytes.Equal(got, key) {
		t.Errorf("unwraps to %d bytes, %v", len(got), err)
	}
	refuse := func(what string, w secrets.Wrapper, data []byte) {
		t.Helper()
		got, err := w.Unwrap(ctx, data)
		if err == nil || got != nil {
			t.Errorf("%s: %d bytes, %v", what, len(got), err)
		}
		if err != nil && strings.Contains(err.Error(), string(key)) {
			t.Errorf("%s: the key is in the error", what)
		}
	}
	refuse("another key of the service", s.Second, wrapped)
	flipped := bytes.Clone(wrapped)
	flipped[len(flipped)-2] ^= 1
	refuse("a changed byte", s.First, flipped)
	refuse("nothing", s.First, nil)

	// A whole keyring, as a store uses it.
	one, err := secrets.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := secrets.AppendKeys(ctx, nil, []secrets.Key{one}, s.First)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := secrets.LoadKeyring(ctx, func(context.Context) ([]byte, error) { return doc, nil }, s.First)
	if err != nil || ring.Current().ID() != one.ID() {
		t.Errorf("a keyring that the service guards: %v", err)
	}
	s.Down.Store(true)
	refuse("a service that is down", s.First, wrapped)
	if _, err := s.First.Wrap(ctx, key); err == nil || strings.Contains(err.Error(), string(key)) {
		t.Errorf("wrapping without a service: %v", err)
	}
	_, err = secrets.ParseKeys(ctx, doc, s.First)
	if !errors.Is(err, helpers.Unavailable) {
		t.Errorf("a keyring without its service: %v", err)
	}
}
