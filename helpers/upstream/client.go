// Package upstream calls the token services of the clouds over HTTP. It is what the computed types share: TLS against
// the system's bundle of certificates, proxies from the environment that was given, no redirects, answers of a limited
// size, retries inside the deadline of the context, and failures that never quote what a server said.
//
//	c := upstream.New(upstream.Options{Getenv: machine.Getenv})
//	defer c.Close()
//	a, err := c.Do(ctx, upstream.Request{Service: "Amazon ECR", Method: "POST", URL: url, Body: body})
//	if err != nil { return err }            // no answer: a *helpers.Failure
//	if !a.OK() { return a.Failure() }       // an answer that is a refusal
//	err = a.JSON(&v)
//
// A client that has not been used has done nothing: it has read no file and opened no socket.
package upstream

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http/httpproxy"
)

const (
	// connectPatience is how long a connection may take when the options say nothing: a token service on another
	// continent answers a SYN in 0.3 s, and the kernel repeats a lost one after 1 s and again after 3 s.
	connectPatience = 4 * time.Second
	// idleLife is how long an unused connection is kept: long enough for the calls that follow one another in one
	// exchange.
	idleLife = 10 * time.Second
	// maxHeader is the largest header of an answer, in bytes. Those of the token services have 2 KiB.
	maxHeader = 64 << 10
	// MaxAnswer is the largest body of an answer, in bytes. The largest real one, with an ACR token, has 16 KiB.
	MaxAnswer = 1 << 20

	userAgent = "docker-credential-beta9"
)

// Options is what a [Client] may do.
type Options struct {
	// Getenv is the environment that names the proxy (HTTPS_PROXY, NO_PROXY, or in lower case) and certificates
	// (SSL_CERT_FILE, SSL_CERT_DIR). Nil is an empty environment. The environment of the process is not looked at.
	Getenv func(string) string
	// Bundle is the path of a PEM file with the certificates to trust, instead of all others. It may be empty.
	Bundle string
	// Plain tells the hosts (without port, an IPv6 address without brackets) that may be called over plain http.
	// Nil is none of them. A proxy is never used for them.
	Plain func(host string) bool
	// Direct leaves out the proxy for https too.
	Direct bool
	// Connect is how long one attempt to connect may take; zero is 4 s.
	Connect time.Duration
}

// Client calls services under the rules of its options. It is safe for concurrent use.
type Client struct {
	options Options
	secure  func() (*http.Transport, error)
	whole   func() (*http.Transport, error) // as secure, and verifies with all roots
	plain   func() (*http.Transport, error)
	pause   func(context.Context, time.Duration) error // replaced in tests

	mu   sync.Mutex
	made []*http.Transport
}

// New makes a client. [Client.Close] drops its idle connections.
func New(o Options) *Client {
	if o.Getenv == nil {
		o.Getenv = func(string) string { return "" }
	}
	if o.Connect == 0 {
		o.Connect = connectPatience
	}
	c := &Client{options: o, pause: pause}
	trusted := sync.OnceValues(func() (*roots, error) { return rootsOf(o.Bundle, o.Getenv) })
	secure := func(whole bool) func() (*http.Transport, error) {
		return sync.OnceValues(func() (*http.Transport, error) {
			r, err := trusted()
			if err != nil {
				return nil, err
			}
			t := c.transport()
			t.TLSClientConfig = r.config(whole)
			if !o.Direct {
				t.Proxy = c.proxy()
			}
			return t, nil
		})
	}
	c.secure, c.whole = secure(false), secure(true)
	c.plain = sync.OnceValues(func() (*http.Transport, error) { return c.transport(), nil })
	return c
}

// Close drops the idle connections. The client can be used again.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.made {
		t.CloseIdleConnections()
	}
}

func (c *Client) transport() *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true) // one small request at a time: HTTP/2 costs a round trip and memory for nothing
	t := &http.Transport{
		DialContext:            (&net.Dialer{Timeout: c.options.Connect}).DialContext,
		Protocols:              protocols,
		DisableCompression:     true, // so that the limit on an answer is one on the bytes that are sent
		MaxResponseHeaderBytes: maxHeader,
		IdleConnTimeout:        idleLife,
		OnProxyConnectResponse: func(_ context.Context, _ *url.URL, _ *http.Request, r *http.Response) error {
			if r.StatusCode != http.StatusOK {
				return proxyError(r.StatusCode)
			}
			return nil
		},
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made = append(c.made, t)
	return t
}

// proxy reads the proxies anew for each client: net/http's own function remembers the environment of the process.
// Only HTTPS_PROXY counts, since plain http is for this machine.
func (c *Client) proxy() func(*http.Request) (*url.URL, error) {
	proxy := c.either("HTTPS_PROXY", "https_proxy")
	choose := (&httpproxy.Config{HTTPSProxy: proxy, NoProxy: c.either("NO_PROXY", "no_proxy")}).ProxyFunc()
	return func(r *http.Request) (*url.URL, error) {
		u, err := choose(r.URL)
		if err != nil || proxy != "" && !isProxy(proxy) {
			return nil, errProxyURL // what the package says quotes the URL, or is nothing: it goes without the proxy
		}
		return u, nil
	}
}

// secureProxy tells whether the proxy itself is called over TLS. The two names of such a connection are the standard
// library's to tell apart.
func (c *Client) secureProxy() bool {
	scheme, _, _ := strings.Cut(c.either("HTTPS_PROXY", "https_proxy"), "://")
	return strings.EqualFold(scheme, "https")
}

// either returns the first of two variables that is set.
func (c *Client) either(upper, lower string) string {
	return cmp.Or(c.options.Getenv(upper), c.options.Getenv(lower))
}

// isProxy tells whether the proxy can be read as a URL, or as one whose scheme was left out.
func isProxy(s string) bool {
	if !strings.Contains(s, "://") {
		s = "http://" + s
	}
	u, err := url.Parse(s)
	return err == nil && u.Scheme != "" && u.Host != ""
}

// HTTP returns the client for a library that makes its own requests. It follows the same rules, with two differences:
// nothing is tried twice, and errors are the library's. [Explain] turns those that come from here into failures.
func (c *Client) HTTP() *http.Client {
	return &http.Client{
		Transport:     c,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// RoundTrip makes one request, once, and limits the size of its answer. It implements [http.RoundTripper].
func (c *Client) RoundTrip(r *http.Request) (*http.Response, error) {
	transport, err := c.transportFor(r.URL)
	if err != nil {
		if r.Body != nil {
			_ = r.Body.Close() // as a RoundTripper has to; nothing was read
		}
		return nil, err
	}
	if r.Header.Get("User-Agent") == "" {
		r = r.Clone(r.Context())
		r.Header.Set("User-Agent", userAgent)
	}
	response, err := transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	response.Body = &limited{body: response.Body, left: MaxAnswer}
	return response, nil
}

func (c *Client) transportFor(u *url.URL) (*http.Transport, error) {
	switch {
	case u.Scheme == "https" && (net.ParseIP(u.Hostname()) != nil || c.secureProxy()):
		return c.whole()
	case u.Scheme == "https":
		return c.secure()
	case u.Scheme == "http" && c.options.Plain != nil && c.options.Plain(u.Hostname()):
		return c.plain()
	}
	return nil, errPlain
}

// Loopback tells whether a host is this machine by its own spelling: "localhost", or a loopback address. Other names
// that resolve to one are not taken, since who answers for them may change.
func Loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

var errTooLarge = errors.New("the body is too large")

// limited fails once more was read than is allowed, so that a cut answer is never taken for a whole one.
type limited struct {
	body io.ReadCloser
	left int64
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left < 0 {
		return 0, errTooLarge
	}
	if int64(len(p)) > l.left+1 {
		p = p[:l.left+1]
	}
	n, err := l.body.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}

func (l *limited) Close() error { return l.body.Close() }
