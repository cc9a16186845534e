package conformance

import (
	"strings"
)

// hosts are the cases about which registry a server URL stands for.
var hosts = []testCase{
	{id: "H1", about: "every spelling of a registry", applies: static, run: func(p *probe) {
		const secret = "h1-secret"
		all := p.spellings()
		if p.stores(p.Host, p.Username, secret) {
			for _, s := range all {
				p.gives(s, p.Username, secret)
			}
		}
		for _, s := range all {
			other := secret + " by " + s
			if p.stores(s, p.Username, other) {
				p.gives(p.Host, p.Username, other)
			}
		}
		if entries := p.listed(); len(entries) != 1 {
			p.sawf("list: %q, want one entry for one registry", entries)
		}
	}},
	{id: "H2", about: "case, trailing dot and ports", applies: static, run: func(p *probe) {
		const secret = "h2-secret"
		if !p.stores(p.Host, p.Username, secret) {
			return
		}
		for _, s := range p.folded() {
			p.gives(s, p.Username, secret)
		}
		for _, s := range p.otherPorts() {
			p.withholds(s, secret)
		}
	}},
	{id: "H3", about: "addresses and ports", run: func(p *probe) {
		host := p.bareHost()
		for _, s := range []string{
			"[::1", "::1]", "[[::1]]", "[]", "[" + host + "]", "[127.0.0.1]", "[::g]", "[::1]5003", "[::1]:", "[::1]:x", "[::1]:0", "[::1]:65536",
			"[fe80::1%25eth0]", "[fe80::1%eth0]:5000", "fe80::1%eth0", host + ":", host + ":0", host + ":65536", host + ":-1", host + ":+443", host + ":http", host + ":443:443", host + ":4 43",
			host + ":99999999999999999999",
		} {
			p.refuses("get "+s, p.get(s))
			p.refuses("store for "+s, p.store(s, p.Username, "h3-secret"))
		}
		const secret = "h3-secret"
		addresses := []string{"[::1]:5003", "http://[::1]:5003", "[0:0:0:0:0:0:0:1]:5003", "[0000::0001]:05003", "https://[::1]:5003/v2/"}
		if p.Static && p.store(addresses[0], p.Username, secret).code == 0 { // a helper that takes every host
			for _, s := range addresses {
				p.gives(s, p.Username, secret)
			}
			p.withholds("[::1]", secret)
			p.withholds("[::2]:5003", secret)
			return
		}
		for _, s := range addresses {
			p.givesNothing(s)
		}
	}},
	{id: "H4", about: "registries of others, and hosts that look alike", run: func(p *probe) {
		const secret = "h4-secret"
		if p.Static {
			p.stores(p.Host, p.Username, secret)
		}
		for _, s := range p.lookAlikes() {
			p.withholds(s, secret)
		}
		if p.OtherHost == "" {
			return
		}
		before := p.listed()
		p.givesNothing(p.OtherHost)
		p.refuses("store for "+p.OtherHost, p.store(p.OtherHost, p.Username, secret))
		p.givesNothing(p.OtherHost)
		p.succeeds("erase "+p.OtherHost, p.erase(p.OtherHost))
		p.sameList(before)
	}},
	{id: "H5", about: "schemes of other protocols", run: func(p *probe) {
		const secret = "h5-secret"
		if p.Static {
			p.stores(p.Host, p.Username, secret)
		}
		for _, scheme := range []string{"ftp", "docker", "oci", "file", "unix", "javascript", "httpss", "https://https", ""} {
			s := scheme + "://" + p.Host
			p.refuses("get "+s, p.get(s))
			p.refuses("store for "+s, p.store(s, p.Username, "other"))
		}
	}},
	{id: "H6", about: "a path behind the host", applies: static, run: func(p *probe) {
		const secret = "h6-secret"
		if !p.stores(p.Host, p.Username, secret) {
			return
		}
		for _, path := range []string{"/", "/o", "/o/r", "/O/R", "/v1/", "/v2/", "/../evil.example", "//", "/@evil.example", "?x=y", "#evil.example", "/%2e%2e", "/o:1", "/\u00fc"} {
			p.gives(p.Host+path, p.Username, secret)
			p.gives("https://"+p.Host+path, p.Username, secret)
		}
		p.stores(p.Host+"/o/r", p.Username, "by path")
		p.gives(p.Host, p.Username, "by path")
		p.succeeds("erase "+p.Host+"/another", p.erase(p.Host+"/another"))
		p.givesNothing(p.Host)
	}},
}

// withholds notes it as a finding when get answers with the secret, or with anything but that there is nothing or that
// the server URL is malformed.
func (p *probe) withholds(serverURL, secret string) {
	o := p.get(serverURL)
	if strings.Contains(o.stdout, secret) || !o.isNotFound() && !o.isRefusal() {
		p.sawf("get %s: %s, want nothing found", brief(serverURL), o)
	}
}

// bareHost is the host without its port.
func (p *probe) bareHost() string {
	host, _, _ := strings.Cut(p.Host, ":")
	return host
}

func (p *probe) hasPort() bool { return strings.Contains(p.Host, ":") }

// spellings are the ways to name the registry.
func (p *probe) spellings() []string {
	all := append([]string{}, p.Spellings...)
	for _, host := range append([]string{p.Host}, p.Spellings...) {
		if strings.Contains(host, "/") {
			continue // a server URL with a path already
		}
		all = append(all, host, host+"/", "https://"+host, "http://"+host, "HTTPS://"+host+"/", "//"+host, "https://"+host+"/v2/", host+"/o/r")
		if !p.hasPort() {
			all = append(all, host+":443", "https://"+host+":443", "http://"+host+":443/", "http://"+host+":80")
		}
	}
	return append(all, p.folded()...)
}

// folded are spellings that differ in what a host name does not tell apart.
func (p *probe) folded() []string {
	host := p.bareHost()
	port := strings.TrimPrefix(p.Host, host)
	all := []string{
		strings.ToUpper(host) + port, strings.ToUpper(host[:1]) + host[1:] + port, host + "." + port, "https://" + strings.ToUpper(host) + "." + port + "/",
	}
	if port == "" {
		all = append(all, host+".:443", host+":0443")
	} else {
		all = append(all, host+":0"+port[1:])
	}
	return all
}

// otherPorts are registries on the same host.
func (p *probe) otherPorts() []string {
	host := p.bareHost()
	all := []string{host + ":80", "https://" + host + ":80", "http://" + host + ":8080", host + ":1", host + ":65535", host + ":4430"}
	if p.hasPort() {
		all = append(all, host, "https://"+host, host+":443")
	}
	return all
}

// lookAlikes are server URLs whose host is not the helper's, whatever it looks like.
func (p *probe) lookAlikes() []string {
	host := p.bareHost()
	const evil = "evil.example"
	return []string{
		host + "." + evil, host + "-" + evil, host + "@" + evil, "https://" + host + ":443@" + evil, "https://" + host + ":x@" + evil + "/" + host,
		"https://" + host + "@" + evil + ":443", evil + "/" + host, evil + "?" + host, evil + "#" + host, evil + "#@" + host, evil + "/@" + host,
		evil + "\\@" + host, evil + "\\." + host, evil + "%2f@" + host, evil + "%00" + host, "https:/" + host, "https:" + host + "." + evil, host + "\u3002" + evil, host + "\u200b",
		strings.ReplaceAll(host, ".", "-") + "." + evil, "xn--" + strings.ReplaceAll(host, ".", "-") + "." + evil,
		"a.b.c." + host, "evil" + host, host + "m", host + "..", "." + host, strings.Replace(host, ".", "..", 1), strings.Replace(host, ".", "\u3002", 1),
		strings.Replace(host, "o", "\u043e", 1) + "\u0430", strings.Replace(host, "i", "\u0456", 1) + "\u0430", "*." + host, host + "*", host + "," + evil, host + " " + evil,
	}
}
