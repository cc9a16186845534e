package pull_test

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest/aws"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest/azure"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest/google"
)

const (
	amazon = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
	// canary stands in everything that a service says.
	canary = "not-a-secret-canary-0123456789"
)

// A site is somebody with all three clouds behind a proxy, and what stands around the machine at hand.
type site struct {
	*person
	proxy  *cloudtest.Proxy
	amazon *aws.Cloud
	google *google.Server
	azure  *azure.Server
	app    azure.Application
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{proxy: cloudtest.NewProxy(t), amazon: aws.New(), google: google.New(t), azure: azure.New(t)}
	s.amazon.Behind(s.proxy, "us-east-1")
	s.google.Join(s.proxy)
	s.azure.Join(s.proxy, myreg)
	s.app = s.azure.AddApplication(azure.Public, tenant, client)
	s.azure.SetSecret(s.app, secret)
	s.azure.Grant(myreg, s.app)
	s.person = newPerson(t, append(s.proxy.Environ(), "PATH="+os.Getenv("PATH"), "AWS_EC2_METADATA_DISABLED=true")...)
	return s
}

func (s *site) set(entries ...string) { s.environ = append(s.environ, entries...) }

// usual gives the person what a type is usually used with.
func (s *site) usual(typ string) {
	k := s.amazon.User("me")
	s.set(map[string][]string{
		"ecr": {"AWS_ACCESS_KEY_ID=" + k.ID, "AWS_SECRET_ACCESS_KEY=" + k.Secret},
		"gcr": {"GCP_SERVICE_ACCOUNT_JSON=" + s.google.ServiceAccount(s.t, puller, 0)},
		"acr": {"AZURE_TENANT_ID=" + tenant, "AZURE_CLIENT_ID=" + client, "AZURE_CLIENT_SECRET=" + secret},
	}[typ]...)
}

func (s *site) write(name, content string) string {
	s.t.Helper()
	path := filepath.Join(s.home, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600)); err != nil {
		s.t.Fatal(err)
	}
	return path
}

func (s *site) machine() helpers.Machine {
	return helpers.Machine{Getenv: s.getenv, Environ: s.environ}
}

func (s *site) getenv(name string) string {
	for _, entry := range slices.Backward(s.environ) {
		if key, value, _ := strings.Cut(entry, "="); key == name {
			return value
		}
	}
	return ""
}

func typeNamed(t *testing.T, name string) helpers.Type {
	t.Helper()
	typ, ok := helpers.TypeNamed(name)
	if !ok {
		t.Fatal(name)
	}
	return typ
}

func registry(t *testing.T, host string) helpers.Registry {
	t.Helper()
	r, err := helpers.ParseServerURL(host)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// deaf returns an address at which nobody listens.
func deaf(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// near starts a service beside the machine, over plain http, and returns its address.
func (s *site) near(h http.Handler) string {
	s.t.Helper()
	server := httptest.NewServer(h)
	s.t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}

// A way is one in which an identity becomes a credential.
type way struct {
	typ, host string
	given     func(*site)
	// services are those that take part, by which faults are ordered.
	services map[string]func(*site, cloudtest.Fault)
}

// The services, as ways name them.
var (
	atECR       = func(s *site, f cloudtest.Fault) { s.amazon.Gate.Order(aws.ECR, f) }
	atSTS       = func(s *site, f cloudtest.Fault) { s.amazon.Gate.Order(aws.STS, f) }
	atContainer = func(s *site, f cloudtest.Fault) { s.amazon.Gate.Order(aws.Container, f) }
	atInstance  = func(s *site, f cloudtest.Fault) { s.amazon.Gate.Order(aws.Instance, f) }
	atOAuth     = func(s *site, f cloudtest.Fault) { s.google.Order(google.OAuth2, f) }
	atGoogleSTS = func(s *site, f cloudtest.Fault) { s.google.Order(google.STS, f) }
	atIAM       = func(s *site, f cloudtest.Fault) { s.google.Order(google.IAMCredentials, f) }
	atMetadata  = func(s *site, f cloudtest.Fault) { s.google.Order(google.Metadata, f) }
	atEntra     = func(s *site, f cloudtest.Fault) { s.azure.Order(azure.Public, f) }
	atExchange  = func(s *site, f cloudtest.Fault) { s.azure.Order(myreg, f) }
	atManaged   = func(s *site, f cloudtest.Fault) { s.azure.Order(azure.AppService, f) }
)

// ways are those of all three types.
var ways = map[string]way{
	"ecr keys": {"ecr", amazon, func(s *site) { s.usual("ecr") }, map[string]func(*site, cloudtest.Fault){"ecr": atECR}},
	"ecr web identity": {"ecr", amazon, func(s *site) {
		s.set("AWS_ROLE_ARN="+s.amazon.AddRole("r", aws.Role{Subject: "job"}),
			"AWS_WEB_IDENTITY_TOKEN_FILE="+s.write("token", aws.WebIdentity("job", time.Now().Add(time.Hour))))
	}, map[string]func(*site, cloudtest.Fault){"ecr": atECR, "sts": atSTS}},
	"ecr container": {"ecr", amazon, func(s *site) {
		s.amazon.ContainerAuthorization = secret
		s.set("AWS_CONTAINER_CREDENTIALS_FULL_URI="+s.near(s.amazon)+aws.ContainerPath, "AWS_CONTAINER_AUTHORIZATION_TOKEN="+secret)
	}, map[string]func(*site, cloudtest.Fault){"ecr": atECR, "container": atContainer}},
	"ecr instance": {"ecr", amazon, func(s *site) {
		s.amazon.InstanceRole = "node"
		s.set("AWS_EC2_METADATA_DISABLED=", "AWS_EC2_METADATA_SERVICE_ENDPOINT="+s.near(s.amazon))
	}, map[string]func(*site, cloudtest.Fault){"ecr": atECR, "instance": atInstance}},
	"gcr service account": {"gcr", artifact, func(s *site) { s.usual("gcr") }, map[string]func(*site, cloudtest.Fault){"oauth2": atOAuth}},
	"gcr login": {"gcr", artifact, func(s *site) {
		s.set("GOOGLE_APPLICATION_CREDENTIALS=" + s.write("login.json", s.google.User(s.t, "person@example.com")))
	}, map[string]func(*site, cloudtest.Fault){"oauth2": atOAuth}},
	"gcr federation and impersonation": {"gcr", artifact, func(s *site) {
		const pool, kind = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/provider", "urn:ietf:params:oauth:token-type:jwt"
		s.google.Trust(pool, kind, secret, "principal")
		s.google.Allow("principal", puller)
		s.set("GOOGLE_APPLICATION_CREDENTIALS=" + s.write("federated.json", google.Text(s.t, map[string]any{
			"type": "external_account", "audience": pool, "subject_token_type": kind,
			"credential_source":                 map[string]any{"file": s.write("subject", secret)},
			"service_account_impersonation_url": "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/" + puller + ":generateAccessToken",
		})))
	}, map[string]func(*site, cloudtest.Fault){"sts": atGoogleSTS, "iam": atIAM}},
	"gcr metadata": {"gcr", artifact, func(s *site) {
		s.set("GCE_METADATA_HOST=" + strings.TrimPrefix(s.near(s.google.Handlers()[google.Metadata]), "http://"))
	}, map[string]func(*site, cloudtest.Fault){"metadata": atMetadata}},
	"acr secret": {"acr", myreg, func(s *site) { s.usual("acr") }, map[string]func(*site, cloudtest.Fault){"entra": atEntra, "exchange": atExchange}},
	"acr workload identity": {"acr", myreg, func(s *site) {
		s.azure.Federate(s.app, "token.of.kubernetes")
		s.set("AZURE_TENANT_ID="+tenant, "AZURE_CLIENT_ID="+client, "AZURE_FEDERATED_TOKEN_FILE="+s.write("token", "token.of.kubernetes"))
	}, map[string]func(*site, cloudtest.Fault){"entra": atEntra, "exchange": atExchange}},
	"acr managed identity": {"acr", myreg, func(s *site) {
		s.azure.Manage(s.app)
		s.set("IDENTITY_ENDPOINT="+s.near(s.azure.Service()), "IDENTITY_HEADER="+azure.HeaderValue)
	}, map[string]func(*site, cloudtest.Fault){"managed": atManaged, "exchange": atExchange}},
}
