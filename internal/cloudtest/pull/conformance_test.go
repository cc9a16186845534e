package pull_test

import (
	"cmp"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/conformance"
	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest/azure"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest/google"
	"github.com/beam-cloud/docker-credential-beta9/internal/commands"
)

// upstreamCases are those of the suite's cases that need a service; the others are run with all the helpers.
var upstreamCases = []string{"O7", "P3", "P7", "V4", "T1", "T3", "T4"}

func TestConformanceWithServices(t *testing.T) {
	t.Parallel()
	for typ, start := range map[string]func(*testing.T) conformance.Upstream{"gcr": startGoogle, "acr": startAzure} {
		host := map[string]string{"gcr": artifact, "acr": myreg}[typ]
		for _, id := range upstreamCases {
			t.Run(typ+" "+id, func(t *testing.T) {
				t.Parallel()
				h := conformance.Helper{
					Path: filepath.Join(commands.Folder(t), helpers.ExecutablePrefix+typ), Host: host, OtherHost: "ghcr.io",
					Upstream: func() (conformance.Upstream, error) { return start(t), nil },
				}
				for _, f := range conformance.Check(h, id) {
					t.Error(f.Saw)
				}
			})
		}
	}
}

// upstream is a cloud's stand-in, as the suite wants it. It ends with the test.
type upstream struct {
	environ  []string
	calls    func() int
	order    func(cloudtest.Fault)
	lifetime func(time.Duration)
}

func startGoogle(t *testing.T) conformance.Upstream {
	proxy, cloud := cloudtest.NewProxy(t), google.New(t)
	cloud.Join(proxy)
	return upstream{
		append(proxy.Environ(), "GCP_SERVICE_ACCOUNT_JSON="+cloud.ServiceAccount(t, puller, 0)), cloud.Total,
		func(f cloudtest.Fault) { cloud.Order(google.OAuth2, f) }, cloud.SetLifetime,
	}
}

func startAzure(t *testing.T) conformance.Upstream {
	proxy, cloud := cloudtest.NewProxy(t), azure.New(t)
	cloud.Join(proxy, myreg)
	app := cloud.AddApplication(azure.Public, tenant, client)
	cloud.SetSecret(app, secret)
	cloud.Grant(myreg, app)
	return upstream{
		append(proxy.Environ(), "AZURE_TENANT_ID="+tenant, "AZURE_CLIENT_ID="+client, "AZURE_CLIENT_SECRET="+secret), cloud.Total,
		func(f cloudtest.Fault) { cloud.Order(myreg, f) }, cloud.SetLifetime,
	}
}

func (u upstream) Env() []string { return u.environ }
func (u upstream) Calls() int    { return u.calls() }
func (u upstream) Close()        { u.order(nil) }

func (u upstream) Behave(b conformance.Behaviour) {
	u.lifetime(cmp.Or(b.Lifetime, time.Hour))
	switch {
	case b.Hang:
		u.order(cloudtest.Hang())
	case b.Location != "":
		u.order(cloudtest.Redirect(b.Location))
	case b.Status != 0 || b.Body != "":
		u.order(cloudtest.Status(cmp.Or(b.Status, http.StatusOK), cmp.Or(b.Body, `{"error":"server_error"}`)))
	default:
		u.order(nil)
	}
}
