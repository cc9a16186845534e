package conformance

import (
	"io"
	"os"
	"os/exec"
	"strings"
)

// verbs are the cases about what a helper is called with, and about the verbs that neither get nor store.
var verbs = []testCase{
	{id: "V1", about: "arguments that are no verb", run: func(p *probe) {
		for _, args := range [][]string{{}, {""}, {"bogus"}, {"GET"}, {" get"}, {"get", "get"}, {"get", p.Host}, {"list", ""}, {"-x"}, {"--"}, {"get", "--help"}} {
			o := p.do(call{args: args, stdin: strings.NewReader(p.Host)})
			if o.hung || o.code != 1 || strings.TrimSpace(o.stdout) == "" || o.isNotFound() {
				p.sawf("called with %q: %s, want exit 1 and the usage on stdout", args, o)
			}
		}
	}},
	{id: "V2", about: "version and help", run: func(p *probe) {
		for _, arg := range []string{"version", "--version", "-v", "--help", "-h"} {
			o := p.do(call{args: []string{arg}})
			if o.hung || o.code != 0 || strings.TrimSpace(o.stdout) == "" || o.stderr != "" {
				p.sawf("%s: %s, want exit 0 and something on stdout", arg, o)
			}
			if strings.Contains(arg, "v") && strings.Count(o.stdout, "\n") != 1 {
				p.sawf("%s: %s, want one line", arg, o)
			}
		}
	}},
	{id: "V3", about: "list", run: func(p *probe) {
		if entries := p.listed(); len(entries) != 0 {
			p.sawf("list with nothing stored: %q, want {}", entries)
		}
		const secret = "v3-secret"
		if p.Static {
			for n, host := range append([]string{p.Host}, p.Hosts...) {
				p.stores(host, p.Username, secret)
				entries := p.listed()
				if len(entries) != n+1 {
					p.sawf("list with %d stored: %q", n+1, entries)
				}
				for serverURL, username := range entries {
					p.gives(serverURL, username, secret)
				}
			}
		}
		for name, stdin := range map[string]io.Reader{"nothing": nil, "a word": strings.NewReader("unused"), "a line": strings.NewReader("unused\n"), "noise": strings.NewReader(random(1 << 20))} {
			if o := p.do(call{args: []string{"list"}, stdin: stdin}); o.hung || o.code != 0 || strings.Contains(o.stdout, secret) {
				p.sawf("list with %s on stdin: %s, want exit 0 and no secret", name, o)
			}
		}
	}},
	{id: "V4", about: "erase", run: func(p *probe) {
		const secret = "v4-secret"
		for _, s := range []string{p.Host, p.Host, "http://" + p.Host, "https://" + p.Host, p.Host + "/never/there"} {
			p.succeeds("erase of what is not there, "+s, p.erase(s))
		}
		if p.OtherHost != "" {
			p.succeeds("erase of another's, "+p.OtherHost, p.erase(p.OtherHost))
		}
		if !p.Static {
			return
		}
		for _, s := range p.spellings() {
			if !p.stores(p.Host, p.Username, secret) {
				continue
			}
			for range 4 { // as docker logout does
				p.succeeds("erase "+s, p.erase(s))
			}
			p.givesNothing(p.Host)
			if entries := p.listed(); len(entries) != 0 {
				p.sawf("list after erase %s: %q, want {}", s, entries)
			}
		}
		// Only what was named goes.
		for n, host := range p.Hosts {
			p.stores(p.Host, p.Username, secret)
			p.stores(host, p.Username, secret+host)
			p.succeeds("erase "+p.Host, p.erase(p.Host))
			p.gives(host, p.Username, secret+host)
			if entries := p.listed(); len(entries) != n+1 {
				p.sawf("list after %s was erased: %q, want %d entries", p.Host, entries, n+1)
			}
		}
	}},
	{id: "V5", about: "store for a computed credential", applies: notStatic, run: func(p *probe) {
		for _, username := range []string{p.Username, "<token>", "AWS"} {
			p.succeeds("store of "+username, p.store(p.Host, username, "v5-secret"))
		}
	}},
}

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
