package conformance

import (
	"encoding/binary"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
	"unicode/utf16"
)

// framing are the cases about what stands around a request, and about requests that are none.
var framing = []testCase{
	{id: "F1", about: "white space around the server URL", run: func(p *probe) {
		const secret = "f1-secret"
		stored := p.Static && p.stores(p.Host, p.Username, secret)
		plain := p.get(p.Host)
		for _, framed := range []string{"%\n", "%\r\n", " %", "% ", "\t % \n\n", "\n%\n", "%\n\n\n"} {
			in := strings.ReplaceAll(framed, "%", p.Host)
			if stored {
				p.gives(in, p.Username, secret)
			} else if o := p.get(in); o.stdout != plain.stdout || o.code != plain.code {
				p.sawf("get %q: %s, and get %q: %s", in, o, p.Host, plain)
			}
			p.succeeds("erase "+brief(in), p.erase(in))
			if stored {
				p.givesNothing(p.Host)
				p.stores(in, p.Username, secret)
			}
		}
	}},
	{id: "F2", about: "control characters inside the server URL", run: func(p *probe) {
		const secret = "f2-secret"
		stored := p.Static && p.stores(p.Host, p.Username, secret)
		before := p.listed()
		half := len(p.Host) / 2
		for _, c := range []string{"\n", "\r", "\r\n", "\x00", "\t", "\x01", "\x1b", "\x7f"} {
			for _, in := range []string{
				p.Host[:half] + c + p.Host[half:], p.Host + c + "evil.example", "evil.example" + c + p.Host, "https://" + c + p.Host, p.Host + "/a" + c + "b",
			} {
				p.refuses("get "+brief(in), p.get(in))
				p.refuses("erase "+brief(in), p.erase(in))
				p.refuses("store for "+brief(in), p.store(in, p.Username, secret))
			}
		}
		if stored {
			p.gives(p.Host, p.Username, secret)
		}
		p.sameList(before)
	}},
	{id: "F3", about: "nothing on stdin", run: func(p *probe) {
		for _, verb := range []string{"get", "erase"} {
			for _, in := range []string{"", " ", "\n", "\r\n", " \t\n "} {
				o := p.do(call{args: []string{verb}, stdin: strings.NewReader(in)})
				if o.hung || o.code != 1 || strings.TrimRight(o.stdout, "\r\n") != noServerURL {
					p.sawf("%s %q: %s, want exit 1 and %q", verb, in, o, noServerURL)
				}
			}
		}
		for _, in := range []string{"", " ", "\n"} {
			p.refuses("store of "+brief(in), p.storeJSON(in))
		}
		for _, verb := range []string{"get", "erase", "store"} {
			p.refuses(verb+" with /dev/null on stdin", p.do(call{args: []string{verb}, adjust: func(cmd *exec.Cmd) { cmd.Stdin = nil }}))
		}
	}},
	{id: "F4", about: "byte order marks", run: func(p *probe) {
		const secret = "f4-secret"
		stored := p.Static && p.stores(p.Host, p.Username, secret)
		plain := p.get(p.Host)
		in := "\ufeff" + p.Host
		if stored {
			p.gives(in, p.Username, secret)
		} else if o := p.get(in); o.stdout != plain.stdout || o.code != plain.code {
			p.sawf("get %q: %s, and get %q: %s", in, o, p.Host, plain)
		}
		for _, in := range []string{inUTF16(p.Host, binary.LittleEndian), inUTF16(p.Host, binary.BigEndian)} {
			p.refuses("get of UTF-16 "+brief(in), p.get(in))
			p.refuses("erase of UTF-16 "+brief(in), p.erase(in))
		}
		login := loginJSON(p.Host, p.Username, "other")
		for _, in := range []string{inUTF16(login, binary.LittleEndian), inUTF16(login, binary.BigEndian)} {
			p.refuses("store of UTF-16 "+brief(in), p.storeJSON(in))
		}
		if stored {
			p.gives(p.Host, p.Username, secret)
		}
	}},
	{id: "F5", about: "a stdin that never ends", run: func(p *probe) {
		for verb, in := range map[string]string{"get": p.Host, "erase": p.Host, "store": loginJSON(p.Host, p.Username, "f5-secret")} {
			o := p.withOpenStdin(verb, in, "BETA9_CREDENTIAL_TIMEOUT=500ms")
			if o.hung || o.code <= 0 || o.isNotFound() {
				p.sawf("%s of what never ends: %s, want a failure by a deadline of its own", verb, o)
			}
			if o.hung {
				return // the others would take as long
			}
		}
		if o := p.withOpenStdin("list", ""); o.hung || o.code != 0 {
			p.sawf("list with an open stdin: %s, want exit 0", o)
		}
	}},
	{id: "F6", about: "a server URL over 4 KiB", run: func(p *probe) {
		for _, in := range []string{
			strings.Repeat("a", 4097), p.Host + "/" + strings.Repeat("a", 4097), p.Host + strings.Repeat(" ", 1<<20) + "x", strings.Repeat("a", 1<<20),
		} {
			p.refuses("get "+brief(in), p.get(in))
			p.refuses("erase "+brief(in), p.erase(in))
		}
	}},
	{id: "F7", about: "one byte every 10 ms", run: func(p *probe) {
		const secret = "f7-secret"
		stored := p.Static && p.stores(p.Host, p.Username, secret)
		o := p.do(call{args: []string{"get"}, stdin: &slow{s: p.Host}})
		if a, ok := o.answer(); stored && (!ok || a.Secret != secret) || !stored && !o.isNotFound() {
			p.sawf("get of one byte every 10 ms: %s, want what it is at full speed", o)
		}
	}},
}

// sameList notes it as a finding when list prints something else than before.
func (p *probe) sameList(before map[string]string) {
	after := p.listed()
	same := len(before) == len(after)
	for k, v := range before {
		same = same && after[k] == v
	}
	if !same {
		p.sawf("list: %d entries, want %d, the same as before", len(after), len(before))
	}
}

// withOpenStdin calls the helper with a stdin that does not end, nor stand still for lack of a reader.
func (p *probe) withOpenStdin(verb, in string, env ...string) outcome {
	r, w, err := os.Pipe()
	if err != nil {
		return outcome{stderr: err.Error(), code: -1}
	}
	defer r.Close()
	defer w.Close()
	if _, err := io.WriteString(w, in); err != nil {
		return outcome{stderr: err.Error(), code: -1}
	}
	return p.do(call{args: []string{verb}, stdin: r, env: env})
}

func inUTF16(s string, order binary.AppendByteOrder) string {
	b := order.AppendUint16(nil, 0xfeff)
	for _, unit := range utf16.Encode([]rune(s)) {
		b = order.AppendUint16(b, unit)
	}
	return string(b)
}

// slow yields one byte at a time, every 10 ms.
type slow struct {
	s    string
	tick *time.Ticker
}

func (r *slow) Read(b []byte) (int, error) {
	if r.s == "" {
		if r.tick != nil {
			r.tick.Stop()
		}
		return 0, io.EOF
	}
	if r.tick == nil {
		r.tick = time.NewTicker(10 * time.Millisecond)
	}
	<-r.tick.C
	b[0], r.s = r.s[0], r.s[1:]
	return 1, nil
}
