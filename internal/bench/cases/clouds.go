package cases

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest/aws"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest/azure"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest/google"
)

// The registries that are asked for.
const (
	ecrHost = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
	gcrHost = "us-docker.pkg.dev"
	acrHost = "myreg.azurecr.io"
	// The application that may pull from the one in Azure.
	tenant = "11111111-2222-3333-4444-555555555555"
	client = "66666666-7777-8888-9999-000000000000"
)

// A cloud is a stand-in of one, with somebody in it whom a machine's environment stands for.
type cloud struct {
	typ  string
	host string
	// keys is the environment of whoever may pull, and names what it says of files.
	keys []string
	// environ leads a program to the stand-in.
	environ []string
	// gate counts the calls of the token service that has the last word, by this name.
	gate    *cloudtest.Gate
	service string
}

// all is the environment of a program that may pull and finds the stand-in.
func (c *cloud) all(more ...string) []string {
	return append(append(append([]string{}, c.environ...), c.keys...), more...)
}

// calls is how often the token service was asked for a credential.
func (c *cloud) calls() int { return c.gate.Count(c.service) }

// asked is how often anybody was asked for anything.
func (c *cloud) asked() int { return c.gate.Total() }

// amazon is a cloud with a user who has a pair of keys.
func amazon(s *stage) *cloud {
	proxy, stand := cloudtest.NewProxy(s), aws.New()
	stand.Behind(proxy, "us-east-1")
	keys := stand.User("puller")
	return &cloud{
		typ: "ecr", host: ecrHost, gate: stand.Gate, service: aws.ECR, environ: through(s, proxy),
		keys: []string{"AWS_ACCESS_KEY_ID=" + keys.ID, "AWS_SECRET_ACCESS_KEY=" + keys.Secret, "AWS_EC2_METADATA_DISABLED=true"},
	}
}

// googles is a cloud with a person who has logged in.
func googles(s *stage) *cloud {
	proxy, stand := cloudtest.NewProxy(s), google.New(s)
	stand.Join(proxy)
	login := filepath.Join(s.TempDir(), "application_default_credentials.json")
	s.do(os.WriteFile(login, []byte(stand.User(s, "puller")), 0o600))
	return &cloud{
		typ: "gcr", host: gcrHost, gate: stand.Gate, service: google.OAuth2, environ: through(s, proxy),
		keys: []string{"GOOGLE_APPLICATION_CREDENTIALS=" + login},
	}
}

// googleMachine is a machine in Google's cloud, whose metadata server speaks plain http.
func googleMachine(s *stage) *cloud {
	stand := google.New(s)
	server := httptest.NewServer(stand.Handlers()[google.Metadata])
	s.Cleanup(server.Close)
	return &cloud{
		typ: "gcr", host: gcrHost, gate: stand.Gate, service: google.Metadata,
		keys: []string{"GCE_METADATA_HOST=" + strings.TrimPrefix(server.URL, "http://")},
	}
}

// azures is a cloud with an application that has a secret, and that may pull from these registries.
func azures(s *stage, registries ...string) *cloud {
	proxy, stand := cloudtest.NewProxy(s), azure.New(s)
	stand.Join(proxy, registries...)
	app := stand.AddApplication(azure.Public, tenant, client)
	stand.SetSecret(app, "not-a-secret")
	for _, r := range registries {
		stand.Grant(r, app)
	}
	return &cloud{
		typ: "acr", host: registries[0], gate: stand.Gate, service: registries[0], environ: through(s, proxy),
		keys: []string{"AZURE_TENANT_ID=" + tenant, "AZURE_CLIENT_ID=" + client, "AZURE_CLIENT_SECRET=not-a-secret"},
	}
}

// systemBundle is where Debian keeps the certificates that a machine trusts.
const systemBundle = "/etc/ssl/certs/ca-certificates.crt"

// through returns the environment that leads a program through a proxy. It trusts the proxy's authority beside the machine's
// own, so that everybody has as many certificates to read as in the world.
func through(s *stage, p *cloudtest.Proxy) []string {
	environ := p.Environ()
	for i, entry := range environ {
		path, ok := strings.CutPrefix(entry, "SSL_CERT_FILE=")
		if !ok {
			continue
		}
		own := must(os.ReadFile(path))(s)
		system, err := os.ReadFile(systemBundle)
		if err != nil {
			continue // a machine that keeps them elsewhere: both sides read the one certificate
		}
		both := filepath.Join(s.TempDir(), "bundle.pem")
		s.do(os.WriteFile(both, bytes.Join([][]byte{system, own}, []byte("\n")), 0o644))
		environ[i] = "SSL_CERT_FILE=" + both
	}
	return environ
}

// serve answers on loopback in plain http until the case ends, and returns the URL.
func serve(s *stage, h http.Handler) string {
	server := httptest.NewServer(h)
	s.Cleanup(server.Close)
	return server.URL
}
