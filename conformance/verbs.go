package conformance

import (
	"io"
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
