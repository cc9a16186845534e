package acr

import (
	"context"
	"errors"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest/azure"
)

// newMachine is a machine that is not Azure's, with a proxy to the stand-ins and these variables.
func newMachine(t *testing.T, proxy *cloudtest.Proxy, variables map[string]string) *ambient {
	t.Helper()
	getenv := func(key string) string {
		if value, ok := variables[key]; ok {
			return value
		}
		return proxy.Getenv(key)
	}
	a := Ambient(helpers.Machine{Getenv: getenv}).(*ambient)
	a.asset = write(t, "chassis_asset_tag", "No Asset Tag\n")
	return a
}

// newInstance is a virtual machine of Azure's.
func newInstance(t *testing.T, cloud *azure.Server, proxy *cloudtest.Proxy, variables map[string]string) *ambient {
	t.Helper()
	a := newMachine(t, proxy, variables)
	a.asset = write(t, "chassis_asset_tag", assetTag+"\n")
	s := httptest.NewServer(cloud.Instance())
	t.Cleanup(s.Close)
	a.instance = s.URL + "/metadata/identity/oauth2/token"
	return a
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWorkloadIdentity(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		host, authority string
		override        string
	}{
		"public":     {"myreg.azurecr.io", azure.Public, ""},
		"government": {"myreg.azurecr.us", azure.Government, ""},
		"override":   {"myreg.azurecr.io", azure.Government, "https://" + azure.Government + "/"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud, proxy := azure.New(t), cloudtest.NewProxy(t)
			cloud.Join(proxy, c.host)
			app := cloud.AddApplication(c.authority, tenant, client)
			cloud.Federate(app, "token.of.kubernetes")
			cloud.Grant(c.host, app)
			variables := map[string]string{
				tenantKey: tenant, clientKey: client, "AZURE_FEDERATED_TOKEN_FILE": write(t, "token", "token.of.kubernetes\n"),
				"AZURE_AUTHORITY_HOST": c.override, "IDENTITY_ENDPOINT": "http://127.0.0.1:1", "IDENTITY_HEADER": "x",
			}
			got, err := newMachine(t, proxy, variables).Token(t.Context(), registry(t, c.host))
			if who, ok := cloud.Principal(c.host, got.Secret()); err != nil || !ok || who != client || got.Source() != federatedSource {
				t.Errorf("got a token of %q from %q, %v", who, got.Source(), err)
			}
		})
	}
}

// TestWorkloadIdentityFails shows that what is configured and does not work is a failure, and leads to no other source.
func TestWorkloadIdentityFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change map[string]string
		reason helpers.Reason
		says   string
	}{
		"no tenant":                {map[string]string{tenantKey: ""}, helpers.BadMaterial, "without " + tenantKey},
		"no client":                {map[string]string{clientKey: ""}, helpers.BadMaterial, "without " + clientKey},
		"no file":                  {map[string]string{"AZURE_FEDERATED_TOKEN_FILE": "/nonexistent/token"}, helpers.BadMaterial, "cannot be read"},
		"a token for the file":     {map[string]string{"AZURE_FEDERATED_TOKEN_FILE": "e30.e30.canary"}, helpers.BadMaterial, "cannot be read"},
		"an empty file":            {map[string]string{"AZURE_FEDERATED_TOKEN_FILE": os.DevNull}, helpers.BadMaterial, "holds no token"},
		"a token of nobody's":      {nil, helpers.AccessDenied, "federated credentials of the application"},
		"an authority in clear":    {map[string]string{"AZURE_AUTHORITY_HOST": "http://login.microsoftonline.com"}, helpers.BadMaterial, "plain http"},
		"an authority that is not": {map[string]string{"AZURE_AUTHORITY_HOST": "https://login.evil.example"}, helpers.Unreachable, "proxy"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud, proxy, app := newCloud(t)
			cloud.Manage(app)
			variables := map[string]string{
				tenantKey: tenant, clientKey: client, "AZURE_FEDERATED_TOKEN_FILE": write(t, "token", "e30.e30.canary"),
			}
			maps.Copy(variables, c.change)
			_, err := newInstance(t, cloud, proxy, variables).Token(t.Context(), registry(t, host))
			if !errors.Is(err, c.reason) {
				t.Fatalf("got %v, want %s", err, c.reason)
			}
			if said := err.Error() + "; " + helpers.HintOf(err); !strings.Contains(said, c.says) {
				t.Errorf("got %q, want it to say %q", said, c.says)
			}
			cloudtest.Secretless(t, err, "canary")
			if cloud.Count(azure.IMDS) != 0 {
				t.Error("the machine's identity was asked for in its place")
			}
		})
	}
}

func TestManagedIdentity(t *testing.T) {
	t.Parallel()
	cloud, proxy, _ := newCloud(t)
	own := cloud.AddApplication(azure.Public, tenant, "own")
	second := cloud.AddApplication(azure.Public, tenant, "second")
	for _, app := range []azure.Application{own, second} {
		cloud.Manage(app)
		cloud.Grant(host, app)
	}
	endpoint := httptest.NewServer(cloud.Service())
	t.Cleanup(endpoint.Close)
	service := map[string]string{"IDENTITY_ENDPOINT": endpoint.URL + "/msi/token?x=1", "IDENTITY_HEADER": azure.HeaderValue}
	withClient := func(m map[string]string, client string) map[string]string {
		m = maps.Clone(m)
		if m == nil {
			m = map[string]string{}
		}
		m[clientKey] = client
		return m
	}
	for name, c := range map[string]struct {
		a              *ambient
		source, client string
	}{
		"virtual machine":             {newInstance(t, cloud, proxy, nil), instanceSource, "own"},
		"virtual machine, chosen":     {newInstance(t, cloud, proxy, withClient(nil, "second")), instanceSource, "second"},
		"App Service":                 {newMachine(t, proxy, service), serviceSource, "own"},
		"App Service, chosen":         {newMachine(t, proxy, withClient(service, "second")), serviceSource, "second"},
		"App Service before instance": {newInstance(t, cloud, proxy, service), serviceSource, "own"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.a.Token(t.Context(), registry(t, host))
			if who, ok := cloud.Principal(host, got.Secret()); err != nil || !ok || who != c.client || got.Source() != c.source {
				t.Errorf("got a token of %q from %q, %v, want %q from %q", who, got.Source(), err, c.client, c.source)
			}
		})
	}
	for _, called := range proxy.Called() {
		if called != host+":443" {
			t.Errorf("called %s", called)
		}
	}
}

// TestManagedOutcomes shows the outcomes where there is an endpoint for certain, and where that is a guess.
func TestManagedOutcomes(t *testing.T) {
	t.Parallel()
	const found, none, silent = "found", "none", "none, for want of an answer"
	type outcome struct {
		fault          cloudtest.Fault
		client         string
		certain, guess string
	}
	for _, certain := range []bool{true, false} {
		for name, c := range map[string]outcome{
			"answers":              {nil, "", found, found},
			"slow":                 {cloudtest.Delay(100 * time.Millisecond), "", found, found},
			"starts":               {cloudtest.Times(2, cloudtest.Status(410, "canary")), "", found, silent},
			"does not start":       {cloudtest.Status(404, "canary"), "", string(helpers.Unavailable), silent},
			"no identity":          {cloudtest.Status(400, `{"error":"invalid_request","error_description":"Identity not found"}`), "", none, none},
			"not this identity":    {nil, "canary", string(helpers.BadMaterial), none},
			"denies":               {cloudtest.Status(403, "canary"), "", string(helpers.AccessDenied), none},
			"another cloud's page": {cloudtest.Garbage("canary"), "", string(helpers.BadAnswer), silent},
			"silent":               {cloudtest.Hang(), "", string(helpers.Timeout), silent},
		} {
			want := c.guess
			if certain {
				want = c.certain
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				cloud, proxy, app := newCloud(t)
				cloud.Manage(app)
				cloud.Order(azure.IMDS, c.fault)
				a := newInstance(t, cloud, proxy, map[string]string{clientKey: c.client})
				if !certain {
					a.asset = filepath.Join(t.TempDir(), "none")
				}
				ctx, cancel := context.WithTimeout(t.Context(), probePatience*3/2)
				defer cancel()
				m, _ := detectManaged(a.machine.Getenv, a.instance, a.asset)
				if m == nil {
					return // on a Mac nothing is guessed
				}
				if m.certain != certain {
					t.Fatalf("certain: %v, want %v", m.certain, certain)
				}
				_, err := m.token(ctx, a.service)
				got := string(helpers.ReasonOf(err))
				switch {
				case err == nil:
					got = found
				case errors.Is(err, helpers.ErrNoAnswer):
					got = silent
				case helpers.IsNotFound(err):
					got = none
				}
				if got != want {
					t.Errorf("certain %v: got %v, want %s", certain, err, want)
				}
				cloudtest.Secretless(t, err, "canary")
			})
		}
	}
}

// TestAmbientNone shows what is said of the sources that were left, and that nobody is called.
func TestAmbientNone(t *testing.T) {
	t.Parallel()
	cloud, proxy, _ := newCloud(t)
	for name, c := range map[string]struct {
		variables map[string]string
		left      []string
	}{
		"nothing": {nil, []string{federatedSource + ": it is not set", serviceSource + ": it is not set",
			instanceSource + ": this machine is not one of Azure's"}},
		"Azure Arc": {map[string]string{"IDENTITY_ENDPOINT": "http://localhost:40342/metadata/identity/oauth2/token", "IMDS_ENDPOINT": "http://localhost:40342"},
			[]string{federatedSource + ": it is not set", serviceSource + ": it is there without IDENTITY_HEADER, as Azure Arc sets it, which is not supported",
				instanceSource + ": this machine is not one of Azure's"}},
	} {
		t.Run(name, func(t *testing.T) {
			var left []string
			ctx := helpers.WithTrace(t.Context(), helpers.Trace{SourceLeft: func(source, why string) { left = append(left, source+": "+why) }})
			a := newMachine(t, proxy, c.variables)
			if _, err := a.Key(ctx, registry(t, host)); !helpers.IsNotFound(err) {
				t.Errorf("key: got %v, want none", err)
			}
			if _, err := a.Token(ctx, registry(t, host)); !helpers.IsNotFound(err) {
				t.Errorf("token: got %v, want none", err)
			}
			if !slices.Equal(left, c.left) {
				t.Errorf("left %q, want %q", left, c.left)
			}
		})
	}
	variables := map[string]string{"IDENTITY_ENDPOINT": "http://127.0.0.1:1", "IDENTITY_HEADER": "x"}
	for _, at := range lookAlikes {
		if r := registry(t, at); r.Identity() != host {
			if _, err := newMachine(t, proxy, variables).Token(t.Context(), r); !helpers.IsNotFound(err) {
				t.Errorf("%s: got %v, want none", at, err)
			}
		}
	}
	if len(proxy.Called()) > 0 || cloud.Total() > 0 {
		t.Errorf("called %v", proxy.Called())
	}
}

// TestAmbientKey shows that a key opens no socket, is for one registry, and changes with the identity.
func TestAmbientKey(t *testing.T) {
	t.Parallel()
	_, proxy, _ := newCloud(t)
	token := write(t, "token", "one")
	workload := map[string]string{tenantKey: tenant, clientKey: client, "AZURE_FEDERATED_TOKEN_FILE": token}
	key := func(at string, variables map[string]string) string {
		t.Helper()
		k, err := newMachine(t, proxy, variables).Key(t.Context(), registry(t, at))
		if err != nil || k.Token == "" || k.Origin == "" {
			t.Fatalf("got %v, %v", k, err)
		}
		return k.Token
	}
	first := key(host, workload)
	if err := os.WriteFile(token, []byte("two"), 0o600); err != nil {
		t.Fatal(err)
	}
	if key(host, workload) != first {
		t.Error("a renewed token has another key")
	}
	other := maps.Clone(workload)
	other[clientKey] = "other"
	service := map[string]string{"IDENTITY_ENDPOINT": "http://127.0.0.1:1", "IDENTITY_HEADER": "x"}
	chosen := map[string]string{"IDENTITY_ENDPOINT": "http://127.0.0.1:1", "IDENTITY_HEADER": "x", clientKey: client}
	neighbour := map[string]string{"IDENTITY_ENDPOINT": "http://127.0.0.1:1", "IDENTITY_HEADER": "y"} // another app at one address
	keys := []string{first, key("other.azurecr.io", workload), key(host, other), key(host, service), key(host, chosen), key(host, neighbour)}
	for _, boot := range []string{"one", "two"} { // of a machine, and of one that was started from its disk
		a := newMachine(t, proxy, nil)
		a.asset, a.boot = write(t, "chassis_asset_tag", assetTag), write(t, "boot_id", boot)
		for range 2 {
			k, err := a.Key(t.Context(), registry(t, host))
			if err != nil {
				t.Fatal(err)
			}
			keys = append(keys, k.Token)
		}
	}
	if slices.Sort(keys); len(slices.Compact(keys)) != 8 {
		t.Error("two identities or two registries share a key")
	}
	if len(proxy.Called()) > 0 {
		t.Errorf("called %v", proxy.Called())
	}
}

// TestIdentityEndpointInClear shows that the header of App Service is sent to this machine or its link only.
func TestIdentityEndpointInClear(t *testing.T) {
	t.Parallel()
	_, proxy, _ := newCloud(t)
	for _, address := range []string{"http://identity.example/msi/token", "http://10.0.0.1/msi/token", "ftp://127.0.0.1/", ":"} {
		variables := map[string]string{"IDENTITY_ENDPOINT": address, "IDENTITY_HEADER": "canary"}
		_, err := newMachine(t, proxy, variables).Token(t.Context(), registry(t, host))
		if !errors.Is(err, helpers.BadMaterial) {
			t.Errorf("%s: got %v, want %s", address, err, helpers.BadMaterial)
		}
		cloudtest.Secretless(t, err, "canary")
	}
}
