// Command docker-credential-faulty is a helper for ghcr.io that conforms, but for the one fault that the folder it is run
// from is named for. It shows that the suite finds each of them.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/folders"
)

const typ = "ghcr"

// fault tells whether this is the helper with the fault.
func fault(name string) bool { return filepath.Base(filepath.Dir(os.Args[0])) == name }

func main() {
	if fault("outlives SIGTERM") {
		signal.Ignore(syscall.SIGTERM)
	}
	timeout, err := time.ParseDuration(os.Getenv("BETA9_CREDENTIAL_TIMEOUT"))
	if err != nil {
		timeout = 10 * time.Second
	}
	if fault("waits for ever") {
		timeout = time.Hour
	}
	time.AfterFunc(timeout, func() {
		time.AfterFunc(time.Second, func() { os.Exit(1) }) // nobody may be reading
		os.Exit(failed(helpers.Fail(helpers.Timeout, "too late", "")))
	})
	os.Exit(run(os.Args[1:]))
}

func run(args []string) int {
	verb := strings.Join(args, " ")
	switch verb {
	case "get", "store", "erase", "list":
	case "version", "--version", "-v", "--help", "-h":
		if fault("has no version") {
			return 1
		}
		return printed([]byte("docker-credential-faulty\n"))
	default:
		fmt.Println("usage: docker-credential-faulty get|store|erase|list|version")
		if fault("takes any verb") {
			return 0
		}
		return 1
	}
	if fault("needs a home") && os.Getenv("HOME") == "" {
		return failed(helpers.Fail(helpers.Internal, "no home", ""))
	}
	if fault("is chatty") {
		fmt.Fprintln(os.Stderr, "level=info msg="+verb)
	}
	out, err := carryOut(verb)
	if err != nil {
		return failed(err)
	}
	return printed(out)
}

func failed(err error) int {
	line := helpers.ErrorLine(err)
	if fault("talks on two lines") && !helpers.IsNotFound(err) {
		line += "\nsee the manual"
	}
	fmt.Println(line)
	return 1
}

func printed(out []byte) int {
	if info, err := os.Stdout.Stat(); err == nil && len(out) > 0 && !fault("is deaf") {
		// What stands in for a closed stdout is the null device.
		if null, err := os.Stat(os.DevNull); err == nil && os.SameFile(info, null) {
			return 1
		}
	}
	if _, err := os.Stdout.Write(out); err != nil && !fault("is deaf") {
		return 1
	}
	return 0
}

func carryOut(verb string) ([]byte, error) {
	logins := open()
	switch verb {
	case "list":
		entries, err := logins.list()
		if fault("lists null") && len(entries) == 0 {
			return []byte("null\n"), err
		}
		out, _ := helpers.AppendList(nil, entries)
		return out, err
	case "store":
		return nil, store(logins)
	}
	raw, r, err := request()
	if err != nil {
		return nil, err
	}
	if verb == "erase" {
		if !mine(r) {
			return nil, nil
		}
		if computing() {
			return nil, forget()
		}
		if _, err := logins.get(r); fault("misses what is gone") && err != nil {
			return nil, err
		}
		return nil, logins.remove(r)
	}
	if !mine(r) {
		return nil, helpers.ErrNotFound
	}
	c, err := credential(logins, r)
	if err != nil {
		return nil, err
	}
	if fault("echoes its own spelling") {
		raw = r.Identity()
	}
	out, err := helpers.AppendAnswer(nil, raw, c, os.Getenv("BETA9_CREDENTIAL_EXTENDED") == "1")
	if fault("pretty-prints") && err == nil {
		var b bytes.Buffer
		err = json.Indent(&b, out, "", "  ")
		return b.Bytes(), err
	}
	if fault("says more") && err == nil {
		out = append(bytes.TrimSuffix(out, []byte("}\n")), `,"Source":"login"}`+"\n"...)
	}
	return out, err
}

func credential(logins logins, r helpers.Registry) (helpers.Credential, error) {
	if computing() {
		return compute(r)
	}
	l, err := logins.get(r)
	if _, nowhere := errors.AsType[*folders.Error](err); nowhere || err != nil && fault("takes failure for nothing") {
		return helpers.Credential{}, helpers.ErrNotFound
	}
	return helpers.NewCredential(l.Username(), l.Secret(), time.Time{}), err
}

func mine(r helpers.Registry) bool {
	if fault("takes every host") {
		return true
	}
	t, ok := helpers.Lookup(r)
	return ok && t.Name == typ
}

// request reads the server URL of get and erase.
func request() (string, helpers.Registry, error) {
	var in []byte
	var err error
	switch {
	case fault("reads once"):
		in = make([]byte, 4096)
		var n int
		n, err = os.Stdin.Read(in)
		in = in[:n]
	case fault("reads 4 KiB"):
		in, err = io.ReadAll(io.LimitReader(os.Stdin, 4096))
	default:
		in, err = io.ReadAll(io.LimitReader(os.Stdin, 16<<10))
	}
	if err != nil && err != io.EOF || len(in) == 16<<10 {
		return "", helpers.Registry{}, helpers.Fail(helpers.BadRequest, "stdin cannot be read", "")
	}
	s := string(in)
	if fault("joins lines") {
		s = strings.NewReplacer("\n", "", "\r", "").Replace(s)
	}
	if fault("trips over white space") && strings.TrimSpace(s) != s {
		return "", helpers.Registry{}, helpers.Fail(helpers.BadRequest, "white space", "")
	}
	if fault("trips over a byte order mark") && strings.HasPrefix(s, "\ufeff") {
		return "", helpers.Registry{}, helpers.Fail(helpers.BadRequest, "a byte order mark", "")
	}
	r, err := parse(s)
	if fault("quotes its input") && err != nil {
		err = helpers.Fail(helpers.BadRequest, "this is malformed: "+s, "")
	}
	if fault("takes nothing for not found") && errors.Is(err, helpers.ErrNoServerURL) {
		err = helpers.ErrNotFound
	}
	return helpers.TrimServerURL(s), r, err
}

func parse(s string) (helpers.Registry, error) {
	switch {
	case fault("takes any scheme"):
		if u, err := url.Parse(helpers.TrimServerURL(s)); err == nil && u.Host != "" {
			s = u.Host + u.Path
		}
	case fault("takes any port"):
		if i := strings.LastIndexByte(s, ':'); i > 0 && !strings.Contains(s, "/") {
			s = s[:i]
		}
	case fault("is strict about spelling"):
		if strings.Contains(s, "//") {
			return helpers.Registry{}, helpers.Fail(helpers.BadRequest, "a URL", "")
		}
	case fault("tells upper case apart"):
		if strings.ToLower(s) != s {
			return helpers.Registry{}, helpers.ErrNotFound
		}
	}
	r, err := helpers.ParseServerURL(s)
	if fault("matches a part of the host") && err == nil && strings.Contains(r.String(), "ghcr.io") {
		return helpers.ParseServerURL("ghcr.io")
	}
	if fault("takes the path along") && r.Scope() != "" {
		return helpers.ParseServerURL(strings.ReplaceAll(string(r.Scope()), "/", ".") + "." + r.Host())
	}
	return r, err
}

// store reads a login and keeps it.
func store(logins logins) error {
	in, err := io.ReadAll(io.LimitReader(os.Stdin, 32<<20))
	if err != nil {
		return helpers.Fail(helpers.BadRequest, "stdin cannot be read", "")
	}
	if fault("stops at 64 KiB") && len(in) > 64<<10 {
		return helpers.Fail(helpers.BadRequest, "too large", "")
	}
	if fault("reads raw line feeds") {
		in = bytes.ReplaceAll(in, []byte("\n"), nil)
	}
	l, err := helpers.ParseLogin(in)
	if lenient := fault("is lenient") || fault("repairs UTF-8") || fault("has no cap"); lenient {
		l, err = parseLeniently(in)
	}
	if err != nil {
		return err
	}
	if computing() && fault("stores nothing computed") {
		return helpers.Fail(helpers.BadRequest, "there is nothing to store", "")
	}
	if r, err := parse(l.ServerURL()); err != nil || !mine(r) {
		return helpers.Fail(helpers.WrongHost, "not a registry of this helper", "")
	}
	if computing() {
		return nil
	}
	switch {
	case fault("trims secrets"):
		l, err = helpers.NewLogin(l.ServerURL(), l.Username(), strings.TrimSpace(l.Secret())+"")
	case fault("takes users for paths"):
		l, err = helpers.NewLogin(l.ServerURL(), path.Base(l.Username()), l.Secret())
	case fault("keeps the first"):
		if _, err := logins.get(l.Registry()); err == nil {
			return nil
		}
	case fault("keeps a journal"):
		line := base64.StdEncoding.EncodeToString([]byte("x" + l.Secret()))
		err = os.WriteFile(filepath.Join(os.Getenv("HOME"), "journal"), []byte(line), 0o600)
	}
	if err != nil {
		return err
	}
	return logins.put(l)
}

// parseLeniently reads a login as encoding/json does.
func parseLeniently(in []byte) (helpers.Login, error) {
	var c struct{ ServerURL, Username, Secret string }
	if fault("is lenient") {
		if err := json.NewDecoder(bytes.NewReader(in)).Decode(&c); err != nil {
			return helpers.Login{}, helpers.Fail(helpers.BadRequest, "not JSON", "")
		}
	} else if json.Unmarshal(in, &c) != nil {
		return helpers.Login{}, helpers.Fail(helpers.BadRequest, "not JSON", "")
	}
	if fault("has no cap") && len(c.Secret) > helpers.MaxSecret {
		c.Secret = c.Secret[:helpers.MaxSecret]
	}
	return helpers.NewLogin(c.ServerURL, c.Username, c.Secret)
}
