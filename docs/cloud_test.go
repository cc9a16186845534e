package docs_test

import (
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest/aws"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest/azure"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest/google"
	"github.com/beam-cloud/docker-credential-beta9/internal/island"
	"github.com/beam-cloud/docker-credential-beta9/internal/registrytest"
)

// The registries in clouds that pages speak of, each with an image acme/app:1.
const (
	elastic  = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
	artifact = "us-docker.pkg.dev"
	azurecr  = "myregistry.azurecr.io"
)

// tokenServices are the services of Amazon by name; those of the others have theirs in their packages.
var tokenServices = []string{"api.ecr.us-east-1.amazonaws.com", "sts.us-east-1.amazonaws.com"}

// clouds are all names that lead to a cloud.
func clouds() []string {
	return append([]string{elastic, artifact, azurecr, google.OAuth2, azure.Public}, tokenServices...)
}

// serveClouds brings the clouds about in which the reader is somebody. It returns the variables that say who, and
// SERVICE_ACCOUNT, which holds the key of one.
func serveClouds(t *testing.T, isle *island.Island) []string {
	t.Helper()
	amazon, goog, az := aws.New(), google.New(t), azure.New(t)
	const tenant, client, secret = "11111111-2222-3333-4444-555555555555", "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "not~a.secret"
	app := az.AddApplication(azure.Public, tenant, client)
	az.SetSecret(app, secret)
	az.Grant(azurecr, app)
	for _, name := range tokenServices {
		serveTLS(t, name, isle, amazon)
	}
	serveTLS(t, google.OAuth2, isle, goog.Handlers()[google.OAuth2])
	serveTLS(t, azure.Public, isle, az.Authority(azure.Public))
	for host, verify := range map[string]func(user, password string) bool{
		elastic:  func(_, password string) bool { _, ok := amazon.Issued(password); return ok },
		artifact: func(_, password string) bool { _, ok := goog.Principal(password); return ok },
		azurecr:  func(_, password string) bool { _, ok := az.Principal(azurecr, password); return ok },
	} {
		o := registrytest.Options{
			Listen: []string{host + ":443"}, TLS: isle.Authority.ServerConfig(), Auth: registrytest.Bearer, Verify: verify,
			Accounts: map[string]string{"owner": token}, // who pushes
		}
		if host == azurecr {
			o.Handle = map[string]http.Handler{"/oauth2/exchange": az.Exchange(azurecr)}
		}
		registrytest.Start(t, o).MustPush(t, "acme/app:1", registrytest.SmallImage(t))
	}
	reader := amazon.User("reader")
	return []string{
		"AWS_ACCESS_KEY_ID=" + reader.ID, "AWS_SECRET_ACCESS_KEY=" + reader.Secret,
		"SERVICE_ACCOUNT=" + goog.ServiceAccount(t, "puller@project.iam.gserviceaccount.com", 0),
		"AZURE_TENANT_ID=" + tenant, "AZURE_CLIENT_ID=" + client, "AZURE_CLIENT_SECRET=" + secret,
	}
}

// serveTLS serves a name on port 443 until the test ends.
func serveTLS(t *testing.T, name string, isle *island.Island, handler http.Handler) {
	t.Helper()
	listener, err := net.Listen("tcp", name+":443")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: handler, TLSConfig: isle.Authority.ServerConfig(), ReadHeaderTimeout: time.Minute}
	go s.ServeTLS(listener, "", "") // ends with Close
	t.Cleanup(func() { s.Close() })
}
