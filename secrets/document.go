package secrets

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"slices"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// A Wrapper lets a key management service guard the keys of a keyring: the document then holds what the service made
// of them, and whoever reads the document has to ask the service.
//
// Implementations are safe for concurrent use.
type Wrapper interface {
	// Wrap returns what stands for the key outside the service.
	Wrap(ctx context.Context, key []byte) ([]byte, error)
	// Unwrap returns the key again.
	Unwrap(ctx context.Context, wrapped []byte) ([]byte, error)
}

// document is the form in which a keyring is kept. The first key is the current one.
type document struct {
	Version int        `json:"version"`
	Keys    []keyEntry `json:"keys"`
}

type keyEntry struct {
	ID      string `json:"id"`
	Key     []byte `json:"key,omitempty"`     // 32 bytes, in base64
	Wrapped []byte `json:"wrapped,omitempty"` // what the service made of them, in base64
}

// maxDocument is the largest document that is read, in bytes: room for a thousand wrapped keys.
const maxDocument = 1 << 20

// ParseKeys reads the document of a keyring. The first key is the current one:
//
//	{"version":1,"keys":[{"id":"53f0c9b6a5dbd0b2","key":"<32 bytes in base64>"}, ...]}
//
// With a [Wrapper], "wrapped" stands in the place of "key". The error is a [*helpers.Failure] with
// [helpers.BadMaterial] that does not quote the document, or the wrapper's.
func ParseKeys(ctx context.Context, data []byte, w Wrapper) ([]Key, error) {
	return parseKeys(ctx, data, w, nil)
}

// parseKeys does not unwrap keys that are there already.
func parseKeys(ctx context.Context, data []byte, w Wrapper, have []Key) ([]Key, error) {
	doc, err := parseDocument(data)
	if err != nil {
		return nil, err
	}
	list := make([]Key, 0, len(doc.Keys))
	for _, entry := range doc.Keys {
		i := slices.IndexFunc(have, func(k Key) bool { return k.ID() == entry.ID })
		if i >= 0 {
			list = append(list, have[i])
			continue
		}
		k, err := entry.open(ctx, w)
		if err != nil {
			return nil, err
		}
		if k.ID() != entry.ID {
			return nil, badKeys("has a key that does not belong to its id " + entry.ID)
		}
		list = append(list, k)
	}
	return list, nil
}

func parseDocument(data []byte) (document, error) {
	var doc document
	if len(data) > maxDocument {
		return doc, badKeys("is larger than 1 MiB")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if dec.Decode(&doc) != nil {
		return doc, badKeys("is not the JSON that is expected")
	}
	if _, err := dec.Token(); err != io.EOF {
		return doc, badKeys("goes on after the JSON object")
	}
	switch {
	case doc.Version != 1:
		return doc, badKeys("is not of version 1")
	case len(doc.Keys) == 0:
		return doc, badKeys("holds no key")
	}
	return doc, nil
}

func (e keyEntry) open(ctx context.Context, w Wrapper) (Key, error) {
	plain := e.Key
	switch {
	case (len(e.Key) > 0) == (len(e.Wrapped) > 0):
		return Key{}, badKeys("has an entry that is not either a key or a wrapped one: " + e.ID)
	case len(e.Wrapped) > 0 && w == nil:
		return Key{}, badKeys("holds wrapped keys, and no key management service is set up")
	case len(e.Wrapped) > 0:
		var err error
		if plain, err = w.Unwrap(ctx, e.Wrapped); err != nil {
			return Key{}, &helpers.Failure{
				Reason: helpers.Unavailable,
				Text:   "the key " + e.ID + " of the keyring cannot be unwrapped",
				Hint:   "see that the key management service can be reached and that its key may be used",
				Cause:  err,
			}
		}
	case w != nil:
		return Key{}, badKeys("holds keys that are not wrapped")
	}
	if len(plain) != KeySize {
		return Key{}, badKeys("has a key that is not of 32 bytes")
	}
	return KeyFrom([KeySize]byte(plain))
}

// AppendKeys appends the document of the keys, the first of which is the current one. Without a [Wrapper], what is
// appended is secret.
func AppendKeys(ctx context.Context, dst []byte, list []Key, w Wrapper) ([]byte, error) {
	doc := document{Version: 1}
	for _, k := range list {
		entry := keyEntry{ID: k.ID()}
		if w == nil {
			entry.Key = k.k().bytes[:]
		} else {
			var err error
			if entry.Wrapped, err = w.Wrap(ctx, k.k().bytes[:]); err != nil {
				return dst, &helpers.Failure{
					Reason: helpers.Unavailable,
					Text:   "the key " + entry.ID + " cannot be wrapped",
					Hint:   "see that the key management service can be reached and that its key may be used",
					Cause:  err,
				}
			}
		}
		doc.Keys = append(doc.Keys, entry)
	}
	out, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return dst, badKeys("cannot be written as JSON")
	}
	return append(append(dst, out...), '\n'), nil
}

func badKeys(what string) error {
	return helpers.Fail(helpers.BadMaterial, "the keyring "+what, "put it back from a backup; for a new store move it away, and make another with beta9-credentials key new")
}
