package helpers

import (
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxServerURL is the longest server URL that is looked at, in bytes. A host name has at most 253 of them and a
// repository 255: 4096 leaves room for any real one.
const maxServerURL = 4096

// hub is the canonical host of Docker Hub, to which its other names fold.
const hub = "docker.io"

// hubServerURL is how Docker's clients spell Docker Hub.
const hubServerURL = "https://index.docker.io/v1/"

// A Registry is one registry, whatever it was spelled as: a canonical host[:port], with the path that came along as a
// hint for the [Scope]. Two registries are the same exactly when their [Registry.Identity] is equal.
// The zero Registry stands for none.
type Registry struct {
	host     string // lower case, IPv6 in brackets
	port     string // without a colon; empty for the default port
	token    string // for Docker Hub's two token URLs: "access-token" or "refresh-token"
	scope    Scope
	userinfo bool // the server URL carried a user; cloud registries are not found then
}

// ParseServerURL reads a server URL as credential-helper clients write it: a host, host:port, or an http or https URL,
// with or without a path. Outer white space and one byte order mark are dropped. The error is [ErrNoServerURL] when
// there is no host and a [*Failure] with [BadRequest] when the host is malformed; it never quotes the input, which
// may carry a user and a password.
func ParseServerURL(s string) (Registry, error) {
	s = TrimServerURL(s)
	if len(s) > maxServerURL {
		return Registry{}, badServerURL("is longer than 4096 bytes")
	}
	if !utf8.ValidString(s) { // it could not be echoed as it is
		return Registry{}, badServerURL("is not valid UTF-8")
	}
	for i := range len(s) {
		if s[i] < 0x20 || s[i] == 0x7f {
			return Registry{}, badServerURL("holds a control character")
		}
	}
	rest, plain, err := cutScheme(s)
	if err != nil {
		return Registry{}, err
	}
	authority, path := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	if i := strings.IndexAny(path, "?#"); i >= 0 {
		path = path[:i]
	}
	if strings.ContainsAny(authority, `\%`) {
		return Registry{}, badServerURL(`has a backslash or a percent sign in its host`)
	}
	var r Registry
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		r.userinfo = true
		authority = authority[i+1:]
	}
	if r.host, r.port, err = parseAuthority(authority, plain); err != nil {
		return Registry{}, err
	}
	r.foldHub(strings.Trim(path, "/"))
	return r, nil
}

// TrimServerURL drops the outer white space and the one byte order mark that clients may put around a server URL.
// What is left is what a helper echoes.
func TrimServerURL(s string) string {
	s = strings.TrimPrefix(strings.Trim(s, asciiSpace), "\ufeff")
	return strings.Trim(s, asciiSpace)
}

const asciiSpace = " \t\r\n\v\f"

func badServerURL(what string) error {
	return Fail(BadRequest, "the server URL "+what, "give the registry as host, host:port or https://host")
}

// cutScheme drops the scheme and tells whether it was plain http, which decides about port 80.
func cutScheme(s string) (rest string, plain bool, err error) {
	if rest, ok := strings.CutPrefix(s, "//"); ok {
		return rest, false, nil
	}
	i := strings.Index(s, "://")
	if i < 0 || strings.ContainsAny(s[:i], "/?#") {
		return s, false, nil
	}
	switch {
	case strings.EqualFold(s[:i], "https"):
		return s[i+3:], false, nil
	case strings.EqualFold(s[:i], "http"):
		return s[i+3:], true, nil
	}
	return "", false, badServerURL("has a scheme other than http and https")
}

func parseAuthority(authority string, plain bool) (host, port string, err error) {
	if host, port, err = splitPort(authority); err != nil {
		return "", "", err
	}
	if host, err = canonicalHost(host); err != nil {
		return "", "", err
	}
	if port == "" {
		return host, "", nil
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || len(port) > 5 {
		return "", "", badServerURL("has a port that is not a number from 1 to 65535")
	}
	if n == 443 || n == 80 && plain {
		return host, "", nil
	}
	return host, strconv.FormatUint(n, 10), nil
}

// splitPort separates the port. A bare IPv6 address, which has two colons at least, has none.
func splitPort(authority string) (host, port string, err error) {
	if strings.HasPrefix(authority, "[") {
		i := strings.IndexByte(authority, ']')
		if i < 0 {
			return "", "", badServerURL("has a bracket that is not closed")
		}
		host, rest := authority[:i+1], authority[i+1:]
		if rest == "" {
			return host, "", nil
		}
		if rest[0] != ':' || len(rest) == 1 {
			return "", "", badServerURL("has something other than a port behind the address")
		}
		return host, rest[1:], nil
	}
	switch strings.Count(authority, ":") {
	case 0:
		return authority, "", nil
	case 1:
		host, port, _ = strings.Cut(authority, ":")
		if host != "" && port == "" {
			return "", "", badServerURL("has a colon without a port")
		}
		return host, port, nil
	}
	return authority, "", nil
}

// canonicalHost returns the one spelling of a host name or address.
func canonicalHost(host string) (string, error) {
	if bare, ok := strings.CutPrefix(host, "["); ok {
		return canonicalAddress(strings.TrimSuffix(bare, "]"))
	}
	if strings.Contains(host, ":") {
		return canonicalAddress(host)
	}
	host = strings.TrimSuffix(host, ".")
	if host == "" {
		return "", ErrNoServerURL
	}
	if len(host) > 253 { // RFC 1035, in presentation form
		return "", badServerURL("has a host of more than 253 characters")
	}
	host, ok := lowerASCII(host)
	if !ok {
		return "", badServerURL("has a host with characters other than letters, digits, hyphens and dots")
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return "", badServerURL("has a host with a malformed label")
		}
	}
	return host, nil
}

// lowerASCII lowers a host name and tells whether it has none but the characters of one. The underscore is not a host
// name's by RFC 1123, but container networks use it.
func lowerASCII(host string) (string, bool) {
	for i := range len(host) {
		c := host[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_':
		default:
			return "", false
		}
	}
	return strings.ToLower(host), true
}

func canonicalAddress(s string) (string, error) {
	addr, err := netip.ParseAddr(s)
	if err != nil || !addr.Is6() { // there is no zone: a percent sign is refused before
		return "", badServerURL("has a malformed IPv6 address")
	}
	return "[" + addr.String() + "]", nil
}

// foldHub gives Docker Hub its one name, keeps its two token URLs apart from the login, and takes what is left of the
// path as scope.
func (r *Registry) foldHub(path string) {
	if r.port == "" && isHub(r.host) {
		r.host = hub
		switch path {
		case "v1/access-token":
			r.token = "access-token"
			return
		case "v1/refresh-token":
			r.token = "refresh-token"
			return
		}
	}
	if path != "v1" && path != "v2" { // the API's own root, not a repository
		r.scope = scopeHint(path)
	}
}

func isHub(host string) bool {
	switch host {
	case hub, "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com", "hub.docker.com":
		return true
	}
	return false
}

// Host returns the canonical host without a port; an IPv6 address stands in brackets.
func (r Registry) Host() string { return r.host }

// Port returns the port, or nothing for the default one.
func (r Registry) Port() string { return r.port }

// Scope returns the repository, or prefix of one, that came along with the registry. It is a hint: it never changes
// which registry this is.
func (r Registry) Scope() Scope { return r.scope }

// WithScope returns the registry with another scope.
func (r Registry) WithScope(s Scope) Registry {
	r.scope = s
	return r
}

// IsZero tells whether this is no registry at all.
func (r Registry) IsZero() bool { return r.host == "" }

// HostPort returns host[:port].
func (r Registry) HostPort() string {
	if r.port == "" {
		return r.host
	}
	return r.host + ":" + r.port
}

// Identity returns what credentials are kept under: host[:port], and for the two token URLs of Docker Hub, which are
// identities of their own, that URL without its scheme.
func (r Registry) Identity() string {
	if r.token != "" {
		return "index.docker.io/v1/" + r.token
	}
	return r.HostPort()
}

// ServerURL returns how Docker's clients spell the registry as a key of their configuration.
func (r Registry) ServerURL() string {
	switch {
	case r.token != "":
		return hubServerURL + r.token
	case r.host == hub && r.port == "":
		return hubServerURL
	}
	return r.HostPort()
}

// ConfigKeys returns the keys under which the clients look a registry up in the credHelpers of their configuration.
// There is one, but for Docker Hub: docker and its relatives use the server URL, and skopeo, podman and buildah the
// host of the reference or of the API.
func (r Registry) ConfigKeys() []string {
	if r.host == hub && r.port == "" {
		return []string{hubServerURL, hub, "registry-1.docker.io"}
	}
	return []string{r.HostPort()}
}

// String returns the identity, followed by the scope when there is one. [ParseServerURL] reads it back.
func (r Registry) String() string {
	if r.scope == "" {
		return r.Identity()
	}
	return r.Identity() + "/" + string(r.scope)
}
