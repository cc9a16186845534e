package secrets

import (
	"crypto/sha256"
	"encoding/hex"
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
	for scope := string(r.Scope()); scope != ""; {
		names = append(names, Name(r, helpers.Scope(scope)))
		i := strings.LastIndexByte(scope, '/')
		scope = scope[:max(i, 0)]
	}
	return append(names, Name(r, ""))
}
