package conformance

import (
	"net"
	"strings"
	"sync/atomic"
	"time"
)

// An Upstream stands in for the service that computes a helper's credentials, so that the cases about it need no
// network. Its methods are called by one goroutine at a time.
type Upstream interface {
	// Env is what a helper needs in its environment to find the stand-in, and to have material that is good for [Helper.Host].
	Env() []string
	// Behave says how requests are answered from now on. The stand-in behaves as the zero Behaviour says at first.
	Behave(Behaviour)
	// Calls returns how many requests for a credential there were.
	Calls() int
	// Close ends the stand-in. A request that hangs is let go.
	Close()
}

// A Behaviour is how an [Upstream] answers. The zero Behaviour is a credential that lives for an hour.
type Behaviour struct {
	// Lifetime is how long a credential lives, counted from the answer; an hour when it is zero. A negative one has ended
	// already.
	Lifetime time.Duration
	// Status is the HTTP status of a failure, in the service's own words; 0 for success.
	Status int
	// Body is what a failure, or a success when Status is 0, has for a body in place of the service's own; empty for that.
	Body string
	// Location makes the answer a redirect to there.
	Location string
	// Hang takes the request and never answers.
	Hang bool
}

// upstreamCanary stands in what a server answers; no part of that may be shown.
const upstreamCanary = "canary-Up/3rS+y~6"

// computed are the cases about a credential that a service computes.
var computed = []testCase{
	{id: "O7", about: "failures of the service", applies: hasUpstream, run: withUpstream(func(p *probe, up Upstream) {
		elsewhere, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			p.sawf("the suite cannot listen: %v", err)
			return
		}
		defer elsewhere.Close()
		var followed atomic.Bool
		go func() {
			for {
				c, err := elsewhere.Accept()
				if err != nil {
					return // closed
				}
				followed.Store(true)
				c.Close()
			}
		}()
		for what, b := range map[string]Behaviour{
			"400": {Status: 400}, "401": {Status: 401}, "403": {Status: 403}, "404": {Status: 404}, "429": {Status: 429}, "500": {Status: 500}, "503": {Status: 503},
			"401 with a talkative body": {Status: 401, Body: `{"message":"` + upstreamCanary + `","__type":"` + upstreamCanary + `","error":"` + upstreamCanary + `"}`},
			"garbage":                   {Body: "<html>" + upstreamCanary + "\n\x00\x1b[31m"},
			"JSON of another shape":     {Body: `{"` + upstreamCanary + `":["` + upstreamCanary + `"]}`},
			"nothing":                   {Body: " "},
			"a body without end":        {Body: strings.Repeat(upstreamCanary, 4<<20/len(upstreamCanary))},
			"a redirect":                {Status: 307, Location: "http://" + elsewhere.Addr().String() + "/" + upstreamCanary},
		} {
			up.Behave(b)
			q := p.apart(strings.ReplaceAll(what, " ", "-"))
			o := q.do(call{args: []string{"get"}, stdin: strings.NewReader(p.Host), env: append(up.Env(), "BETA9_CREDENTIAL_DEBUG=1", "BETA9_CREDENTIAL_TIMEOUT=5s")})
			q.refuses("get when the service answers with "+what, o)
			q.hides(canaries{"answer of the service": upstreamCanary}, "get when the service answers with "+what, "stdout", o.stdout)
			q.hides(canaries{"answer of the service": upstreamCanary}, "get when the service answers with "+what, "stderr", o.stderr)
		}
		if followed.Load() {
			p.sawf("get when the service answers with a redirect: it is followed")
		}
	})},
	{id: "P3", about: "a service that hangs", applies: hasUpstream, run: withUpstream(func(p *probe, up Upstream) {
		up.Behave(Behaviour{Hang: true})
		o := p.do(call{args: []string{"get"}, stdin: strings.NewReader(p.Host), env: append(up.Env(), "BETA9_CREDENTIAL_TIMEOUT=1s")})
		p.refuses("get when the service hangs", o)
		up.Behave(Behaviour{})
		if _, ok := p.computes(up); !ok {
			p.sawf("get after the service hung does not work")
		}
	})},
	{id: "P7", about: "get without a place for a cache", applies: hasUpstream, run: withUpstream(func(p *probe, up Upstream) {
		p.nowhere()
		p.computes(up)
		p.computes(up)
	})},
	{id: "V4", about: "erase takes the cached token along", applies: hasUpstream, run: withUpstream(func(p *probe, up Upstream) {
		p.computes(up)
		before := up.Calls()
		o := p.do(call{args: []string{"erase"}, stdin: strings.NewReader(p.Host), env: up.Env()})
		p.succeeds("erase", o)
		p.computes(up)
		if up.Calls() == before {
			p.sawf("get after erase: no call of the service, want a new token")
		}
	})},
	{id: "T1", about: "a token is used again", applies: hasUpstream, run: withUpstream(func(p *probe, up Upstream) {
		first, ok := p.computes(up)
		before := up.Calls()
		for range 3 {
			again, _ := p.computes(up)
			if ok && again.Secret != first.Secret {
				p.sawf("get again: another secret")
			}
		}
		if up.Calls() != before {
			p.sawf("get three times more: %d more calls of the service, want none", up.Calls()-before)
		}
		o := p.do(call{args: []string{"get"}, stdin: strings.NewReader(p.Host), env: append(up.Env(), "BETA9_CREDENTIAL_CACHE=off")})
		if _, ok := o.answer(); !ok || up.Calls() == before {
			p.sawf("get with BETA9_CREDENTIAL_CACHE=off: %s after %d calls, want a new token", o, up.Calls()-before)
		}
		before = up.Calls()
		o = p.do(call{args: []string{"get"}, stdin: strings.NewReader(p.Host), env: append(up.Env(), "BETA9_CREDENTIAL_CACHE=renew")})
		renewed, ok := o.answer()
		if !ok || up.Calls() == before {
			p.sawf("get with BETA9_CREDENTIAL_CACHE=renew: %s after %d calls, want a new token", o, up.Calls()-before)
		}
		before = up.Calls()
		if again, ok := p.computes(up); ok && (again.Secret != renewed.Secret || up.Calls() != before) {
			p.sawf("get after a renewal: another token, or a call of the service, want the one that was fetched last")
		}
	})},
	{id: "T3", about: "a token that has ended is not handed out", applies: hasUpstream, run: withUpstream(func(p *probe, up Upstream) {
		up.Behave(Behaviour{Lifetime: -time.Minute})
		o := p.do(call{args: []string{"get"}, stdin: strings.NewReader(p.Host), env: up.Env()})
		p.refuses("get when the service hands out what has ended", o)
		up.Behave(Behaviour{Status: 503})
		o = p.do(call{args: []string{"get"}, stdin: strings.NewReader(p.Host), env: append(up.Env(), "BETA9_CREDENTIAL_TIMEOUT=5s")})
		p.refuses("get when the service is down and nothing is cached", o)
	})},
	{id: "T4", about: "a token about to end is not kept", applies: hasUpstream, run: withUpstream(func(p *probe, up Upstream) {
		up.Behave(Behaviour{Lifetime: time.Minute})
		if _, ok := p.computes(up); !ok {
			return
		}
		before := up.Calls()
		if _, ok := p.computes(up); ok && up.Calls() == before {
			p.sawf("get again of a token that lives a minute: no call of the service, want a new token")
		}
	})},
}

// withUpstream runs a case with a stand-in of its own.
func withUpstream(run func(*probe, Upstream)) func(*probe) {
	return func(p *probe) {
		up, err := p.Upstream()
		if err != nil {
			p.sawf("the suite cannot start the stand-in: %v", err)
			return
		}
		defer up.Close()
		run(p, up)
	}
}

// computes asks for the credential, and notes it as a finding when there is none.
func (p *probe) computes(up Upstream) (answer, bool) {
	o := p.do(call{args: []string{"get"}, stdin: strings.NewReader(p.Host), env: up.Env()})
	a, ok := o.answer()
	ok = ok && a.Username != "" && a.Secret != ""
	if !ok {
		p.sawf("get %s: %s, want a credential", p.Host, o)
	}
	return a, ok
}
