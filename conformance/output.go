package conformance

import (
	"os"
	"os/exec"
	"strings"
)

// output are the cases about what is printed.
var output = []testCase{
	{id: "O1", about: "one JSON object and a newline", applies: static, run: func(p *probe) {
		if !p.stores(p.Host, p.Username, "o1-\n-secret") {
			return
		}
		if o := p.get(p.Host); !strings.HasPrefix(o.stdout, "{") || !strings.HasSuffix(o.stdout, "}\n") || strings.Count(o.stdout, "\n") != 1 {
			p.sawf("get: %s, want one JSON object on one line", o)
		}
		if o := p.list(); !strings.HasPrefix(o.stdout, "{") || !strings.HasSuffix(o.stdout, "}\n") || strings.Count(o.stdout, "\n") != 1 {
			p.sawf("list: %s, want one JSON object on one line", o)
		}
	}},
	{id: "O2", about: "the server URL is echoed", applies: static, run: func(p *probe) {
		if !p.stores(p.Host, p.Username, "o2-secret") {
			return
		}
		for _, s := range append(p.spellings(), p.Host+"/\u00fc\u2028<>&", " "+p.Host+"\n") {
			o := p.get(s)
			if a, ok := o.answer(); !ok || a.ServerURL != strings.TrimSpace(s) {
				p.sawf("get %s: %s, want the server URL as it was asked for", brief(s), o)
			}
		}
	}},
	{id: "O3", about: "stderr is empty", run: func(p *probe) {
		outcomes := map[string]outcome{"get of what is not there": p.get(p.Host), "erase": p.erase(p.Host), "list": p.list()}
		if p.OtherHost != "" {
			outcomes["get of another's"] = p.get(p.OtherHost)
		}
		if p.Static {
			outcomes["store"] = p.store(p.Host, p.Username, p.Secret)
			outcomes["get of what is stored"] = p.get(p.Host)
			outcomes["list of what is stored"] = p.list()
			outcomes["erase of what is stored"] = p.erase(p.Host)
		}
		for what, o := range outcomes {
			if o.stderr != "" {
				p.sawf("%s: %s, want nothing on stderr", what, o)
			}
		}
	}},
	{id: "O4", about: "a stdout that takes nothing", lacks: lacksFullDevice, run: func(p *probe) {
		verbs := map[string]string{"list": "", "version": ""}
		if p.Static && p.stores(p.Host, p.Username, "o4-secret") {
			verbs["get"] = p.Host
		}
		full, err := os.OpenFile(fullDevice, os.O_WRONLY, 0)
		if err != nil {
			p.sawf("the suite cannot open %s: %v", fullDevice, err)
			return
		}
		defer full.Close()
		for verb, in := range verbs {
			o := p.do(call{args: []string{verb}, stdin: strings.NewReader(in), adjust: func(cmd *exec.Cmd) { cmd.Stdout = full }})
			if o.hung || o.code == 0 {
				p.sawf("%s with %s as stdout: %s, want another exit code", verb, fullDevice, o)
			}
			if o := p.shell(`exec "$0" "$@" >&-`, in, verb); o.hung || o.code == 0 {
				p.sawf("%s with a closed stdout: %s, want another exit code", verb, o)
			}
		}
	}},
	{id: "O5", about: "a reader that is gone", applies: static, run: func(p *probe) {
		if p.store(p.Host, p.Username, random(1<<20)).code != 0 { // more than a pipe holds; whether it is taken is S1
			return
		}
		for _, gone := range []bool{true, false} { // and one that does not read
			r, w, err := os.Pipe()
			if err != nil {
				p.sawf("the suite cannot make a pipe: %v", err)
				return
			}
			if gone {
				r.Close()
			}
			o := p.do(call{args: []string{"get"}, stdin: strings.NewReader(p.Host), env: []string{"BETA9_CREDENTIAL_TIMEOUT=500ms"},
				adjust: func(cmd *exec.Cmd) { cmd.Stdout = w }})
			if o.hung || o.code == 0 {
				p.sawf("get whose reader is gone (%t) or does not read: %s, want it to end, and not with exit 0", gone, o)
			}
			r.Close()
			w.Close()
		}
	}},
	{id: "O6", about: "error lines and secrets that leak", run: leaks},
	{id: "O8", about: "no field unless asked for", applies: static, run: func(p *probe) {
		if !p.stores(p.Host, p.Username, "o8-secret") {
			return
		}
		for _, extended := range []string{"", "0", "1"} {
			o := p.do(call{args: []string{"get"}, stdin: strings.NewReader(p.Host), env: []string{"BETA9_CREDENTIAL_EXTENDED=" + extended}})
			fields := o.fields()
			for _, name := range []string{"ServerURL", "Username", "Secret"} {
				if _, ok := fields[name]; !ok {
					p.sawf("get: %s, want the field %s", o, name)
				}
				delete(fields, name)
			}
			if extended != "1" && len(fields) > 0 {
				p.sawf("get with BETA9_CREDENTIAL_EXTENDED=%s: the fields %q are there as well", extended, fields)
			}
		}
	}},
}
