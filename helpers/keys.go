package helpers

import (
	"slices"
	"strings"
)

// A KeySet is one alternative of the material of a type: the key that holds the secret and the keys that go with it.
// The names are those of environment variables; in a secret blob they are the keys of "credentials".
type KeySet struct {
	// Secret is the key whose presence selects this set.
	Secret string
	// Needs are the keys that have to stand beside it.
	Needs []string
	// Takes are the keys that may.
	Takes []string
	// File names a variable that holds the path of a file with the secret. It counts in a person's own environment
	// only: nobody else may name a file to be read.
	File string
	// HostKey names a variable that has to name the same registry. It counts in an environment, where nothing else
	// tells which registry a password is for; material that is bound to its registry does without.
	HostKey string
	// Hosts limits the set to the hosts that one of these rules matches.
	Hosts []string
	// Username is the user that goes with the secret where the service prescribes one.
	Username string
	// Bound tells that the set counts in material only, which is bound to its registry. In an environment the variable
	// has another meaning, which is the type's own business.
	Bound bool
}

// usable tells whether the set may be used for the registry, and, in an environment, whether its host key agrees.
func (k KeySet) usable(r Registry, get func(string) string, environment bool) bool {
	if len(k.Hosts) > 0 && (r.port != "" || !matchAny(k.Hosts, r.host)) {
		return false
	}
	if environment && k.Bound {
		return false
	}
	if !environment || k.HostKey == "" {
		return true
	}
	named, err := ParseServerURL(get(k.HostKey))
	return err == nil && named.Identity() == r.Identity()
}

// missing returns the first needed key that has no value.
func (k KeySet) missing(get func(string) string) string {
	for _, key := range k.Needs {
		if get(key) == "" {
			return key
		}
	}
	return ""
}

// choose returns the first set that is complete. A secret whose companions are missing is an error that names them,
// unless a later set is complete.
func (t Type) choose(r Registry, get func(string) string, environment bool) (KeySet, error) {
	var incomplete error
	for _, k := range t.Keys {
		if get(k.Secret) == "" || !k.usable(r, get, environment) {
			continue
		}
		missing := k.missing(get)
		if missing == "" {
			return k, nil
		}
		if incomplete == nil {
			incomplete = Fail(BadMaterial, k.Secret+" is there without "+missing, "set "+missing+" beside "+k.Secret)
		}
	}
	if incomplete != nil {
		return KeySet{}, incomplete
	}
	return KeySet{}, ErrNotFound
}

// KeySet checks that the material may be used for the registry, see [Material.Bound], and returns the first set of its
// type that it holds whole. The error is a [*Failure] with [WrongHost], or with [BadMaterial] and the name of what is
// missing.
func (m Material) KeySet(typ string, r Registry) (KeySet, error) {
	if err := m.Bound(typ, r); err != nil {
		return KeySet{}, err
	}
	t, _ := TypeNamed(typ) // known: material is of known types only
	k, err := t.choose(r, m.Value, false)
	if err == ErrNotFound {
		return k, Fail(BadMaterial, "the material holds no "+t.Name+" credential", "give "+t.wanted())
	}
	return k, err
}

// FromEnvironment takes the first complete set of the type out of an environment and binds it to the registry. Keys of
// other types are never looked at. The error is [ErrNotFound] when there is none, and a [*Failure] with [BadMaterial]
// when a secret lacks what has to stand beside it.
//
// Nothing is taken for the two token URLs of Docker Hub: docker sends what it finds there to the service that issued the
// tokens, which a password of the registry is not for.
func (t Type) FromEnvironment(r Registry, getenv func(string) string) (Material, error) {
	if r.token != "" {
		return Material{}, ErrNotFound
	}
	k, err := t.choose(r, getenv, true)
	if err != nil {
		return Material{}, err
	}
	values := map[string]string{k.Secret: getenv(k.Secret)}
	for _, key := range k.Needs {
		values[key] = getenv(key)
	}
	for _, key := range k.Takes {
		if v := getenv(key); v != "" {
			values[key] = v
		}
	}
	return NewMaterial(t, r, values)
}

// Registries returns the registries that the type's keys in an environment can be for without anybody asking: those that
// a host key names, and those of the type, or of a set, whose names are fixed. Whether the keys are there is not looked
// at.
func (t Type) Registries(getenv func(string) string) []Registry {
	var found []Registry
	add := func(name string) {
		r, err := ParseServerURL(name)
		if err == nil && !slices.ContainsFunc(found, func(o Registry) bool { return o.Identity() == r.Identity() }) {
			found = append(found, r.WithScope(""))
		}
	}
	names := slices.Clone(t.hosts)
	for _, k := range t.Keys {
		names = append(names, k.Hosts...)
		if k.HostKey != "" {
			add(getenv(k.HostKey))
		}
	}
	for _, name := range names {
		if !strings.Contains(name, "*") {
			add(name)
		}
	}
	return found
}

// EnvironmentHint says why secrets that are set in the environment do not count for the registry, when a person who set
// them will wonder: a user name and a password that are meant for registries, without the variable that says for which.
func (t Type) EnvironmentHint(r Registry, getenv func(string) string) string {
	for _, k := range t.Keys {
		// USERNAME and PASSWORD alone mean anything: systems set them for other purposes.
		if k.HostKey != "" && k.Secret != "PASSWORD" && getenv(k.Secret) != "" && k.missing(getenv) == "" && getenv(k.HostKey) == "" {
			return k.Secret + " is not used without " + k.HostKey + ": set " + k.HostKey + "=" + r.Identity() + " if it is for this registry"
		}
	}
	return ""
}

// wanted names the first key sets of the type, for hints.
func (t Type) wanted() string {
	s := ""
	for i, k := range t.Keys {
		if i > 0 {
			s += " or "
		}
		for _, key := range k.Needs {
			s += key + " and "
		}
		s += k.Secret
	}
	return s
}

// knows tells whether the key belongs to the type.
func (t Type) knows(key string) bool {
	for _, k := range t.Keys {
		if k.Secret == key || slices.Contains(k.Needs, key) || slices.Contains(k.Takes, key) {
			return true
		}
	}
	return false
}
