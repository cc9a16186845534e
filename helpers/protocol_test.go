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
)

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

// A server URL is listed: a password that stands in it does not stay.
func TestLoginKeepsNoUserOfItsServerURL(t *testing.T) {
	for in, want := range map[string]string{
		"https://u:canary@r.example.com:5000/v2/": "r.example.com:5000",
		"u:canary@index.docker.io":                "https://index.docker.io/v1/",
		" https://r.example.com/v2/ ":             "https://r.example.com/v2/",
	} {
		l, err := helpers.NewLogin(in, "u", "s")
		if err != nil || l.ServerURL() != want {
			t.Errorf("%s: %q, %v, want %q", in, l.ServerURL(), err, want)
		}
	}
}
