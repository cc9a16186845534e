package helpers_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/docker/docker-credential-helpers/credentials"
	"pgregory.net/rapid"
)

func TestLoginIsReadFromStdin(t *testing.T) {
	for _, row := range []struct {
		name, in                    string
		serverURL, username, secret string // of the login, when it is taken
		want                        error
	}{
		{"docker", `{"ServerURL":"https://index.docker.io/v1/","Username":"u","Secret":"s"}`, "https://index.docker.io/v1/", "u", "s", nil},
		{"other order", "{\"Secret\":\"s\",\"Username\":\"u\",\"ServerURL\":\"ghcr.io\"}\n", "ghcr.io", "u", "s", nil},
		{"pretty-printed", "{\n  \"ServerURL\": \"ghcr.io\",\n  \"Username\": \"u\",\n  \"Secret\": \"s\"\n}\n", "ghcr.io", "u", "s", nil},
		{"CRLF", "{\r\n\"ServerURL\":\"ghcr.io\",\r\n\"Username\":\"u\",\r\n\"Secret\":\"s\"}\r\n", "ghcr.io", "u", "s", nil},
		{"white space around the URL", `{"ServerURL":" ghcr.io\n","Username":"u","Secret":"s"}`, "ghcr.io", "u", "s", nil},
		{"identity token", `{"ServerURL":"ghcr.io","Username":"<token>","Secret":"s"}`, "ghcr.io", "<token>", "s", nil},
		{"separators in the name", `{"ServerURL":"ghcr.io","Username":"../a/b|c+d$e@f","Secret":"s"}`, "ghcr.io", "../a/b|c+d$e@f", "s", nil},
		{"anything in the secret", `{"ServerURL":"ghcr.io","Username":"u","Secret":" \u0000\n\r\t\u2028\u00e9<>&\"\\ "}`, "ghcr.io", "u", " \x00\n\r\t\u2028\u00e9<>&\"\\ ", nil},
		{"no server URL", `{"Username":"u","Secret":"s"}`, "", "", "", helpers.ErrNoServerURL},
		{"empty server URL", `{"ServerURL":" ","Username":"u","Secret":"s"}`, "", "", "", helpers.ErrNoServerURL},
		{"server URL in another case", `{"serverURL":"ghcr.io","Username":"u","Secret":"s"}`, "", "", "", helpers.ErrNoServerURL},
		{"no user", `{"ServerURL":"ghcr.io","Secret":"s"}`, "", "", "", helpers.ErrNoUsername},
		{"empty user", `{"ServerURL":"ghcr.io","Username":"","Secret":"s"}`, "", "", "", helpers.ErrNoUsername},
		{"no secret", `{"ServerURL":"ghcr.io","Username":"u"}`, "", "", "", helpers.BadRequest},
		{"empty secret", `{"ServerURL":"ghcr.io","Username":"u","Secret":""}`, "", "", "", helpers.BadRequest},
		{"null secret", `{"ServerURL":"ghcr.io","Username":"u","Secret":null}`, "", "", "", helpers.BadRequest},
		{"numeric secret", `{"ServerURL":"ghcr.io","Username":"u","Secret":1}`, "", "", "", helpers.BadRequest},
		{"user that is a list", `{"ServerURL":"ghcr.io","Username":["u"],"Secret":"s"}`, "", "", "", helpers.BadRequest},
		{"server URL that is an object", `{"ServerURL":{},"Username":"u","Secret":"s"}`, "", "", "", helpers.BadRequest},
		{"NUL in the user", `{"ServerURL":"ghcr.io","Username":"u\u0000","Secret":"s"}`, "", "", "", helpers.BadRequest},
		{"line feed in the user", `{"ServerURL":"ghcr.io","Username":"u\nv","Secret":"s"}`, "", "", "", helpers.BadRequest},
		{"control character in the user", `{"ServerURL":"ghcr.io","Username":"u\u0085","Secret":"s"}`, "", "", "", helpers.BadRequest},
		{"line feed in the server URL", `{"ServerURL":"gh\ncr.io","Username":"u","Secret":"s"}`, "", "", "", helpers.BadRequest},
		{"malformed server URL", `{"ServerURL":"ftp://ghcr.io","Username":"u","Secret":"s"}`, "", "", "", helpers.BadRequest},
		{"server URL with a NUL", `{"ServerURL":"ghcr.io\u0000","Username":"u","Secret":"s"}`, "", "", "", helpers.BadRequest},
		{"nothing", ``, "", "", "", helpers.BadRequest},
		{"list", `[]`, "", "", "", helpers.BadRequest},
		{"null", `null`, "", "", "", helpers.BadRequest},
	} {
		l, err := helpers.ReadLogin(iotest.OneByteReader(strings.NewReader(row.in)))
		if row.want != nil {
			if !errors.Is(err, row.want) || l.Secret() != "" {
				t.Errorf("%s: %v, want %v", row.name, err, row.want)
			}
			continue
		}
		if err != nil || l.ServerURL() != row.serverURL || l.Username() != row.username || l.Secret() != row.secret {
			t.Errorf("%s: %q, %q, %q, %v", row.name, l.ServerURL(), l.Username(), l.Secret(), err)
			continue
		}
		if want, err := helpers.ParseServerURL(row.serverURL); err != nil || l.Registry() != want {
			t.Errorf("%s: registry %s", row.name, l.Registry())
		}
	}
}

func TestLoginHasItsLimits(t *testing.T) {
	for _, n := range []int{1, 65_535, 65_536, 65_537, helpers.MaxSecret} {
		for _, c := range []string{"s", "\x01"} { // the second takes six bytes in JSON
			secret := strings.Repeat(c, n)
			l, err := helpers.NewLogin("ghcr.io", "u", secret)
			if err != nil {
				t.Errorf("%d bytes: %v", n, err)
				continue
			}
			back, err := helpers.ReadLogin(bytes.NewReader(helpers.AppendLogin(nil, l)))
			if err != nil || back.Secret() != secret {
				t.Errorf("%d bytes come back as %d: %v", n, len(back.Secret()), err)
			}
		}
	}
	if _, err := helpers.NewLogin("ghcr.io", "u", strings.Repeat("s", helpers.MaxSecret+1)); helpers.ReasonOf(err) != helpers.BadRequest {
		t.Errorf("a secret over the limit: %v", err)
	}
	for _, username := range []string{"u\xff"} {
		if _, err := helpers.NewLogin("ghcr.io", username, "s"); helpers.ReasonOf(err) != helpers.BadRequest {
			t.Errorf("a user that is not valid UTF-8: %v", err)
		}
	}
	if _, err := helpers.NewLogin("ghcr.io", "u", "s\xff"); helpers.ReasonOf(err) != helpers.BadRequest {
		t.Errorf("a secret that is not valid UTF-8: %v", err)
	}
	// What cannot be a login is not read to an end that may never come.
	in := &counted{Reader: io.MultiReader(strings.NewReader(`{"Secret":"`), endless('s'))}
	if _, err := helpers.ReadLogin(in); helpers.ReasonOf(err) != helpers.BadRequest {
		t.Errorf("an endless login: %v", err)
	}
	if in.n > 8*helpers.MaxSecret {
		t.Errorf("%d bytes of an endless login were read", in.n)
	}
}

// endless is a reader of one byte, again and again.
type endless byte

func (c endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(c)
	}
	return len(p), nil
}

type counted struct {
	io.Reader
	n int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += n
	return n, err
}

func TestServerURLIsReadFromStdin(t *testing.T) {
	for _, row := range []struct{ in, raw, identity string }{
		{"https://index.docker.io/v1/", "https://index.docker.io/v1/", "docker.io"},
		{"https://GHCR.io/\n", "https://GHCR.io/", "ghcr.io"},
		{" ghcr.io\r\n", "ghcr.io", "ghcr.io"},
		{"\ufeffghcr.io", "ghcr.io", "ghcr.io"},
		{strings.Repeat("\n", 4000) + "ghcr.io" + strings.Repeat(" ", 4000), "ghcr.io", "ghcr.io"},
		{"ghcr.io/\u00fc", "ghcr.io/\u00fc", "ghcr.io"},
	} {
		raw, r, err := helpers.ReadServerURL(iotest.OneByteReader(strings.NewReader(row.in)))
		if err != nil || raw != row.raw || r.Identity() != row.identity {
			t.Errorf("%.50q: %q, %s, %v", row.in, raw, r.Identity(), err)
		}
	}
	for _, in := range []string{"", " ", "\n", "\ufeff"} {
		if _, _, err := helpers.ReadServerURL(strings.NewReader(in)); !errors.Is(err, helpers.ErrNoServerURL) {
			t.Errorf("%q: %v", in, err)
		}
	}
	for name, in := range map[string]io.Reader{
		"two lines":                   strings.NewReader("ghcr.io\nquay.io"),
		"too long":                    strings.NewReader("ghcr.io/" + strings.Repeat("a", 4089)),
		"endless":                     endless('a'),
		"something behind the limit":  strings.NewReader("ghcr.io" + strings.Repeat(" ", 9000) + "evil.example"),
		"endless white space":         io.MultiReader(strings.NewReader("ghcr.io"), endless(' ')),
		"a reader that breaks":        io.MultiReader(strings.NewReader("ghcr.io"), iotest.ErrReader(errors.New("broken"))),
		"a reader that has timed out": iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("ghcr.io"))),
	} {
		if _, r, err := helpers.ReadServerURL(in); helpers.ReasonOf(err) != helpers.BadRequest || !r.IsZero() {
			t.Errorf("%s: %s, %v", name, r, err)
		}
	}
}

func TestAnswerIsWhatDockerReads(t *testing.T) {
	expires := time.Date(2026, 3, 4, 5, 6, 7, 8, time.FixedZone("", 3600))
	for _, row := range []struct {
		name     string
		c        helpers.Credential
		extended bool
		want     string
	}{
		{"plain", helpers.NewCredential("u", "s", time.Time{}), false, `{"ServerURL":"ghcr.io","Username":"u","Secret":"s"}`},
		{"nothing is added unless asked for", helpers.NewCredential("u", "s", expires).WithSource("login"), false, `{"ServerURL":"ghcr.io","Username":"u","Secret":"s"}`},
		{"extended", helpers.NewCredential("u", "s", expires).WithSource("login"), true,
			`{"ServerURL":"ghcr.io","Username":"u","Secret":"s","ExpiresAt":"2026-03-04T04:06:07Z","Source":"login"}`},
		{"extended, without an end", helpers.NewCredential("u", "s", time.Time{}), true, `{"ServerURL":"ghcr.io","Username":"u","Secret":"s"}`},
		{"as it is", helpers.NewCredential("<token>", `<>&'"\`, time.Time{}), false, `{"ServerURL":"ghcr.io","Username":"<token>","Secret":"<>&'\"\\"}`},
	} {
		out, err := helpers.AppendAnswer([]byte("before "), "ghcr.io", row.c, row.extended)
		if err != nil || string(out) != "before "+row.want+"\n" {
			t.Errorf("%s: %s, %v", row.name, out, err)
			continue
		}
		out = out[len("before "):]
		var c credentials.Credentials
		if err := json.Unmarshal(out, &c); err != nil || c.ServerURL != "ghcr.io" || c.Username != row.c.Username() || c.Secret != row.c.Secret() {
			t.Errorf("%s: docker reads %+v, %v", row.name, c, err)
		}
		back, err := helpers.ParseAnswer(out, "ghcr.io")
		if err != nil || back.Username() != row.c.Username() || back.Secret() != row.c.Secret() {
			t.Errorf("%s: we read %q, %q, %v", row.name, back.Username(), back.Secret(), err)
		}
		if want := row.c.ExpiresAt().Truncate(time.Second); row.extended && !back.ExpiresAt().Equal(want) {
			t.Errorf("%s: it ends at %s, want %s", row.name, back.ExpiresAt(), want)
		}
	}
}

func TestWhatIsNoCredentialIsNotAnswered(t *testing.T) {
	for name, c := range map[string]helpers.Credential{
		"none":                        {},
		"no secret":                   helpers.NewCredential("u", "", time.Time{}),
		"too large":                   helpers.NewCredential("u", strings.Repeat("s", helpers.MaxSecret+1), time.Time{}),
		"secret not UTF-8":            helpers.NewCredential("u", "\xff", time.Time{}),
		"user not UTF-8":              helpers.NewCredential("\xff", "s", time.Time{}),
		"control character in a user": helpers.NewCredential("u\n", "s", time.Time{}),
	} {
		if out, err := helpers.AppendAnswer(nil, "ghcr.io", c, false); helpers.ReasonOf(err) != helpers.BadAnswer || len(out) != 0 {
			t.Errorf("%s: %q, %v", name, out, err)
		}
	}
}

func TestAnswerThatLiesIsRefused(t *testing.T) {
	for name, out := range map[string]string{
		"another server URL":       `{"ServerURL":"ghcr.io.evil.example","Username":"u","Secret":"s"}`,
		"the same in other words":  `{"ServerURL":"https://ghcr.io","Username":"u","Secret":"s"}`,
		"no server URL":            `{"Username":"u","Secret":"s"}`,
		"no secret":                `{"ServerURL":"ghcr.io","Username":"u"}`,
		"empty secret":             `{"ServerURL":"ghcr.io","Username":"u","Secret":""}`,
		"null":                     `{"ServerURL":"ghcr.io","Username":null,"Secret":"s"}`,
		"control character":        `{"ServerURL":"ghcr.io","Username":"u\u001b[31m","Secret":"s"}`,
		"malformed end":            `{"ServerURL":"ghcr.io","Username":"u","Secret":"s","ExpiresAt":"tomorrow"}`,
		"end that is a number":     `{"ServerURL":"ghcr.io","Username":"u","Secret":"s","ExpiresAt":1}`,
		"two answers":              `{"ServerURL":"ghcr.io","Username":"u","Secret":"s"}{"ServerURL":"ghcr.io","Username":"v","Secret":"t"}`,
		"line before":              "level=info\n" + `{"ServerURL":"ghcr.io","Username":"u","Secret":"s"}`,
		"secret over 1 MiB":        `{"ServerURL":"ghcr.io","Username":"u","Secret":"` + strings.Repeat("s", helpers.MaxSecret+1) + `"}`,
		"nothing":                  "",
		"the words for not found":  "credentials not found in native keychain\n",
		"source that is no string": `{"ServerURL":"ghcr.io","Username":"u","Secret":"s","Source":{}}`,
	} {
		_, err := helpers.ParseAnswer([]byte(out), "ghcr.io")
		if helpers.ReasonOf(err) != helpers.BadAnswer {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "evil") {
			t.Errorf("%s: the error quotes: %v", name, err)
		}
	}
	c, err := helpers.ParseAnswer([]byte(`{"ServerURL":"ghcr.io","Username":"u","Secret":"s","Source":"a\u001b[31mb\nc","More":[1]}`), "ghcr.io")
	if err != nil || c.Source() != "a [31mb c" {
		t.Errorf("source %q, %v", c.Source(), err)
	}
}

func TestListIsWhatDockerReads(t *testing.T) {
	for _, entries := range []map[string]string{nil, {}, {"https://index.docker.io/v1/": "u", "ghcr.io": "<token>", "[::1]:5003": "a\"b"}} {
		out, err := helpers.AppendList(nil, entries)
		if err != nil || out[len(out)-1] != '\n' || bytes.Count(out, []byte("\n")) != 1 {
			t.Fatalf("%v: %q, %v", entries, out, err)
		}
		if len(entries) == 0 && string(out) != "{}\n" {
			t.Errorf("an empty list is %q", out)
		}
		var docker map[string]string
		if err := json.Unmarshal(out, &docker); err != nil {
			t.Errorf("docker cannot read %q: %v", out, err)
		}
		back, err := helpers.ParseList(out)
		if err != nil || len(back) != len(entries) {
			t.Errorf("%q is read as %q: %v", out, back, err)
		}
		for k, v := range entries {
			if back[k] != v || docker[k] != v {
				t.Errorf("%q: %q, and docker reads %q", k, back[k], docker[k])
			}
		}
	}
	for _, out := range []string{"", "null", "[]", `{"ghcr.io":1}`, `{"ghcr.io":"u","ghcr.io":"v"}`, `{} {}`, "no\n"} {
		if entries, err := helpers.ParseList([]byte(out)); helpers.ReasonOf(err) != helpers.BadAnswer {
			t.Errorf("%q is read as %v: %v", out, entries, err)
		}
	}
	if out, err := helpers.AppendList(nil, map[string]string{"\xff": "u"}); err == nil {
		t.Errorf("what is not valid UTF-8 is listed: %q", out)
	}
}

func TestErrorLineIsOfTheProtocol(t *testing.T) {
	long := strings.Repeat("\u00e9", 600)
	for _, row := range []struct {
		name string
		err  error
		want string
	}{
		{"not found", helpers.ErrNotFound, "credentials not found in native keychain"},
		{"not found, wrapped", errors.Join(errors.New("x"), helpers.ErrNotFound), "credentials not found in native keychain"},
		{"no server URL", helpers.ErrNoServerURL, "no credentials server URL"},
		{"no user", helpers.ErrNoUsername, "no credentials username"},
		{"failure", helpers.Fail(helpers.Throttled, "the server is busy", "wait"), "throttled: the server is busy"},
		{"failure, wrapped", errors.Join(helpers.Fail(helpers.Throttled, "the server is busy", "wait")), "throttled: the server is busy"},
		{"control characters", helpers.Fail(helpers.Internal, "a\nb\rc\x00d\x1b[31m\u0085\u2028e", ""), "internal: a b c d [31m  e"},
		{"an error of somebody else", errors.New("password is hunter2"), "internal: the helper failed"},
		{"a reason alone", helpers.Timeout, "timeout: the helper failed"},
		{"long", helpers.Fail(helpers.Internal, long, ""), "internal: " + long[:502]},
	} {
		line := helpers.ErrorLine(row.err)
		if line != row.want || len(line) > 512 || strings.ContainsFunc(line, unicode.IsControl) {
			t.Errorf("%s: %q, want %q", row.name, line, row.want)
		}
	}
}

func TestErrorLineIsReadBack(t *testing.T) {
	for _, row := range []struct {
		stdout string
		want   error
	}{
		{"credentials not found in native keychain\n", helpers.ErrNotFound},
		{"credentials not found in native keychain", helpers.ErrNotFound},
		{"no credentials server URL\r\n", helpers.ErrNoServerURL},
		{"no credentials username\n", helpers.ErrNoUsername},
		{"throttled: the server is busy\n", helpers.Throttled},
		{"wrong_host: x: y\n", helpers.WrongHost},
		{"Credentials not found in native keychain\n", helpers.Internal},
		{"error: credentials not found in native keychain\n", helpers.Internal},
		{"credentials not found in native keychain\nsecond line\n", helpers.Internal},
		{"throttled\n", helpers.Throttled},
		{"something: else\n", helpers.Internal},
		{"", helpers.Internal},
	} {
		err := helpers.ParseErrorLine([]byte(row.stdout))
		if !errors.Is(err, row.want) {
			t.Errorf("%q: %v, want %v", row.stdout, err, row.want)
		}
		if row.want != helpers.ErrNotFound && helpers.IsNotFound(err) {
			t.Errorf("%q is taken for not found", row.stdout)
		}
	}
	err := helpers.ParseErrorLine([]byte("internal: hunter2\n"))
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the helper's words are taken over: %v", err)
	}
	for _, reason := range []helpers.Reason{
		helpers.AccessDenied, helpers.BadAnswer, helpers.BadMaterial, helpers.BadRequest, helpers.Canceled, helpers.ExpiredIdentity, helpers.Internal,
		helpers.LoginRequired, helpers.StoreFailed, helpers.Throttled, helpers.Timeout, helpers.Unavailable, helpers.Unreachable, helpers.WrongHost,
	} {
		line := helpers.ErrorLine(helpers.Fail(reason, "x", ""))
		if got := helpers.ReasonOf(helpers.ParseErrorLine([]byte(line + "\n"))); got != reason {
			t.Errorf("%s comes back as %s", reason, got)
		}
	}
}

func TestLoginSurvivesTheWire(t *testing.T) {
	hosts := tableHosts(t)
	rapid.Check(t, func(rt *rapid.T) {
		checkLogin(rt, spelled(hosts).Draw(rt, "server URL"), rapid.String().Draw(rt, "user"), rapid.String().Draw(rt, "secret"))
	})
}

// fatal is what a property needs of a test.
type fatal interface {
	Helper()
	Fatalf(string, ...any)
}

// checkLogin: what one end takes for a login the other end reads, and so does the reference implementation.
func checkLogin(t fatal, serverURL, username, secret string) {
	t.Helper()
	l, err := helpers.NewLogin(serverURL, username, secret)
	if err != nil {
		return
	}
	wire := helpers.AppendLogin(nil, l)
	back, err := helpers.ReadLogin(bytes.NewReader(wire))
	if err != nil || back.ServerURL() != l.ServerURL() || back.Username() != username || back.Secret() != secret || back.Registry() != l.Registry() {
		t.Fatalf("%q, %q, %q is written as %q and read as %q, %q, %q: %v", serverURL, username, secret, wire, back.ServerURL(), back.Username(), back.Secret(), err)
	}
	var docker credentials.Credentials
	if err := json.Unmarshal(wire, &docker); err != nil || docker.ServerURL != l.ServerURL() || docker.Username != username || docker.Secret != secret {
		t.Fatalf("%q, %q, %q is written as %q and docker reads %+v: %v", serverURL, username, secret, wire, docker, err)
	}
	c := helpers.NewCredential(username, secret, time.Time{})
	answer, err := helpers.AppendAnswer(nil, l.ServerURL(), c, true)
	if err != nil {
		t.Fatalf("%q, %q, %q cannot be answered: %v", serverURL, username, secret, err)
	}
	again, err := helpers.ParseAnswer(answer, l.ServerURL())
	if err != nil || again.Username() != username || again.Secret() != secret {
		t.Fatalf("%q, %q, %q is answered as %q and read as %q, %q: %v", serverURL, username, secret, answer, again.Username(), again.Secret(), err)
	}
}
