package main_test

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/internal/clients"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest/aws"
	"github.com/beam-cloud/docker-credential-beta9/internal/commands"
	"github.com/beam-cloud/docker-credential-beta9/internal/island"
	"github.com/beam-cloud/docker-credential-beta9/internal/needs"
	"github.com/beam-cloud/docker-credential-beta9/internal/registrytest"
)

const (
	other     = "999999999999.dkr.ecr.us-east-1.amazonaws.com"
	west      = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
	validated = "123456789012.dkr.ecr-fips.us-east-1.amazonaws.com"
	lookalike = host + ".example.com"
)

// regions are those of the registries on the island.
var regions = map[string]string{
	host: "us-east-1", other: "us-east-1", west: "eu-west-1", validated: "us-east-1", lookalike: "us-east-1",
}

// services are the hosts that make tokens.
var services = []string{
	"api.ecr.us-east-1.amazonaws.com", "api.ecr.eu-west-1.amazonaws.com", "api.ecr-fips.us-east-1.amazonaws.com",
	"sts.us-east-1.amazonaws.com", "sts-fips.us-east-1.amazonaws.com",
}

func names() []string {
	all := append([]string(nil), services...)
	for name := range regions {
		all = append(all, name)
	}
	return all
}

// A land is an island with the cloud on it, and registries that let in whom ECR has given a token for their region.
type land struct {
	cloud      *aws.Cloud
	registries map[string]*registrytest.Registry
}

func newLand(t *testing.T, isle *island.Island) *land {
	t.Helper()
	l := &land{cloud: aws.New(), registries: map[string]*registrytest.Registry{}}
	for _, name := range services {
		serve(t, name+":443", isle, l.cloud)
	}
	for name, region := range regions {
		l.registries[name] = registrytest.Start(t, registrytest.Options{
			Auth: registrytest.Basic, Listen: []string{name + ":443"}, TLS: isle.Authority.ServerConfig(),
			Accounts: map[string]string{"owner": "not-a-password-of-the-owner"}, // who pushes
			Verify: func(user, password string) bool {
				token, ok := l.cloud.Issued(password)
				return ok && user == "AWS" && token.Region == region && time.Now().Before(token.Expires)
			},
		})
		// An image of its own: what a client has already got from one registry, it does not fetch from another.
		image, err := registrytest.Image(nil, []registrytest.File{{Path: "etc/motd", Mode: 0o644, Data: []byte(name + "\n")}})
		if err != nil {
			t.Fatal(err)
		}
		l.registries[name].MustPush(t, "acme/app:1", image)
	}
	return l
}

// serve answers at an address until the test ends; over TLS unless the island is nil.
func serve(t *testing.T, address string, isle *island.Island, h http.Handler) {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if isle == nil {
			_ = s.Serve(listener) // ends with Close
			return
		}
		s.TLSConfig = isle.Authority.ServerConfig()
		_ = s.ServeTLS(listener, "", "")
	}()
	t.Cleanup(func() {
		_ = s.Close()
		<-done
	})
}

// made lets a file of the system have another content on the island, where there is such a file.
func made(t *testing.T, path, content string) {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		return // nothing is known of the machine then, and the network is asked
	}
	with := filepath.Join(t.TempDir(), filepath.Base(path))
	if err := os.WriteFile(with, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount(with, path, "", syscall.MS_BIND, ""); err != nil {
		t.Fatalf("%s cannot be covered: %v", path, err)
	}
}

// A puller is a client in a home of its own, configured with the helper for every host on the island.
type puller struct {
	client  clients.Client
	home    clients.Home
	environ []string
}

func newPuller(t *testing.T, c clients.Client, environ map[string]string) *puller {
	t.Helper()
	p := &puller{client: c, home: clients.TempHome(t)}
	p.environ = []string{"PATH=" + commands.Folder(t) + string(filepath.ListSeparator) + os.Getenv("PATH")}
	for name, value := range environ {
		p.environ = append(p.environ, name+"="+value)
	}
	helpers := map[string]string{}
	for name := range regions {
		helpers[name] = "beta9-ecr"
	}
	if err := p.home.Configure(c, map[string]any{"credHelpers": helpers}); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *puller) pull(t *testing.T, from string) (string, error) {
	t.Helper()
	cmd := p.client.Pull(t.Context(), p.home, from+"/acme/app:1", false)
	cmd.Env = append(cmd.Env, p.environ...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// admitted tells whether the registry has let somebody in but its owner, and forgets it.
func admitted(r *registrytest.Registry) bool {
	found := false
	for _, q := range r.Requests() {
		found = found || q.Authenticated && q.User == "AWS"
	}
	r.Forget()
	return found
}

// Clients pull, unmodified, from registries by their real names: two accounts of a region by one call, another region and
// a FIPS registry by one each; and nothing is presented to a look-alike.
func TestPullByRealNames(t *testing.T) {
	for _, name := range []string{"skopeo", "crane", "docker", "podman"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := clients.Need(t, name)
			commands.Folder(t)
			island.Run(t, island.Config{Names: names(), Environ: commands.Environ()}, func(t *testing.T, isle *island.Island) {
				l := newLand(t, isle)
				p := newPuller(t, c, keys(l.cloud.User("me")))
				for _, from := range []string{host, other, west, validated, host} {
					if out, err := p.pull(t, from); err != nil || !admitted(l.registries[from]) {
						t.Errorf("%s: %v: %s", from, err, out)
					}
				}
				if n := l.cloud.Gate.Total(); n != 3 {
					t.Errorf("%d calls, not 3: %v", n, l.cloud.Calls())
				}
				if out, err := p.pull(t, lookalike); err == nil {
					t.Errorf("the look-alike let somebody in: %s", out)
				}
				for _, q := range l.registries[lookalike].Requests() {
					if q.User != "" && q.User != "owner" {
						t.Errorf("the look-alike was presented the user %q", q.User)
					}
				}
			})
		})
	}
}

// A token that the registry no longer takes is replaced by logging out, since only the client hears of it.
func TestAnExpiredTokenIsReplaced(t *testing.T) {
	c := clients.Need(t, "skopeo")
	commands.Folder(t)
	island.Run(t, island.Config{Names: names(), Environ: commands.Environ()}, func(t *testing.T, isle *island.Island) {
		l := newLand(t, isle)
		p := newPuller(t, c, keys(l.cloud.User("me")))
		if out, err := p.pull(t, host); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		l.registries[host].Refuse(registrytest.ExpiredECRToken())
		if out, err := p.pull(t, host); err == nil {
			t.Errorf("the registry takes an expired token: %s", out)
		}
		l.registries[host].Relent()
		erase := exec.CommandContext(t.Context(), filepath.Join(commands.Folder(t), "docker-credential-beta9-ecr"), "erase")
		erase.Env, erase.Stdin = p.client.Pull(t.Context(), p.home, host, false).Env, strings.NewReader(host)
		erase.Env = append(erase.Env, p.environ...)
		if out, err := erase.CombinedOutput(); err != nil {
			t.Errorf("erase: %v: %s", err, out)
		}
		if out, err := p.pull(t, host); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		if n := l.cloud.Gate.Total(); n != 2 {
			t.Errorf("%d calls, not 2", n)
		}
	})
}

// A client pulls as the instance that it runs on, and as a container, by the addresses at which the services are.
func TestPullAsTheMachine(t *testing.T) {
	c := clients.Need(t, "skopeo")
	commands.Folder(t)
	ip := needs.Tool(t, "ip")
	island.Run(t, island.Config{Names: names(), Environ: commands.Environ()}, func(t *testing.T, isle *island.Island) {
		l := newLand(t, isle)
		l.cloud.InstanceRole = "node"
		for _, address := range []string{"169.254.169.254", "169.254.170.2"} {
			if out, err := exec.CommandContext(t.Context(), ip, "address", "add", address+"/32", "dev", "lo").CombinedOutput(); err != nil {
				t.Fatalf("the address of a metadata service: %v: %s", err, out)
			}
			serve(t, address+":80", nil, l.cloud)
		}
		made(t, "/sys/class/dmi/id/sys_vendor", "Amazon EC2\n")
		for role, environ := range map[string]map[string]string{
			"node": {}, aws.ContainerRole: {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": aws.ContainerPath},
		} {
			before := len(l.cloud.Calls())
			p := newPuller(t, c, environ)
			for range 2 {
				if out, err := p.pull(t, host); err != nil || !admitted(l.registries[host]) {
					t.Errorf("%s: %v: %s", role, err, out)
				}
			}
			calls := l.cloud.Calls()[before:]
			if len(calls) != 2 || calls[1].Service != aws.ECR || !strings.HasSuffix(calls[1].Principal, ":assumed-role/"+role+"/test") {
				t.Errorf("%s: the calls were %v", role, calls)
			}
		}
	})
}

// On a network that swallows everything, with nothing configured, there is nothing before a deadline of a second and a
// half is over, and it is remembered; what is configured fails at the deadline.
func TestSilentNetwork(t *testing.T) {
	commands.Folder(t)
	island.Run(t, island.Config{Silent: true, Environ: commands.Environ()}, func(t *testing.T, _ *island.Island) {
		made(t, "/sys/class/dmi/id/sys_vendor", "") // which says nothing
		made(t, "/sys/class/dmi/id/bios_version", "")
		w := newWorld(t)
		w.env["AWS_EC2_METADATA_DISABLED"], w.env["HTTPS_PROXY"] = "", ""
		w.env["BETA9_CREDENTIAL_TIMEOUT"] = "1500ms"
		for _, from := range []string{host, "public.ecr.aws"} {
			if r := w.run("get", from); r.stdout != notFound {
				t.Errorf("%s: %q, %s", from, r.stdout, r.stderr)
			}
			if r := w.run("get", from, map[string]string{"BETA9_CREDENTIAL_TIMEOUT": "500ms"}); r.stdout != notFound {
				t.Errorf("%s, again: %q, %s", from, r.stdout, r.stderr)
			}
		}
		for name, env := range map[string]map[string]string{
			"keys":      keys(w.cloud.User("me")),
			"container": {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/x"},
			"instance":  {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://169.254.169.254"},
		} {
			r := w.run("get", host, env, map[string]string{"BETA9_CREDENTIAL_TIMEOUT": "700ms"})
			if reason, _, _ := strings.Cut(r.stdout, ":"); r.code != 1 || reason != "timeout" && reason != "unreachable" {
				t.Errorf("%s: exit %d, %q", name, r.code, r.stdout)
			}
		}
	})
}
