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
		{"user and password in the server URL", `{"ServerURL":"https://u:p@quay.io/o","Username":"u","Secret":"s"}`, "quay.io", "u", "s", nil},
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
		if want, err := helpers.ParseServerURL(row.serverURL); err != nil || l.Registry().Identity() != want.Identity() {
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
	for _, username := range []string{"u\xff", "\xff"} {
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
	if err != nil || back.ServerURL() != l.ServerURL() || back.Username() != username || back.Secret() != secret || back.Registry().Identity() != l.Registry().Identity() {
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
