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
			if err != nil && getenv(k.HostKey) != "" && getenv(k.Secret) != "" {
				return helpers.Fail(helpers.BadMaterial, k.HostKey+", which stands beside "+k.Secret+", does not name a registry",
					"set "+k.HostKey+"="+r.Identity()+" if it is for this registry")
			}
			if err != nil || named.Identity() != r.Identity() {
				continue
			}
		}
		if key := part(k, getenv); key != "" && getenv(k.Secret) == "" {
			return helpers.Fail(helpers.BadMaterial, key+" is there without "+k.Secret, "set "+k.Secret+" beside "+key)
		}
	}
	return nil
}

// bySystem tells whether a key is there because a system set it, which sets no secret beside it: the runner of a job, the
// tools of a cloud, the session of a desktop or of Windows (USERNAME), and in a pod with a workload identity of Azure what
// belongs to the token in a file.
func bySystem(key string, getenv func(string) string) bool {
	switch key {
	case "GITHUB_ACTOR", "GCP_PROJECT_ID", "AWS_REGION", "USERNAME":
		return true
	case "AZURE_TENANT_ID", "AZURE_CLIENT_ID":
		return getenv("AZURE_FEDERATED_TOKEN_FILE") != ""
	}
	return false
}

// part returns a key that nobody sets who does not mean to give the secret of the set as well: one of those that may stand
// beside it, or the last of those that have to when all of them are there. A part of these, such as the AZURE_CLIENT_ID of
// a managed identity, says nothing of a secret.
func part(k helpers.KeySet, getenv func(string) string) string {
	for _, key := range k.Takes {
		if getenv(key) != "" && !bySystem(key, getenv) {
			return key
		}
	}
	last := ""
	for _, key := range k.Needs {
		if last = key; getenv(key) == "" || bySystem(key, getenv) {
			return ""
		}
	}
	return last
}
