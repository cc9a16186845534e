package secrets

import (
	"errors"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// FromEnvironment makes the secret that a workspace needs for an image reference out of an environment: the registry
// follows from the reference, the type from the registry, and the keys from the type. Keys of other types are never
// looked at. The secret is bound to the whole registry.
//
// The error is [ErrNotFound] when the environment holds nothing for the registry: the image is public, or has to be. It
// is a [*helpers.Failure] with [helpers.BadMaterial] that names the key when something is missing, and with
// [helpers.BadRequest] when the reference is malformed.
func FromEnvironment(workspace, reference string, getenv func(string) string) (Secret, error) {
	ref, err := helpers.ParseReference(reference)
	if err != nil {
		return Secret{}, err
	}
	return FromEnvironmentFor(workspace, ref.Registry(), getenv)
}

// FromEnvironmentFor is [FromEnvironment] for a registry that is known already. Its scope does not count.
func FromEnvironmentFor(workspace string, r helpers.Registry, getenv func(string) string) (Secret, error) {
	r = r.WithScope("")
	t, ok := helpers.Lookup(r)
	if !ok {
		return Secret{}, ErrNotFound
	}
	m, err := t.FromEnvironment(r, getenv)
	if errors.Is(err, ErrNotFound) {
		if m, err = content(t, r, getenv); err == nil && m.IsZero() {
			err = halfThere(t, r, getenv)
		}
		if err == nil && m.IsZero() {
			err = ErrNotFound
		}
	}
	if err != nil {
		return Secret{}, err
	}
	return New(workspace, m)
}

// content takes what people put into the place of a path: the file's content. A path is of no use to anybody else.
func content(t helpers.Type, r helpers.Registry, getenv func(string) string) (helpers.Material, error) {
	for _, k := range t.Keys {
		v := getenv(k.Secret)
		switch {
		case k.Bound && v != "" && isContent(v):
			return helpers.NewMaterial(t, r, map[string]string{k.Secret: v})
		case k.Bound && v != "":
			return helpers.Material{}, namesFile(k.Secret)
		case k.File != "" && getenv(k.File) != "":
			return helpers.Material{}, namesFile(k.File)
		}
	}
	return helpers.Material{}, nil
}

// halfThere returns what is missing in an environment that holds a part of a credential: one that was meant to be used
// and would silently not be.
func halfThere(t helpers.Type, r helpers.Registry, getenv func(string) string) error {
	if hint := t.EnvironmentHint(r, getenv); hint != "" {
		return helpers.Fail(helpers.BadMaterial, hint, "")
	}
	for _, k := range t.Keys {
		if k.HostKey != "" {
			named, err := helpers.ParseServerURL(getenv(k.HostKey))
			if err != nil || named.Identity() != r.Identity() {
				continue
			}
		}
		for _, key := range k.Needs {
			if getenv(key) != "" && getenv(k.Secret) == "" {
				return helpers.Fail(helpers.BadMaterial, key+" is there without "+k.Secret, "set "+k.Secret+" beside "+key)
			}
		}
	}
	return nil
}
