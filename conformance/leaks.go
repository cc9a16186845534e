package conformance

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// fields are the names and values of the JSON object that was printed.
func (o outcome) fields() map[string]any {
	fields := map[string]any{}
	_ = json.Unmarshal([]byte(o.stdout), &fields) // what is no object has no fields
	return fields
}

// leaks plants canaries in the environment, in the store and on stdin, and looks for them where they have no business:
// in error lines, on stderr and in files.
func leaks(p *probe) {
	planted := canaries{"environment": "canary-Env/7fK+w~9", "stdin": "canary-In/2mQ+x~4", "store": "canary-Store/5pT+z~1"}
	env := append(environmentOf(planted["environment"]), "BETA9_CREDENTIAL_DEBUG=1", "BETA9_CREDENTIAL_TIMEOUT=2s")
	call := func(verb, in string) outcome {
		return p.do(call{args: []string{verb}, stdin: strings.NewReader(in), env: env})
	}
	in := planted["stdin"]
	failing := map[string]outcome{
		"get with a user and a bad port":  call("get", "https://user:"+in+"@"+p.bareHost()+":x"),
		"get with a secret for a port":    call("get", p.bareHost()+":"+in),
		"get with a secret for a scheme":  call("get", "x"+in+"://"+p.Host),
		"get with a line feed":            call("get", "user:"+in+"@"+p.Host+"\nx"),
		"get of an unknown host":          call("get", "https://user:"+in+"@host.without.credentials.example/"+in),
		"erase with a line feed":          call("erase", "user:"+in+"@"+p.Host+"\nx"),
		"store of cut JSON":               call("store", `{"ServerURL":"`+p.Host+`","Username":"u","Secret":"`+in),
		"store of no JSON":                call("store", in),
		"store of a secret in the host":   call("store", loginJSON(p.Host+":"+in, "u", in)),
		"store of a user with a NUL":      call("store", loginJSON(p.Host, in+"\x00", in)),
		"store of a secret and an escape": call("store", `{"ServerURL":"`+p.Host+`","Username":"u","Secret":"`+in+`\x"}`),
		"store without a user":            call("store", loginJSON(p.Host, "", in)),
	}
	if p.OtherHost != "" {
		failing["get of another's"] = call("get", p.OtherHost)
		failing["store for another's"] = call("store", loginJSON(p.OtherHost, "u", in))
	}
	for what, o := range failing {
		if o.hung || o.code <= 0 || !isLine(o.stdout) {
			p.sawf("%s: %s, want a failure and one printable line", what, o)
		}
		p.hides(planted, what, "stdout", o.stdout)
		p.hides(planted, what, "stderr", o.stderr)
	}
	if p.Static {
		working := map[string]outcome{"store": call("store", loginJSON(p.Host, p.Username, planted["store"]))}
		working["get"] = call("get", p.Host)
		working["get with a user"] = call("get", "https://user:"+in+"@"+p.Host)
		for what, login := range map[string]string{
			"a login":                            loginJSON(p.Host, p.Username, planted["store"]),
			"a login whose user is its secret":   loginJSON(p.Host, planted["store"], planted["store"]),
			"a login with a user in its address": loginJSON("https://user:"+in+"@"+p.Host, p.Username, planted["store"]),
		} {
			working["store of "+what] = call("store", login)
			working["list of "+what] = call("list", "")
			p.hides(planted, "list of "+what, "stdout", working["list of "+what].stdout)
		}
		p.searchFiles(planted)
		working["erase"] = call("erase", p.Host)
		for what, o := range working {
			p.hides(planted, what, "stderr", o.stderr)
		}
	}
	p.searchFiles(planted)
}

// environmentOf sets every key that a type of registry takes a secret from.
func environmentOf(secret string) []string {
	env := []string{"REGISTRY=named.nowhere.else.example", "CI_REGISTRY=named.nowhere.else.example"}
	for _, t := range helpers.Types() {
		for _, k := range t.Keys {
			env = append(env, k.Secret+"="+secret)
		}
	}
	return env
}

// canaries are secrets by where they were planted.
type canaries map[string]string

// hides notes it as a finding when a text shows a canary.
func (p *probe) hides(planted canaries, what, where, text string) {
	for from, secret := range planted {
		for form, disguised := range disguises(secret) {
			if strings.Contains(text, disguised) {
				p.sawf("%s: the secret from the %s is shown, %s, on %s", what, from, form, where)
			}
		}
	}
}

// searchFiles looks for the canaries in the names and the contents of all files.
func (p *probe) searchFiles(planted canaries) {
	err := filepath.WalkDir(p.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		p.hides(planted, "files", "disk, as a name", d.Name())
		if !d.Type().IsRegular() {
			return nil
		}
		data, err := os.ReadFile(path)
		p.hides(planted, "files", "disk", string(data))
		return err
	})
	if err != nil {
		p.sawf("the suite cannot search the files: %v", err)
	}
}

// disguises are the forms in which a secret might be written by somebody who thinks it hidden.
func disguises(secret string) map[string]string {
	forms := map[string]string{
		"in clear":          secret,
		"in hexadecimal":    hex.EncodeToString([]byte(secret)),
		"in HEXADECIMAL":    strings.ToUpper(hex.EncodeToString([]byte(secret))),
		"URL-encoded":       url.QueryEscape(secret),
		"URL-encoded, path": url.PathEscape(secret),
	}
	for shift, at := range []string{"", " one byte in", " two bytes in"} {
		padded := strings.Repeat("x", shift) + secret
		// The first and the last group hold bits of what stands around.
		std, web := base64.StdEncoding.EncodeToString([]byte(padded)), base64.URLEncoding.EncodeToString([]byte(padded))
		forms["in base64"+at] = std[4 : len(std)-4]
		forms["in base64 for URLs"+at] = web[4 : len(web)-4]
	}
	return forms
}
