package secrets

import (
	"encoding/binary"
	"strings"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// A Place is where a record lives. A record is sealed for its place and opens at no other.
type Place struct {
	Workspace string
	Name      string
	Registry  string // [helpers.Registry.Identity]
	Scope     helpers.Scope
	Version   int64
}

// String names the record for people.
func (p Place) String() string { return "the secret " + p.Name + " of workspace " + p.Workspace }

// named tells whether the name is one that [Name] makes.
func (p Place) named() bool { return strings.HasPrefix(p.Name, NamePrefix) }

// before tells whether the secret is chosen rather than another one that would do as well.
func (p Place) before(other Place) bool {
	if p.named() != other.named() {
		return p.named()
	}
	return len(p.Scope) > len(other.Scope)
}

// append appends the place in the form that is authenticated: every part with its length in front, as 8 bytes,
// big-endian, so that no two places look the same.
func (p Place) append(dst []byte) []byte {
	for _, part := range [...]string{p.Workspace, p.Name, p.Registry, string(p.Scope)} {
		dst = binary.BigEndian.AppendUint64(dst, uint64(len(part)))
		dst = append(dst, part...)
	}
	return binary.BigEndian.AppendUint64(dst, uint64(p.Version))
}
