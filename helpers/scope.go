package helpers

import "strings"

// A Scope is a repository, or the first path components of one, inside a registry: "org" or "org/app". The empty Scope
// is the whole registry.
type Scope string

// Covers tells whether the repository lies in the scope. Components are matched whole: "org" covers "org" and
// "org/app" but not "organic".
func (s Scope) Covers(repository Scope) bool {
	if s == "" || s == repository {
		return true
	}
	rest, ok := strings.CutPrefix(string(repository), string(s))
	return ok && rest[0] == '/'
}

// ParseScope reads a scope as a person writes it. The error is a [*Failure] with [BadRequest].
func ParseScope(s string) (Scope, error) {
	scope := scopeHint(strings.Trim(s, "/"))
	if scope == "" && s != "" {
		return "", Fail(BadRequest, "the scope is not a repository or a prefix of one",
			"write it as org or org/app, in lower case")
	}
	return scope, nil
}

// scopeHint takes a path as scope if it can be one, and nothing otherwise: a hint that is wrong is no hint.
func scopeHint(path string) Scope {
	if path == "" || len(path) > maxRepository {
		return ""
	}
	for component := range strings.SplitSeq(path, "/") {
		if !isPathComponent(component) {
			return ""
		}
	}
	return Scope(path)
}
