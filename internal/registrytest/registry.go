// Package registrytest runs real container registries on this machine, for tests and for demonstrations: in this process or
// as a docker-registry process, with Basic or token authentication, over TLS or not. A registry keeps a record of who
// presented what, and can be told to refuse.
//
//	reg, err := registrytest.New(registrytest.Options{
//		Auth:     registrytest.Basic,
//		Accounts: map[string]string{"alice": "not-a-real-password"},
//	})
//	defer reg.Close()
//	ref, err := reg.Push("acme/app:1", image)
//
// In a test, [Start] does the first two lines.
package registrytest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"sync"
	"time"

	ggcr "github.com/google/go-containerregistry/pkg/registry"
)

// Registry is a running registry. Its methods may be called by several goroutines at once.
type Registry struct {
	options Options
	name    string
	scheme  string

	backend   http.Handler        // serves whoever gets there
	authorize func(*http.Request) // makes a request of this package's own acceptable to the backend
	stop      func() error        // ends what the backend runs on
	tokens    *tokenServer        // nil unless Bearer
	servers   []*http.Server      // one for each address
	serving   sync.WaitGroup      // their goroutines
	record    record
	refusals  refusals
}

// New starts a registry. It runs until [Registry.Close].
func New(o Options) (_ *Registry, err error) {
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("test registry: %w", err)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.TokenLifetime == 0 {
		o.TokenLifetime = defaultTokenLifetime
	}
	if len(o.Listen) == 0 {
		o.Listen = []string{"127.0.0.1:0"}
	}
	r := &Registry{options: o, scheme: "http", stop: func() error { return nil }}
	if o.TLS != nil {
		r.scheme = "https"
	}
	defer func() {
		if err != nil {
			r.Close()
			err = fmt.Errorf("test registry: %w", err)
		}
	}()

	listeners, err := listen(o.Listen)
	if err != nil {
		return nil, err
	}
	r.name = o.Name
	if r.name == "" {
		r.name = nameOf(o.Listen[0], listeners[0].Addr(), r.scheme)
	}
	var tokenListeners []net.Listener
	if o.Auth == Bearer {
		tokenName := r.name
		if len(o.TokenListen) > 0 {
			if tokenListeners, err = listen(o.TokenListen); err != nil {
				closeAll(listeners)
				return nil, err
			}
			tokenName = nameOf(o.TokenListen[0], tokenListeners[0].Addr(), r.scheme)
		}
		if o.TokenName != "" {
			tokenName = o.TokenName
		}
		if r.tokens, err = newTokenServer(o, r.name, r.scheme+"://"+tokenName+tokenPath); err != nil {
			closeAll(append(listeners, tokenListeners...))
			return nil, err
		}
	}
	if err := r.start(); err != nil {
		closeAll(append(listeners, tokenListeners...))
		return nil, err
	}
	for _, ln := range append(listeners, tokenListeners...) {
		r.serve(ln)
	}
	return r, nil
}

// start sets the backend going.
func (r *Registry) start() error {
	if r.options.Software == InProcess {
		r.backend = ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0)), ggcr.WithReferrersSupport(true))
		r.authorize = func(*http.Request) {}
		return nil
	}
	process, err := startDistribution(r.options, r.tokens)
	if err != nil {
		return err
	}
	r.stop = process.stop
	r.authorize = process.authorize
	r.backend = &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(process.url)
			p.Out.Host = p.In.Host // the process spells its upload locations with it
			p.SetXForwarded()
		},
		ErrorLog: log.New(io.Discard, "", 0), // what the client aborted
	}
	return nil
}

func (r *Registry) serve(ln net.Listener) {
	server := &http.Server{
		Handler:   http.HandlerFunc(r.handle),
		TLSConfig: r.options.TLS.Clone(),
		ErrorLog:  log.New(io.Discard, "", 0), // handshakes that a client broke off on purpose
	}
	r.servers = append(r.servers, server)
	r.serving.Go(func() {
		if server.TLSConfig != nil {
			server.ServeTLS(ln, "", "") // returns when the registry is closed
		} else {
			server.Serve(ln)
		}
	})
}

// Close ends the registry and waits for what it started. What is in flight is cut off.
func (r *Registry) Close() error {
	var errs []error
	for _, server := range r.servers {
		errs = append(errs, server.Close())
	}
	r.serving.Wait()
	return errors.Join(append(errs, r.stop())...)
}

// Name returns the host[:port] by which clients know the registry.
func (r *Registry) Name() string { return r.name }

// Plain reports whether the registry speaks plain HTTP.
func (r *Registry) Plain() bool { return r.scheme == "http" }

// direct is a transport to the backend, past access control, the record and the refusals.
func (r *Registry) direct() http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		in := req.Clone(req.Context())
		if in.Body == nil {
			in.Body = http.NoBody
		}
		in.RequestURI = in.URL.RequestURI()
		in.URL = &url.URL{Path: in.URL.Path, RawPath: in.URL.RawPath, RawQuery: in.URL.RawQuery}
		in.Host = r.name
		in.RemoteAddr = "127.0.0.1:0"
		r.authorize(in)
		w := httptest.NewRecorder()
		r.backend.ServeHTTP(w, in)
		res := w.Result()
		res.Request = req // clients resolve a relative Location with it
		return res, nil
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func listen(addresses []string) ([]net.Listener, error) {
	var listeners []net.Listener
	for _, address := range addresses {
		ln, err := new(net.ListenConfig).Listen(context.Background(), "tcp", address)
		if err != nil {
			closeAll(listeners)
			return nil, err
		}
		listeners = append(listeners, ln)
	}
	return listeners, nil
}

func closeAll(listeners []net.Listener) {
	for _, ln := range listeners {
		ln.Close()
	}
}

// nameOf spells a listening address as a client would.
func nameOf(asked string, got net.Addr, scheme string) string {
	host, _, _ := net.SplitHostPort(asked) // it was listened on
	_, port, _ := net.SplitHostPort(got.String())
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsLoopback() {
		host = "localhost"
	}
	if scheme == "https" && port == "443" || scheme == "http" && port == "80" {
		return host
	}
	return net.JoinHostPort(host, port)
}
