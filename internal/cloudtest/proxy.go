package cloudtest

import (
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/internal/testca"
)

// A Proxy is a forward proxy behind which stand-ins are reached under their real names and over TLS, by programs that
// are told of it as they would be told of any proxy: in their environment. No host but those that were served can be
// reached through it. It may be used by several goroutines at once.
type Proxy struct {
	front, back *httptest.Server
	bundle      string

	mu     sync.Mutex
	hosts  map[string]http.Handler
	called []string
}

// NewProxy starts a proxy that ends with the test.
func NewProxy(t testing.TB) *Proxy {
	t.Helper()
	ca, err := testca.New()
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{hosts: map[string]http.Handler{}, bundle: filepath.Join(t.TempDir(), "proxy-ca.pem")}
	if err := ca.WriteBundle(p.bundle); err != nil {
		t.Fatal(err)
	}
	p.back = httptest.NewUnstartedServer(http.HandlerFunc(p.serve))
	p.back.TLS = ca.ServerConfig()
	// Clients that break off are what many tests are about.
	p.back.Config.ErrorLog = log.New(io.Discard, "", 0)
	p.back.StartTLS()
	p.front = httptest.NewServer(http.HandlerFunc(p.connect))
	t.Cleanup(func() {
		p.front.CloseClientConnections()
		p.front.Close()
		p.back.CloseClientConnections()
		p.back.Close()
	})
	return p
}

// Serve puts a stand-in behind the name of a host, on port 443.
func (p *Proxy) Serve(host string, h http.Handler) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hosts[host] = h
}

// Environ returns the variables that lead a program through the proxy.
func (p *Proxy) Environ() []string {
	return []string{"HTTPS_PROXY=" + p.front.URL, "SSL_CERT_FILE=" + p.bundle}
}

// Getenv looks up a variable of [Proxy.Environ].
func (p *Proxy) Getenv(key string) string {
	for _, entry := range p.Environ() {
		if name, value, _ := strings.Cut(entry, "="); name == key {
			return value
		}
	}
	return ""
}

// Called returns the host:port of every connection that was asked for, in order, whether it came about or not.
func (p *Proxy) Called() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.called...)
}

func (p *Proxy) handler(host string) http.Handler {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hosts[host]
}

// connect answers CONNECT (RFC 9110, section 9.3.6), and nothing else.
func (p *Proxy) connect(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		http.Error(w, "only CONNECT is served", http.StatusMethodNotAllowed)
		return
	}
	p.mu.Lock()
	p.called = append(p.called, r.Host)
	p.mu.Unlock()
	host, port, err := net.SplitHostPort(r.Host)
	if err != nil || port != "443" || p.handler(host) == nil {
		http.Error(w, "nobody stands in for this host", http.StatusBadGateway)
		return
	}
	server, err := net.Dial("tcp", p.back.Listener.Addr().String())
	if err != nil {
		http.Error(w, "the stand-ins are gone", http.StatusBadGateway)
		return
	}
	defer server.Close()
	client, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer client.Close()
	if _, err := io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		return
	}
	done := make(chan struct{}, 2)
	relay := func(to, from net.Conn) {
		_, _ = io.Copy(to, from) // however one side ends, the other ends too
		done <- struct{}{}
	}
	go relay(server, client)
	go relay(client, server)
	<-done
	_ = client.Close()
	_ = server.Close()
	<-done
}

// serve answers for the host that the client asked TLS for.
func (p *Proxy) serve(w http.ResponseWriter, r *http.Request) {
	h := p.handler(r.TLS.ServerName)
	if h == nil || r.Host != r.TLS.ServerName {
		http.Error(w, "this host is not the one of the connection", http.StatusMisdirectedRequest)
		return
	}
	h.ServeHTTP(w, r)
}
