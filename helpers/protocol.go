package helpers

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/docker/docker-credential-helpers/credentials"
)

// The credential-helper protocol is written down at https://github.com/docker/docker-credential-helpers. A helper is
// called with one verb as its only argument, reads its request from stdin and answers on stdout.

// The verbs of the protocol.
const (
	VerbGet     = credentials.ActionGet
	VerbStore   = credentials.ActionStore
	VerbErase   = credentials.ActionErase
	VerbList    = credentials.ActionList
	VerbVersion = credentials.ActionVersion
)

// maxLogin is the largest input of store that is read, in bytes: JSON may spend six bytes on one of the secret.
const maxLogin = 6*MaxSecret + 4*maxServerURL

// maxErrorLine is the longest error line a helper prints, in bytes: what fits on a few lines of a terminal.
const maxErrorLine = 512

// A Login is what a client gives to be stored. It prints as "[redacted]".
type Login struct {
	opaque
	l hidden[login]
}

type login struct {
	serverURL, username, secret string
	registry                    Registry
}

// NewLogin makes a login for the server URL as the client spelled it. The errors are those of [ReadLogin].
func NewLogin(serverURL, username, secret string) (Login, error) {
	serverURL = TrimServerURL(serverURL)
	r, err := ParseServerURL(serverURL)
	switch {
	case err != nil:
		return Login{}, err
	case username == "":
		return Login{}, ErrNoUsername
	case hasControl(username):
		return Login{}, Fail(BadRequest, "the user name holds a control character", "")
	case !utf8.ValidString(username), !utf8.ValidString(secret):
		return Login{}, Fail(BadRequest, "the user name or the secret is not valid UTF-8", "")
	case secret == "":
		return Login{}, Fail(BadRequest, "the secret is empty", "give the password or token of the user")
	case len(secret) > MaxSecret:
		return Login{}, Fail(BadRequest, "the secret is larger than 1 MiB", "")
	}
	if r.userinfo {
		serverURL = r.ServerURL()
	}
	return Login{l: hide(login{serverURL, username, secret, r})}, nil
}

// ServerURL returns the server URL as the client spelled it, or the registry's own where a user and perhaps a password stood
// in it: it is listed, and is no place for a secret.
func (l Login) ServerURL() string { return l.l.get().serverURL }

// Registry returns the registry that the server URL stands for.
func (l Login) Registry() Registry { return l.l.get().registry }

// Username returns the user name.
func (l Login) Username() string { return l.l.get().username }

// Secret returns the secret.
func (l Login) Secret() string { return l.l.get().secret }

// ReadServerURL reads the input of get and erase to its end and returns it trimmed, as it is to be echoed, with the
// registry it stands for. The errors are those of [ParseServerURL].
func ReadServerURL(in io.Reader) (string, Registry, error) {
	const limit = 2 * maxServerURL // room for the white space around it
	data, err := io.ReadAll(io.LimitReader(in, limit+1))
	if err != nil {
		return "", Registry{}, &Failure{Reason: BadRequest, Text: "the server URL cannot be read from stdin", Cause: err}
	}
	if len(data) > limit {
		return "", Registry{}, badServerURL("is longer than 4096 bytes")
	}
	raw := TrimServerURL(string(data))
	r, err := ParseServerURL(raw)
	return raw, r, err
}

// ReadLogin reads the input of store: one JSON object with the strings ServerURL, Username and Secret. The error is
// [ErrNoServerURL], [ErrNoUsername], or a [*Failure] with [BadRequest]; it never quotes the input.
func ReadLogin(in io.Reader) (Login, error) {
	data, err := io.ReadAll(io.LimitReader(in, maxLogin+1))
	if err != nil {
		return Login{}, &Failure{Reason: BadRequest, Text: "the login cannot be read from stdin", Cause: err}
	}
	if len(data) > maxLogin {
		return Login{}, Fail(BadRequest, "the login is larger than a secret of 1 MiB can make it", "")
	}
	return ParseLogin(data)
}

// ParseLogin is [ReadLogin] on bytes that were read already.
func ParseLogin(data []byte) (Login, error) {
	fields, err := parseObject(data)
	if err != nil {
		return Login{}, Fail(BadRequest, "the login on stdin "+err.Error(),
			`write {"ServerURL":"...","Username":"...","Secret":"..."}`)
	}
	serverURL, ok1 := fields.text("ServerURL")
	username, ok2 := fields.text("Username")
	secret, ok3 := fields.text("Secret")
	if !ok1 || !ok2 || !ok3 {
		return Login{}, Fail(BadRequest, "the login on stdin has a field that is not a string", "")
	}
	return NewLogin(serverURL, username, secret)
}

// AppendLogin appends the input of store for a login, as a caller of a helper writes it.
func AppendLogin(dst []byte, l Login) []byte {
	dst = appendField(append(dst, '{'), "ServerURL", l.ServerURL())
	dst = appendField(append(dst, ','), "Username", l.Username())
	dst = appendField(append(dst, ','), "Secret", l.Secret())
	return append(dst, '}', '\n')
}

// AppendAnswer appends the answer of get: one JSON object and a newline. The server URL is echoed as it was asked for.
// An extended answer also says until when the credential is valid and where it comes from. The error is a [*Failure]
// with [BadAnswer] when the credential cannot be put into the protocol's words.
func AppendAnswer(dst []byte, serverURL string, c Credential, extended bool) ([]byte, error) {
	if err := checkCredential(c); err != nil {
		return dst, err
	}
	dst = appendField(append(dst, '{'), "ServerURL", serverURL)
	dst = appendField(append(dst, ','), "Username", c.Username())
	dst = appendField(append(dst, ','), "Secret", c.Secret())
	if extended && !c.ExpiresAt().IsZero() {
		dst = appendField(append(dst, ','), "ExpiresAt", c.ExpiresAt().UTC().Format(time.RFC3339))
	}
	if extended && c.Source() != "" {
		dst = appendField(append(dst, ','), "Source", c.Source())
	}
	return append(dst, '}', '\n'), nil
}

// ParseAnswer reads, at a caller's end, what a helper printed for get. The answer must be one JSON object that echoes
// the server URL that was asked for. The error is a [*Failure] with [BadAnswer]; it never quotes the input.
func ParseAnswer(stdout []byte, serverURL string) (Credential, error) {
	fields, err := parseObject(stdout)
	if err != nil {
		return Credential{}, Fail(BadAnswer, "the helper's answer "+err.Error(), "")
	}
	var values [5]string
	for i, name := range [...]string{"ServerURL", "Username", "Secret", "ExpiresAt", "Source"} {
		var ok bool
		if values[i], ok = fields.text(name); !ok {
			return Credential{}, Fail(BadAnswer, "the helper's answer has a "+name+" that is not a string", "")
		}
	}
	if values[0] != serverURL {
		return Credential{}, Fail(BadAnswer, "the helper's answer is for another server URL", "")
	}
	var expires time.Time
	if values[3] != "" {
		if expires, err = time.Parse(time.RFC3339, values[3]); err != nil {
			return Credential{}, Fail(BadAnswer, "the helper's answer has a malformed ExpiresAt", "")
		}
	}
	c := NewCredential(values[1], values[2], expires).WithSource(Printable(values[4]))
	return c, checkCredential(c)
}

func checkCredential(c Credential) error {
	switch {
	case c.Secret() == "":
		return Fail(BadAnswer, "the credential has no secret", "")
	case len(c.Secret()) > MaxSecret:
		return Fail(BadAnswer, "the credential's secret is larger than 1 MiB", "")
	case !utf8.ValidString(c.Secret()), !utf8.ValidString(c.Username()):
		return Fail(BadAnswer, "the credential is not valid UTF-8", "")
	case hasControl(c.Username()):
		return Fail(BadAnswer, "the credential's user name holds a control character", "")
	}
	return nil
}

// AppendList appends the answer of list: a JSON object of server URL to user name, and a newline.
func AppendList(dst []byte, entries map[string]string) ([]byte, error) {
	for serverURL, username := range entries {
		if !utf8.ValidString(serverURL) || !utf8.ValidString(username) {
			return dst, Fail(Internal, "the list holds something that is not valid UTF-8", "")
		}
	}
	return append(appendFields(dst, entries), '\n'), nil
}

// ParseList reads, at a caller's end, what a helper printed for list. The error is a [*Failure] with [BadAnswer].
func ParseList(stdout []byte) (map[string]string, error) {
	fields, err := parseObject(stdout)
	if err != nil {
		return nil, Fail(BadAnswer, "the helper's list "+err.Error(), "")
	}
	entries := make(map[string]string, len(fields))
	for serverURL := range fields {
		username, ok := fields.text(serverURL)
		if !ok {
			return nil, Fail(BadAnswer, "the helper's list has a user name that is not a string", "")
		}
		entries[serverURL] = username
	}
	return entries, nil
}

// ErrorLine returns the line that a helper prints on stdout for an error: the protocol's own text for the three errors
// that have one, else reason and text, printable and at most 512 bytes long. An error that is no [*Failure] is not
// printed, since nobody has seen to it that it holds no secret.
func ErrorLine(err error) string {
	for _, known := range [...]error{ErrNotFound, ErrNoServerURL, ErrNoUsername} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	f, ok := errors.AsType[*Failure](err)
	if !ok {
		f = Fail(ReasonOf(err), "the helper failed", "")
	}
	line := Printable(f.Error())
	if len(line) > maxErrorLine {
		line = strings.ToValidUTF8(line[:maxErrorLine], "")
	}
	return line
}

// ParseErrorLine turns, at a caller's end, what a failed helper printed on stdout into an error: [ErrNotFound], or a
// [*Failure] whose reason is read from the line. Nothing else of the line is taken over, since a caller cannot know
// what a helper let slip into it.
func ParseErrorLine(stdout []byte) error {
	line := string(bytes.TrimSpace(stdout))
	for _, known := range [...]error{ErrNotFound, ErrNoServerURL, ErrNoUsername} {
		if line == known.Error() {
			return known
		}
	}
	code, _, _ := strings.Cut(line, ":")
	for _, reason := range reasons {
		if code == string(reason) {
			return Fail(reason, "the helper failed", "")
		}
	}
	return Fail(Internal, "the helper failed without a reason", "")
}

func hasControl(s string) bool { return strings.ContainsFunc(s, unicode.IsControl) }

// Printable turns whatever would not show as one line into spaces.
func Printable(s string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return ' '
	}, s)
}

// appendField appends "name":"value".
func appendField(dst []byte, name, value string) []byte {
	return appendQuoted(append(appendQuoted(dst, name), ':'), value)
}
