package secrets

import (
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// A Secret is material at rest: of one workspace, bound to one registry and scope. It prints as "[redacted]"; its
// fields but the material may be shown to people.
type Secret struct {
	opaque
	// Workspace is the workspace that the secret belongs to, by the name that the store's other users have for it.
	Workspace string
	// Name is unique in the workspace; see [Name].
	Name string
	// Material is bound to the registry and the scope of the secret, and has its type.
	Material helpers.Material
	// Version counts the changes of this name, deletions included, from 1. It is 0 for a secret that no store has.
	Version int64
	// Created and Updated are when the secret was first and last written, in UTC, to the microsecond.
	Created, Updated time.Time
}

// New makes a secret that no store has yet. The error is a [*helpers.Failure] with [helpers.BadMaterial] when the
// material lacks something that its type needs, names a file of some machine, or is too large to be read again, and with [helpers.BadRequest] when the
// workspace cannot be one.
func New(workspace string, m helpers.Material) (Secret, error) {
	if err := CheckName("workspace", workspace); err != nil {
		return Secret{}, err
	}
	m, err := readable(m)
	if err != nil {
		return Secret{}, err
	}
	return Secret{Workspace: workspace, Name: Name(m.Registry(), m.Scope()), Material: m}, nil
}

// Registry returns the registry that the secret is bound to, with the scope.
func (s Secret) Registry() helpers.Registry {
	return s.Material.Registry().WithScope(s.Material.Scope())
}

// Place returns where the secret is at rest.
func (s Secret) Place() Place {
	return Place{
		Workspace: s.Workspace, Name: s.Name,
		Registry: s.Material.Registry().Identity(), Scope: s.Material.Scope(), Version: s.Version,
	}
}

// CheckKey checks what a caller of a [Store] names a secret by; see [CheckName].
func CheckKey(workspace, name string) error {
	if err := CheckName("workspace", workspace); err != nil {
		return err
	}
	return CheckName("name of the secret", name)
}

// maxName is the longest name of a workspace, an image or a secret that is taken, in bytes: the width of Beta9's columns.
const maxName = 255

// CheckName checks what names a workspace, an image or a secret: 1 to 255 bytes of printable UTF-8. The error is a
// [*helpers.Failure] with [helpers.BadRequest].
func CheckName(what, name string) error {
	switch {
	case name == "":
		return helpers.Fail(helpers.BadRequest, "the "+what+" is empty", "name the "+what)
	case len(name) > maxName:
		return helpers.Fail(helpers.BadRequest, "the "+what+" has more than 255 bytes", "")
	case !utf8.ValidString(name):
		return helpers.Fail(helpers.BadRequest, "the "+what+" is not valid UTF-8", "")
	}
	for _, c := range name {
		if !unicode.IsPrint(c) {
			return helpers.Fail(helpers.BadRequest, "the "+what+" holds a character that cannot be printed", "")
		}
	}
	return nil
}
