package upstream

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/testca"
)

func environment(values map[string]string) func(string) string {
	return func(name string) string { return values[name] }
}

// authority makes a certificate authority and a server that it vouches for under every name.
func authority(t *testing.T, h http.HandlerFunc) (server *httptest.Server, bundle string) {
	t.Helper()
	ca, err := testca.New()
	if err != nil {
		t.Fatal(err)
	}
	bundle = filepath.Join(t.TempDir(), "bundle.pem")
	if err := ca.WriteBundle(bundle); err != nil {
		t.Fatal(err)
	}
	return serveTLS(t, ca.ServerConfig(), h), bundle
}

// serveTLS wraps the listener, because httptest's own StartTLS adds a certificate of its own.
func serveTLS(t *testing.T, config *tls.Config, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Listener = tls.NewListener(s.Listener, config)
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // failed handshakes are what some tests want
	s.Start()
	s.URL = "https://" + s.Listener.Addr().String()
	t.Cleanup(s.Close)
	return s
}

func ok(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") }

func TestRoots(t *testing.T) {
	t.Parallel()
	server, bundle := authority(t, ok)
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte(canary), 0o600); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Dir(bundle)
	missing := filepath.Join(folder, "none")
	tests := []struct {
		name   string
		bundle string
		env    map[string]string
		want   helpers.Reason
	}{
		{name: "bundle", bundle: bundle},
		{name: "bundle before environment", bundle: bundle, env: map[string]string{"SSL_CERT_FILE": empty}},
		{name: "file", env: map[string]string{"SSL_CERT_FILE": bundle}},
		{name: "folder", env: map[string]string{"SSL_CERT_DIR": missing + string(filepath.ListSeparator) + folder}},
		{name: "both", env: map[string]string{"SSL_CERT_FILE": empty, "SSL_CERT_DIR": folder}},
		{name: "not trusted", want: helpers.Unreachable},
		{name: "no certificate", env: map[string]string{"SSL_CERT_FILE": empty}, want: helpers.BadMaterial},
		{name: "no file", bundle: missing, want: helpers.BadMaterial},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := New(Options{Getenv: environment(test.env), Bundle: test.bundle})
			defer c.Close()
			_, err := c.Do(t.Context(), Request{Service: "the test", Method: "GET", URL: server.URL})
			if helpers.ReasonOf(err) != test.want {
				t.Fatalf("got %v", err)
			}
			if err != nil && strings.Contains(err.Error(), canary) {
				t.Error("the failure quotes the file")
			}
		})
	}
}

func TestProxies(t *testing.T) {
	t.Parallel()
	server, bundle := authority(t, ok)
	asked := make(chan string, 10)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Method + " " + r.Host + " " + r.Header.Get("Proxy-Authorization")
		if r.Host == "refused.example.com:443" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		tunnel(t, w, server.Listener.Addr().String())
	}))
	t.Cleanup(proxy.Close)
	address := strings.TrimPrefix(proxy.URL, "http://")
	tests := []struct {
		name   string
		env    map[string]string
		direct bool
		url    string
		asked  string
		want   helpers.Reason
	}{
		{name: "https", env: map[string]string{"HTTPS_PROXY": proxy.URL}, url: "https://api.example.com/", asked: "CONNECT api.example.com:443 "},
		{name: "lower case", env: map[string]string{"https_proxy": address}, url: "https://api.example.com/", asked: "CONNECT api.example.com:443 "},
		{
			name: "with a password", env: map[string]string{"HTTPS_PROXY": "http://user:" + canary + "@" + address},
			url: "https://refused.example.com/", asked: "CONNECT refused.example.com:443 Basic", want: helpers.Unreachable,
		},
		{name: "not for the host", env: map[string]string{"HTTPS_PROXY": proxy.URL, "NO_PROXY": "127.0.0.1"}, url: server.URL},
		{name: "direct", env: map[string]string{"HTTPS_PROXY": proxy.URL}, direct: true, url: server.URL},
		{name: "not a URL", env: map[string]string{"HTTPS_PROXY": "http://" + canary + ":x"}, url: "https://api.example.com/", want: helpers.BadMaterial},
		{name: "unreachable", env: map[string]string{"HTTPS_PROXY": "http://user:" + canary + "@" + refused(t)}, url: "https://api.example.com/", want: helpers.Unreachable},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := New(Options{Getenv: environment(test.env), Bundle: bundle, Direct: test.direct})
			defer c.Close()
			_, err := c.Do(t.Context(), Request{Service: "the test", Method: "GET", URL: test.url, Attempts: 1})
			if helpers.ReasonOf(err) != test.want {
				t.Fatalf("got %v", err)
			}
			if f, ok := errors.AsType[*helpers.Failure](err); ok && strings.Contains(fmt.Sprint(f, f.Hint, f.Cause), canary) {
				t.Error("the failure tells the proxy's password")
			}
			got := ""
			select {
			case got = <-asked:
			default:
			}
			if !strings.HasPrefix(got, test.asked) || (got == "") != (test.asked == "") {
				t.Errorf("the proxy was asked %q, not %q", got, test.asked)
			}
		})
	}
}

// tunnel connects the client of a CONNECT request with an address.
func tunnel(t *testing.T, w http.ResponseWriter, address string) {
	there, err := net.Dial("tcp", address)
	if err != nil {
		t.Error(err)
		return
	}
	here, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	_, _ = io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n")
	go func() { _, _ = io.Copy(there, here); _ = there.Close() }()
	_, _ = io.Copy(here, there)
	_ = here.Close()
}

func TestHTTPKeepsTheRules(t *testing.T) {
	t.Parallel()
	second := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") })
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/redirect":
			http.Redirect(w, r, second, http.StatusFound)
		default:
			_, _ = io.CopyN(w, zeros{}, MaxAnswer+1)
		}
	})
	c := local(t, nil).HTTP()
	response, err := c.Get(url + "/redirect")
	if err != nil || response.StatusCode != http.StatusFound {
		t.Fatalf("got %v", err)
	}
	_ = response.Body.Close()
	if response, err = c.Get(url); err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	_, err = io.ReadAll(response.Body)
	if f := Explain(t.Context(), "the test", err); f.Reason != helpers.BadAnswer {
		t.Errorf("got %v", f)
	}
	_, err = c.Get("http://192.0.2.1/")
	if f := Explain(t.Context(), "the test", err); f.Reason != helpers.BadMaterial {
		t.Errorf("got %v", f)
	}
}

func TestTheLimitIsExact(t *testing.T) {
	t.Parallel()
	for size, want := range map[int64]helpers.Reason{MaxAnswer: "", MaxAnswer + 1: helpers.BadAnswer} {
		url := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.CopyN(w, zeros{}, size) })
		a, err := local(t, nil).Do(t.Context(), Request{Service: "the test", Method: "GET", URL: url})
		if helpers.ReasonOf(err) != want || want == "" && int64(len(a.Body)) != size {
			t.Errorf("%d bytes: got %d and %v", size, len(a.Body), err)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestLoopback(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"localhost": true, "127.0.0.1": true, "127.9.9.9": true, "::1": true,
		"": false, "localhost.example.com": false, "127.0.0.1.example.com": false, "192.0.2.1": false, "0.0.0.0": false, "::": false,
	} {
		if Loopback(host) != want {
			t.Errorf("%q is taken for %v", host, !want)
		}
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	t.Parallel()
	ca, err := testca.New()
	if err != nil {
		t.Fatal(err)
	}
	bundle := filepath.Join(t.TempDir(), "bundle.pem")
	if err := ca.WriteBundle(bundle); err != nil {
		t.Fatal(err)
	}
	config := ca.ServerConfig()
	config.MinVersion, config.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	server := serveTLS(t, config, ok)
	c := New(Options{Bundle: bundle})
	defer c.Close()
	_, err = c.Do(t.Context(), Request{Service: "the test", Method: "GET", URL: server.URL, Attempts: 1})
	if helpers.ReasonOf(err) != helpers.Unreachable {
		t.Errorf("got %v", err)
	}
}
