package helpers

import (
	"strings"
)

// maxRepository is the longest path inside a registry that Docker's reference grammar allows, in characters.
const maxRepository = 255

// A Reference is an image reference, read by Docker's rules
// (https://github.com/distribution/reference/blob/main/reference.go and normalize.go).
type Reference struct {
	registry   Registry
	repository string
	tag        string
	digest     string
}

// ParseReference reads an image reference as a person types it. "ubuntu" is library/ubuntu on Docker Hub; what stands
// before the first slash is a host only if it has a dot, a colon or an upper-case letter, or is localhost. The error is
// a [*Failure] with [BadRequest].
func ParseReference(s string) (Reference, error) {
	if len(s) == 64 && isHex(s) {
		return Reference{}, badReference("is 64 hex digits, which is an image's id", "give the name of an image")
	}
	if strings.Contains(s, "://") {
		return Reference{}, badReference("has a scheme", "leave out what stands before the host, as in ghcr.io/org/app:tag")
	}
	name, digest, hasDigest := strings.Cut(s, "@")
	if hasDigest && !isDigest(digest) {
		return Reference{}, badReference("has a malformed digest", "a digest looks like sha256:<64 hex digits>")
	}
	name, tag, ok := cutTag(name)
	if !ok {
		return Reference{}, badReference("has a malformed tag", "a tag has up to 128 letters, digits, dots, hyphens and underscores")
	}
	ref := Reference{tag: tag, digest: digest}
	domain, repository, found := strings.Cut(name, "/")
	if !found || !isDomain(domain) {
		domain, repository = hub, name
	}
	if strings.ContainsAny(domain, "#?") || domain != TrimServerURL(domain) {
		return Reference{}, badReference("has a malformed host", "a reference looks like ghcr.io/org/app:tag")
	}
	var err error
	if ref.registry, err = ParseServerURL(domain); err != nil {
		return Reference{}, badReference("has a malformed host", "a reference looks like ghcr.io/org/app:tag")
	}
	// Docker's own code does so for docker.io and index.docker.io only; here Docker Hub is one registry under all its
	// names, so that a repository has one name as well.
	if ref.registry.HostPort() == hub && !strings.Contains(repository, "/") {
		repository = "library/" + repository
	}
	if scopeHint(repository) == "" {
		return Reference{}, badReference("has a malformed name",
			"a name has lower-case letters and digits, separated by single dots, one or two underscores, hyphens or slashes")
	}
	ref.repository = repository
	ref.registry = ref.registry.WithScope(Scope(repository))
	return ref, nil
}

func badReference(what, hint string) error {
	return Fail(BadRequest, "the image reference "+what, hint)
}

func isDomain(s string) bool {
	return s == "localhost" || strings.ContainsAny(s, ".:") || strings.ToLower(s) != s
}

// cutTag separates the tag; a colon before a slash belongs to a port.
func cutTag(name string) (rest, tag string, ok bool) {
	i := strings.LastIndexByte(name, ':')
	if i < 0 || strings.Contains(name[i:], "/") {
		return name, "", true
	}
	tag = name[i+1:]
	if tag == "" || len(tag) > 128 || tag[0] == '.' || tag[0] == '-' {
		return "", "", false
	}
	for j := range len(tag) {
		if c := tag[j]; !isAlnum(c) && !('A' <= c && c <= 'Z') && c != '_' && c != '.' && c != '-' {
			return "", "", false
		}
	}
	return name[:i], tag, true
}

// isPathComponent holds the grammar alpha-numeric [separator alpha-numeric]*, where a separator is one dot, one or two
// underscores, or any number of hyphens.
func isPathComponent(s string) bool {
	if s == "" || !isAlnum(s[0]) || !isAlnum(s[len(s)-1]) {
		return false
	}
	for i := 0; i < len(s); {
		if isAlnum(s[i]) {
			i++
			continue
		}
		j := i
		for s[j] == s[i] { // ends before the last character, which is alphanumeric
			j++
		}
		n := j - i
		if s[i] == '-' || s[i] == '.' && n == 1 || s[i] == '_' && n <= 2 {
			if !isAlnum(s[j]) {
				return false
			}
			i = j
			continue
		}
		return false
	}
	return true
}

func isAlnum(c byte) bool { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' }

func isHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; !('0' <= c && c <= '9' || 'a' <= c && c <= 'f') {
			return false
		}
	}
	return true
}

// isDigest accepts the two algorithms that the image specification registers.
func isDigest(s string) bool {
	algorithm, hex, _ := strings.Cut(s, ":")
	switch algorithm {
	case "sha256":
		return len(hex) == 64 && isHex(hex)
	case "sha512":
		return len(hex) == 128 && isHex(hex)
	}
	return false
}

// Registry returns the registry, with the repository as its scope.
func (r Reference) Registry() Registry { return r.registry }

// Repository returns the repository inside the registry, such as library/ubuntu.
func (r Reference) Repository() string { return r.repository }

// Tag returns the tag, or nothing when the reference named none.
func (r Reference) Tag() string { return r.tag }

// Digest returns the digest, or nothing when the reference named none.
func (r Reference) Digest() string { return r.digest }

// String returns the full canonical reference, which [ParseReference] reads back. The tag latest is written out when
// there is neither tag nor digest, and the port when without it the host would be read as part of a name on Docker Hub.
func (r Reference) String() string {
	host := r.registry.HostPort()
	if !isDomain(host) {
		host += ":443"
	}
	s := host + "/" + r.repository
	if r.tag != "" {
		s += ":" + r.tag
	}
	if r.digest != "" {
		s += "@" + r.digest
	}
	if r.tag == "" && r.digest == "" {
		s += ":latest"
	}
	return s
}
