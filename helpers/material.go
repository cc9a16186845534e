package helpers

import (
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"slices"
	"unicode/utf8"
)

// maxMaterial is the largest blob that is read, in bytes. The largest real material, a Google service account's JSON
// inside a blob, has about 3 KiB; a login may hold up to [MaxSecret].
const maxMaterial = 2 * MaxSecret

// Material is the long-lived input of a type for one registry: access keys, an API key, a service account's JSON. It
// is bound to the registry it was made for, and to a scope of it if it has one. It prints as "[redacted]". Material is
// not changed after it was made and is safe for concurrent use.
type Material struct {
	opaque
	m hidden[material]
}

type material struct {
	registry    Registry // without a scope of its own; see scope
	scope       Scope
	typ         string
	values      map[string]string
	fingerprint [sha256.Size]byte
}

// NewMaterial makes material of a type for a registry. The registry's scope is not taken over: use [Material.WithScope]
// to bind the material to a part of the registry. Keys that the type does not know and empty values are left out. The
// error is a [*Failure] with [BadMaterial] when nothing is left, or a value is not valid UTF-8.
func NewMaterial(t Type, r Registry, values map[string]string) (Material, error) {
	kept := make(map[string]string, len(values))
	for key, value := range values {
		if value == "" || !t.knows(key) {
			continue
		}
		if !utf8.ValidString(value) {
			return Material{}, Fail(BadMaterial, "the value of "+key+" is not valid UTF-8", "")
		}
		kept[key] = value
	}
	if len(kept) == 0 {
		return Material{}, Fail(BadMaterial, "the material holds no "+t.Name+" credential", "give "+t.wanted())
	}
	return seal(material{registry: r.WithScope(""), typ: t.Name, values: kept}), nil
}

func seal(m material) Material {
	m.fingerprint = m.sum()
	return Material{m: hide(m)}
}

// WithScope returns the same material, bound to a scope of its registry.
func (m Material) WithScope(s Scope) Material {
	if m.IsZero() {
		return m
	}
	c := m.m.get()
	c.scope = s
	return seal(c)
}

// IsZero tells whether this is no material at all.
func (m Material) IsZero() bool { return m.m.isZero() }

// Registry returns the registry that the material is bound to.
func (m Material) Registry() Registry { return m.m.get().registry }

// Scope returns the scope that the material is bound to; the empty scope is the whole registry.
func (m Material) Scope() Scope { return m.m.get().scope }

// Type returns the name of the type, in this project's vocabulary.
func (m Material) Type() string { return m.m.get().typ }

// Value returns the value of a key, or nothing.
func (m Material) Value(key string) string { return m.m.get().values[key] }

// Keys returns the names of the keys that have a value, sorted. Names are no secret.
func (m Material) Keys() []string {
	return slices.Sorted(maps.Keys(m.m.get().values))
}

// Fingerprint identifies the material: SHA-256 over its length-prefixed parts. It does not tell the material, but two
// fingerprints tell whether two materials are the same: it is for keys of caches, not for logs.
func (m Material) Fingerprint() [sha256.Size]byte { return m.m.get().fingerprint }

func (m *material) sum() [sha256.Size]byte {
	h := sha256.New()
	var n [8]byte
	part := func(s string) {
		binary.BigEndian.PutUint64(n[:], uint64(len(s)))
		h.Write(n[:])
		h.Write([]byte(s))
	}
	part(m.typ)
	part(m.registry.Identity())
	part(string(m.scope))
	for _, key := range slices.Sorted(maps.Keys(m.values)) {
		part(key)
		part(m.values[key])
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// Bound checks that the material is of the type and was made for the registry. The scope of the registry, if it has
// one, must lie in the scope of the material; without one nothing is known of the repository, and the material counts.
// The error is a [*Failure] with [WrongHost].
func (m Material) Bound(typ string, r Registry) error {
	switch {
	case m.IsZero():
		return ErrNotFound
	case m.Type() != typ:
		return Fail(WrongHost, "the material is not of the type "+typ, "")
	case m.Registry().Identity() != r.Identity(), r.scope != "" && !m.Scope().Covers(r.scope):
		return Fail(WrongHost, "the material is bound to another registry than "+r.Identity(), "")
	}
	return nil
}

// AppendBlob appends the wire form of the material:
//
//	{"version":1,"registry":"ghcr.io","type":"ghcr","credentials":{"GITHUB_TOKEN":"...","GITHUB_USERNAME":"..."}}
//
// with "scope" when it has one. The type is written with Beta9's name. What is appended is secret.
func (m Material) AppendBlob(dst []byte) ([]byte, error) {
	if m.IsZero() {
		return dst, ErrNotFound
	}
	t, ok := TypeNamed(m.Type())
	if !ok {
		return dst, Fail(BadMaterial, "the material is of an unknown type", "")
	}
	dst = appendField(append(dst, `{"version":1,`...), "registry", m.Registry().Identity())
	dst = appendField(append(dst, ','), "type", t.Beta9)
	if m.Scope() != "" {
		dst = appendField(append(dst, ','), "scope", string(m.Scope()))
	}
	dst = append(dst, `,"credentials":`...)
	return append(appendFields(dst, m.m.get().values), '}'), nil
}

// ParseMaterial reads the wire form of material strictly: one JSON object, version 1, no key twice, valid UTF-8. The
// type may be written in either vocabulary. The error is a [*Failure] with [BadMaterial]; it never quotes the input.
func ParseMaterial(data []byte) (Material, error) {
	if len(data) > maxMaterial {
		return Material{}, badBlob("is larger than 2 MiB")
	}
	fields, err := parseObject(data)
	if err != nil {
		return Material{}, badBlob(err.Error())
	}
	if string(fields["version"]) != "1" {
		return Material{}, badBlob("is not of version 1")
	}
	registry, ok1 := fields.text("registry")
	typ, ok2 := fields.text("type")
	prefix, ok3 := fields.text("scope")
	if !ok1 || !ok2 || !ok3 {
		return Material{}, badBlob("has a registry, type or scope that is not a string")
	}
	values, err := credentialValues(fields["credentials"])
	if err != nil {
		return Material{}, err
	}
	t, ok := TypeNamed(typ)
	if !ok {
		return Material{}, badBlob("is of an unknown type")
	}
	r, err := ParseServerURL(registry)
	if err != nil {
		return Material{}, badBlob("is bound to something that is not a registry")
	}
	scope, err := ParseScope(prefix)
	if err != nil {
		return Material{}, badBlob("has a malformed scope")
	}
	m, err := NewMaterial(t, r, values)
	if err != nil {
		return Material{}, err
	}
	return m.WithScope(scope), nil
}

func credentialValues(v value) (map[string]string, error) {
	fields, err := v.object()
	if err != nil {
		return nil, badBlob("has no object of credentials")
	}
	values := make(map[string]string, len(fields))
	for key, v := range fields {
		s, ok := v.text()
		if !ok {
			return nil, badBlob("has a credential that is not a string")
		}
		values[key] = s
	}
	return values, nil
}

func badBlob(what string) error {
	return Fail(BadMaterial, "the material "+what, "")
}
