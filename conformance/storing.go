package conformance

import (
	"encoding/json"
	"math/rand/v2"
	"strings"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// storing are the cases about what is given to be stored.
var storing = []testCase{
	{id: "S1", about: "secrets of every size", applies: static, run: func(p *probe) {
		p.refuses("store of an empty secret", p.store(p.Host, p.Username, ""))
		p.givesNothing(p.Host)
		for _, n := range []int{1, 4096, 65_535, 65_536, 65_537, 1 << 20} {
			secret := random(n)
			if p.stores(p.Host, p.Username, secret) {
				p.gives(p.Host, p.Username, secret)
			}
		}
	}},
	{id: "S2", about: "secrets over the cap", applies: static, run: func(p *probe) {
		const secret = "s2-secret"
		if !p.stores(p.Host, p.Username, secret) {
			return
		}
		for _, n := range []int{helpers.MaxSecret + 1, 16 << 20} {
			p.refuses("store of a secret over the cap", p.store(p.Host, p.Username, random(n)))
			p.gives(p.Host, p.Username, secret)
		}
	}},
	{id: "S3", about: "anything in a secret", applies: static, run: func(p *probe) {
		for _, secret := range []string{
			" ", " leading and trailing ", "line\nfeed", "\n", "carriage\r\nreturn", "tab\t", "\x00", "\x01\x1f\x7f", `quote " backslash \ slash /`, "<>&'", "\u00e9\u4e16\u754c",
			"\u2028\u2029", "\U0001f600", "\ufeff", "\u0085", `{"Secret":"x"}`, "\\u0041", "%2e", "$(id)", "-----BEGIN KEY-----\nMII\n-----END KEY-----\n", "a:b",
		} {
			if p.stores(p.Host, p.Username, secret) {
				p.gives(p.Host, p.Username, secret)
			}
			// The same with nothing escaped but what has to be.
			raw := `{"ServerURL":` + minimal(p.Host) + `,"Username":` + minimal(p.Username) + `,"Secret":` + minimal(secret+"2") + `}`
			if o := p.storeJSON(raw); o.code != 0 {
				p.sawf("store of %s: %s, want exit 0", brief(raw), o)
			} else {
				p.gives(p.Host, p.Username, secret+"2")
			}
		}
	}},
	{id: "S4", about: "JSON on several lines", applies: static, run: func(p *probe) {
		for n, eol := range []string{"\n", "\r\n"} {
			secret := "s4-secret" + string(rune('0'+n))
			pretty, _ := json.MarshalIndent(map[string]string{"ServerURL": p.Host, "Username": p.Username, "Secret": secret}, "", "  ")
			in := strings.ReplaceAll(string(pretty), "\n", eol) + eol
			if o := p.storeJSON(in); o.code != 0 {
				p.sawf("store of %q: %s, want exit 0", in, o)
			} else {
				p.gives(p.Host, p.Username, secret)
			}
		}
		login := loginJSON(p.Host, p.Username, "s4")
		for _, c := range []string{"\n", "\r", "\t", "\x00"} {
			p.refuses("store of a secret with a raw "+brief(c), p.storeJSON(strings.Replace(login, "s4", "s"+c+"4", 1)))
		}
		p.gives(p.Host, p.Username, "s4-secret1")
	}},
	{id: "S5", about: "JSON that is not one login", applies: static, run: func(p *probe) {
		const secret = "s5-secret"
		if !p.stores(p.Host, p.Username, secret) {
			return
		}
		login := strings.TrimSpace(loginJSON(p.Host, p.Username, "other"))
		fields := strings.Trim(login, "{}")
		for _, in := range []string{
			login + "x", login + "}", login + "]", login + ",", login + login, login + "\n" + login, login + "{}", "[" + login + "]", "null", "[]", "{}", `"x"`, "1", "{", login[:len(login)-1],
			"{" + fields + "," + fields + "}", "{" + fields + `,"Secret":"third"}`, `{"Secret":"first",` + fields + "}",
			replaced(login, "Secret", "1"), replaced(login, "Secret", "null"), replaced(login, "Secret", `["x"]`), replaced(login, "Username", "{}"),
			replaced(login, "Username", "true"), replaced(login, "ServerURL", "1"), replaced(login, "ServerURL", "null"), replaced(login, "ServerURL", `""`),
			replaced(login, "Username", `""`), "{" + fields + ",}", "{" + fields + ` "A":1}`, "{" + fields + `,"A":01}`, "// x\n" + login, "{" + fields + `,"A":"\x41"}`,
		} {
			p.refuses("store of "+brief(in), p.storeJSON(in))
		}
		p.gives(p.Host, p.Username, secret)
		in := `{"Comment":{"ServerURL":1},"More":[null,true,-1.5e3],` + fields + `,"Last":null}`
		if o := p.storeJSON(in); o.code != 0 {
			p.sawf("store of %s: %s, want exit 0, for fields that are not known do not matter", brief(in), o)
		} else {
			p.gives(p.Host, p.Username, "other")
		}
	}},
	{id: "S6", about: "invalid UTF-8", applies: static, run: func(p *probe) {
		const secret = "s6-secret"
		if !p.stores(p.Host, p.Username, secret) {
			return
		}
		login := loginJSON(p.Host, p.Username, "other")
		for _, bad := range []string{"\xff", "\xc0\xae", "\xed\xa0\x80", "\xe2\x82", `\ud800`, `\udc00`, `\ude00\ud83d`} {
			p.refuses("store of a secret with "+brief(bad), p.storeJSON(strings.Replace(login, "other", "a"+bad+"b", 1)))
			p.refuses("store of a user with "+brief(bad), p.storeJSON(replaced(login, "Username", `"a`+bad+`b"`)))
		}
		p.gives(p.Host, p.Username, secret)
	}},
	{id: "S7", about: "unusual user names", applies: static, run: func(p *probe) {
		const secret = "s7-secret"
		for _, username := range []string{
			"<token>", "a/b", "../../../etc/passwd", "..", ".", "/", "a b", "\u00fc\u4e16", "org+robot", "robot$x", "a|b", `a"b\c`, "-x", "*", strings.Repeat("u", 1024),
		} {
			if p.stores(p.Host, username, secret) {
				p.gives(p.Host, username, secret)
			}
		}
		// A user with a NUL is refused, or else it is kept as it is.
		if o := p.store(p.Host, "a\x00b", secret); o.code == 0 {
			p.gives(p.Host, "a\x00b", secret)
		} else {
			p.refuses("store of a user with a NUL", o)
		}
	}},
	{id: "S8", about: "the same again, and another", applies: static, run: func(p *probe) {
		for range 3 {
			p.stores(p.Host, p.Username, "s8-secret")
		}
		p.gives(p.Host, p.Username, "s8-secret")
		p.stores(p.Host, "other", "s8-other")
		p.gives(p.Host, "other", "s8-other")
		if entries := p.listed(); len(entries) != 1 {
			p.sawf("list: %q, want one entry", entries)
		}
	}},
}

// random returns n printable characters, the same ones each time, quotes and backslashes among them.
func random(n int) string {
	rnd := rand.New(rand.NewPCG(uint64(n), 0))
	b := make([]byte, n)
	for i := range b {
		b[i] = ' ' + byte(rnd.IntN('~'-' '+1))
	}
	return string(b)
}

// minimal returns s as a JSON string in which nothing is escaped but what has to be.
func minimal(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteString("\\" + string(rune(c)))
		case c < 0x20:
			const hex = "0123456789abcdef"
			b.WriteString(`\u00` + string(hex[c>>4]) + string(hex[c&15]))
		default:
			b.WriteByte(c)
		}
	}
	return b.String() + `"`
}

// replaced returns a login with another value, which is JSON or ought to be, in a field.
func replaced(login, field, value string) string {
	before, rest, _ := strings.Cut(login, `"`+field+`":"`)
	_, after, _ := strings.Cut(rest, `"`)
	return before + `"` + field + `":` + value + after
}
