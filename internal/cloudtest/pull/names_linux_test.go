package pull_test

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/clients"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest/azure"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest/google"
	"github.com/beam-cloud/docker-credential-beta9/internal/commands"
	"github.com/beam-cloud/docker-credential-beta9/internal/island"
	"github.com/beam-cloud/docker-credential-beta9/internal/needs"
	"github.com/beam-cloud/docker-credential-beta9/internal/registrytest"
)

// lookalike is a host that everybody on the island trusts to be what it is called.
const lookalike = "us-docker.pkg.dev.example.com"

// names are the hosts on the island.
var names = []string{
	artifact, "gcr.io", myreg, lookalike, google.OAuth2, google.STS, google.IAMCredentials, google.Metadata,
	azure.Public, azure.China, azure.Government,
}

// A world is an island with both clouds on it, and a registry of each that lets in whom they vouch for.
type world struct {
	google     *google.Server
	azure      *azure.Server
	app        azure.Application
	registries map[string]*registrytest.Registry
}

func newWorld(t *testing.T, isle *island.Island) *world {
	t.Helper()
	w := &world{google: google.New(t), azure: azure.New(t), registries: map[string]*registrytest.Registry{}}
	w.app = w.azure.AddApplication(azure.Public, tenant, client)
	w.azure.Grant(myreg, w.app)
	for name, handler := range w.google.Handlers() {
		if name != google.Metadata {
			serve(t, name+":443", isle, handler)
		}
	}
	for _, name := range []string{azure.Public, azure.China, azure.Government} {
		serve(t, name+":443", isle, w.azure.Authority(name))
	}
	byGoogle := func(user, password string) bool {
		_, ok := w.google.Principal(password)
		return ok && user == "oauth2accesstoken"
	}
	byAzure := func(user, password string) bool {
		_, ok := w.azure.Principal(myreg, password)
		return ok && user == "00000000-0000-0000-0000-000000000000"
	}
	for host, verify := range map[string]func(user, password string) bool{artifact: byGoogle, "gcr.io": byGoogle, myreg: byAzure, lookalike: byGoogle} {
		o := registrytest.Options{Auth: registrytest.Bearer, Listen: []string{host + ":443"}, TLS: isle.Authority.ServerConfig(), Verify: verify}
		if host == myreg {
			o.Handle = map[string]http.Handler{"/oauth2/exchange": w.azure.Exchange(myreg)}
		}
		o.Accounts = map[string]string{"owner": "not-a-password-of-the-owner"} // who pushes
		w.registries[host] = registrytest.Start(t, o)
		// An image of its own: what a client has already got from one registry, it does not fetch from another.
		image, err := registrytest.Image(nil, []registrytest.File{{Path: "etc/motd", Mode: 0o644, Data: []byte(host + "\n")}})
		if err != nil {
			t.Fatal(err)
		}
		w.registries[host].MustPush(t, "acme/app:1", image)
	}
	return w
}

// serve answers at an address until the test ends; over TLS unless the island is nil.
func serve(t *testing.T, address string, isle *island.Island, handler http.Handler) {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	if isle != nil {
		s.TLSConfig = isle.Authority.ServerConfig()
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if isle != nil {
			_ = s.ServeTLS(listener, "", "") // ends with Close
			return
		}
		_ = s.Serve(listener)
	}()
	t.Cleanup(func() {
		_ = s.Close()
		<-done
	})
}

// A puller is a client in a home of its own, configured with the helpers.
type pulling struct {
	client  clients.Client
	home    clients.Home
	environ []string
}

func newPulling(t *testing.T, c clients.Client, hosts map[string]string, environ ...string) *pulling {
	t.Helper()
	p := &pulling{c, clients.TempHome(t), append(environ, "PATH="+commands.Folder(t)+string(filepath.ListSeparator)+os.Getenv("PATH"))}
	helper := map[string]string{}
	for host, typ := range hosts {
		helper[host] = "beta9-" + typ
	}
	if err := p.home.Configure(c, map[string]any{"credHelpers": helper}); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *pulling) pull(t *testing.T, host string) (string, error) {
	t.Helper()
	cmd := p.client.Pull(t.Context(), p.home, host+"/acme/app:1", false)
	cmd.Env = append(cmd.Env, p.environ...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestPullByRealNames has clients pull, unmodified, from Google and from Azure: three registries, one call of Google's
// token service, one exchange.
func TestPullByRealNames(t *testing.T) {
	for _, name := range []string{"skopeo", "crane", "docker"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := clients.Need(t, name)
			commands.Folder(t)
			island.Run(t, island.Config{Names: names, Environ: commands.Environ()}, func(t *testing.T, isle *island.Island) {
				w := newWorld(t, isle)
				w.azure.SetSecret(w.app, secret)
				p := newPulling(t, c, map[string]string{artifact: "gcr", "gcr.io": "gcr", myreg: "acr", lookalike: "gcr"},
					"GCP_SERVICE_ACCOUNT_JSON="+w.google.ServiceAccount(t, puller, 0),
					"AZURE_TENANT_ID="+tenant, "AZURE_CLIENT_ID="+client, "AZURE_CLIENT_SECRET="+secret)
				for _, host := range []string{artifact, "gcr.io", myreg, artifact, myreg} {
					if out, err := p.pull(t, host); err != nil {
						t.Errorf("%s: %v: %s", host, err, out)
					}
					if !authenticated(w.registries[host]) {
						t.Errorf("%s let nobody in", host)
					}
				}
				if n := w.google.Total(); n != 1 {
					t.Errorf("Google was called %d times, want once", n)
				}
				if n := w.azure.Count(myreg); n != 1 || w.azure.Count(azure.Public) != 1 {
					t.Errorf("Entra was called %d times and the registry %d times, want once", w.azure.Count(azure.Public), n)
				}
				if out, err := p.pull(t, lookalike); err == nil {
					t.Errorf("the look-alike let somebody in: %s", out)
				}
				for _, q := range w.registries[lookalike].Requests() {
					if q.User != "" && q.User != "owner" {
						t.Errorf("the look-alike was presented the user %q", q.User)
					}
				}
			})
		})
	}
}

// authenticated tells whether the registry has let somebody in, and forgets it.
func authenticated(r *registrytest.Registry) bool {
	found := false
	for _, q := range r.Requests() {
		found = found || q.Authenticated && q.User != "owner"
	}
	r.Forget()
	return found
}

// TestMachineIdentities has a client pull with what the machine is, found at the addresses at which the clouds have it.
func TestMachineIdentities(t *testing.T) {
	c := clients.Need(t, "skopeo")
	commands.Folder(t)
	needs.Tool(t, "ip")
	island.Run(t, island.Config{Names: names, Environ: commands.Environ()}, func(t *testing.T, isle *island.Island) {
		w := newWorld(t, isle)
		w.azure.Manage(w.app)
		if out, err := exec.CommandContext(t.Context(), needs.Tool(t, "ip"), "address", "add", "169.254.169.254/32", "dev", "lo").CombinedOutput(); err != nil {
			t.Fatalf("the address of the metadata services: %v: %s", err, out)
		}
		made(t, "/sys/class/dmi/id/product_name", "Google Compute Engine\n")
		made(t, "/sys/class/dmi/id/chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77\n")
		both := w.google.Handlers()[google.Metadata]
		serve(t, "169.254.169.254:80", nil, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/metadata/") {
				w.azure.Instance().ServeHTTP(rw, r)
				return
			}
			both.ServeHTTP(rw, r)
		}))
		p := newPulling(t, c, map[string]string{artifact: "gcr", myreg: "acr"})
		for _, host := range []string{artifact, myreg} {
			if out, err := p.pull(t, host); err != nil || !authenticated(w.registries[host]) {
				t.Errorf("%s: %v: %s", host, err, out)
			}
		}
		if w.google.Count(google.Metadata) != 1 || w.azure.Count(azure.IMDS) != 1 {
			t.Errorf("the metadata services were called %d and %d times, want once each", w.google.Count(google.Metadata), w.azure.Count(azure.IMDS))
		}
	})
}

// made lets a file of the system have another content on the island, where there is such a file.
func made(t *testing.T, path, text string) {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		return // then the helpers ask the network, and need no file
	}
	other := filepath.Join(t.TempDir(), filepath.Base(path))
	if err := os.WriteFile(other, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount(other, path, "", syscall.MS_BIND, ""); err != nil {
		t.Fatalf("%s cannot be covered: %v", path, err)
	}
}

// TestServicesFail shows what a person is told when a token service misbehaves, through a client: the reason, and no part
// of an answer; and that nothing goes to a second host.
func TestServicesFail(t *testing.T) {
	c := clients.Need(t, "skopeo")
	commands.Folder(t)
	island.Run(t, island.Config{Names: append(names, "elsewhere.example"), Environ: commands.Environ()}, func(t *testing.T, isle *island.Island) {
		w := newWorld(t, isle)
		w.azure.SetSecret(w.app, secret)
		elsewhere := cloudtest.NewGate()
		serve(t, "elsewhere.example:443", isle, elsewhere.Guard("elsewhere", http.NotFoundHandler()))
		denied, err := json.Marshal(map[string]string{"error": "access_denied", "error_description": "canary"})
		if err != nil {
			t.Fatal(err)
		}
		for name, f := range map[string]struct {
			fault  cloudtest.Fault
			reason helpers.Reason
		}{
			"denies":      {cloudtest.Status(403, string(denied)), helpers.AccessDenied},
			"garbage":     {cloudtest.Garbage("canary"), helpers.BadAnswer},
			"hangs":       {cloudtest.Hang(), helpers.Timeout},
			"drips":       {cloudtest.Drip(), helpers.Timeout},
			"sends 2 GiB": {cloudtest.Bomb(nil), helpers.BadAnswer},
			"redirects":   {cloudtest.Redirect("https://elsewhere.example/canary"), helpers.BadAnswer},
		} {
			w.google.Order(google.OAuth2, f.fault)
			w.azure.Order(azure.Public, f.fault)
			p := newPulling(t, c, map[string]string{artifact: "gcr", myreg: "acr"}, "BETA9_CREDENTIAL_TIMEOUT=1s",
				"GCP_SERVICE_ACCOUNT_JSON="+w.google.ServiceAccount(t, puller, 0),
				"AZURE_TENANT_ID="+tenant, "AZURE_CLIENT_ID="+client, "AZURE_CLIENT_SECRET="+secret)
			for _, host := range []string{artifact, myreg} {
				out, err := p.pull(t, host)
				if err == nil || !strings.Contains(out, string(f.reason)+": ") || strings.Contains(out, "canary") || strings.Contains(out, secret) {
					t.Errorf("%s, %s: got %v and %q, want the reason %s alone", host, name, err, out, f.reason)
				}
			}
		}
		if n := elsewhere.Total(); n != 0 {
			t.Errorf("%d requests went to a second host", n)
		}
	})
}
