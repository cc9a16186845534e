package secrets

import (
	"crypto/sha256"
	"encoding/hex"
	"iter"
	"strings"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// NamePrefix starts the name of every secret that is made here. Names that users give to secrets in Beta9 hold no
// hyphen, so that none of them can stand in the way.
const NamePrefix = "oci-creds-"

// Name returns the name of the secret for a registry, or for a scope of it: the prefix and the first 16 hex digits of
// SHA-256 over the canonical registry, with /scope behind it when there is one. The registry's own scope does not
// count.
func Name(r helpers.Registry, scope helpers.Scope) string {
	sum := sha256.Sum256([]byte(r.WithScope(scope).String()))
	return NamePrefix + hex.EncodeToString(sum[:8])
}

// Names returns the names of the secrets that can serve a repository of the registry, which is the registry's scope:
// the one of the longest scope first, the one of the whole registry last.
func Names(r helpers.Registry) []string {
	var names []string
	for scope := range scopes(r.Scope()) {
		names = append(names, Name(r, scope))
	}
	return names
}

// scopes yields the scopes that a repository lies in: itself first, the one of the whole registry last.
func scopes(repository helpers.Scope) iter.Seq[helpers.Scope] {
	return func(yield func(helpers.Scope) bool) {
		for scope := repository; yield(scope) && scope != ""; {
			scope = scope[:max(strings.LastIndexByte(string(scope), '/'), 0)]
		}
	}
}
