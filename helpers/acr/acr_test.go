package acr

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest/azure"
)

const (
	host   = "myreg.azurecr.io"
	tenant = "11111111-2222-3333-4444-555555555555"
	client = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
	// value is obviously not a secret.
	value = "not~a.secret_of-the-application"
)

// newCloud starts Azure behind a proxy, with an application that may pull from one registry.
func newCloud(t *testing.T) (*azure.Server, *cloudtest.Proxy, azure.Application) {
	t.Helper()
	cloud, proxy := azure.New(t), cloudtest.NewProxy(t)
	cloud.Join(proxy, host)
	app := cloud.AddApplication(azure.Public, tenant, client)
	cloud.SetSecret(app, value)
	cloud.Grant(host, app)
	return cloud, proxy, app
}

func registry(t *testing.T, s string) helpers.Registry {
	t.Helper()
	r, err := helpers.ParseServerURL(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// material is that of an application; pairs of keys and values come on top.
func material(t *testing.T, at string, pairs ...string) helpers.Material {
	t.Helper()
	values := map[string]string{tenantKey: tenant, clientKey: client}
	for i := 0; i < len(pairs); i += 2 {
		values[pairs[i]] = pairs[i+1]
	}
	row, _ := helpers.TypeNamed(typ)
	m, err := helpers.NewMaterial(row, registry(t, at), values)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestExchange shows a token of each cloud, for each way of showing who one is.
func TestExchange(t *testing.T) {
	t.Parallel()
	pem, der, public := newCertificate(t, 1, time.Now().Add(time.Hour))
	for _, c := range []struct{ host, authority string }{
		{"myreg.azurecr.io", azure.Public},
		{"myreg-a1b2c3.azurecr.io", azure.Public},
		{"myreg.eastus.geo.azurecr.io", azure.Public},
		{"myreg.azurecr.cn", azure.China},
		{"myreg.azurecr.us", azure.Government},
	} {
		cloud, proxy := azure.New(t), cloudtest.NewProxy(t)
		cloud.Join(proxy, c.host)
		app := cloud.AddApplication(c.authority, tenant, client)
		cloud.SetSecret(app, value)
		cloud.SetCertificate(t, app, der, public)
		cloud.SetDomain(tenant, "contoso.example")
		cloud.Grant(c.host, app)
		for name, m := range map[string]helpers.Material{
			"secret":               material(t, c.host, secretKey, value),
			"certificate":          material(t, c.host, certificateKey, pem),
			"a domain for tenant":  material(t, c.host, secretKey, value, tenantKey, "contoso.example"),
			"a domain, signed for": material(t, c.host, certificateKey, pem, tenantKey, "contoso.example"),
		} {
			before := time.Now()
			got, err := New(helpers.Machine{Getenv: proxy.Getenv}).Exchange(t.Context(), registry(t, c.host), m)
			if err != nil {
				t.Errorf("%s, %s: %v", c.host, name, err)
				continue
			}
			if who, ok := cloud.Principal(c.host, got.Secret()); !ok || who != client || got.Username() != username {
				t.Errorf("%s, %s: got %q with a token of %q (valid: %v)", c.host, name, got.Username(), who, ok)
			}
			if left := got.ExpiresAt().Sub(before); left < 179*time.Minute || left > 181*time.Minute {
				t.Errorf("%s, %s: the token is believed to live for %v, want three hours", c.host, name, left)
			}
			if len(got.Secret()) < 4096 {
				t.Errorf("%s, %s: a token of %d bytes tests no long ones", c.host, name, len(got.Secret()))
			}
		}
		for _, called := range proxy.Called() {
			if called != c.host+":443" && called != c.authority+":443" {
				t.Errorf("%s: called %s", c.host, called)
			}
		}
	}
}

func TestExchangeTokenPair(t *testing.T) {
	t.Parallel()
	_, proxy, _ := newCloud(t)
	row, _ := helpers.TypeNamed(typ)
	m, err := helpers.NewMaterial(row, registry(t, host), map[string]string{tokenNameKey: "puller", tokenKey: value})
	if err != nil {
		t.Fatal(err)
	}
	got, err := New(helpers.Machine{Getenv: proxy.Getenv}).Exchange(t.Context(), registry(t, host), m)
	if err != nil || got.Username() != "puller" || got.Secret() != value || !got.ExpiresAt().IsZero() {
		t.Errorf("got %q until %v, %v", got.Username(), got.ExpiresAt(), err)
	}
	if len(proxy.Called()) > 0 {
		t.Errorf("called %v for what needs no call", proxy.Called())
	}
}

// lookAlikes are hosts that must never see a token of Entra's.
var lookAlikes = []string{
	"myreg.data.azurecr.io", "myreg.eastus.data.azurecr.io", "mcr.microsoft.com", "azurecr.io", "myreg.azurecr.io.evil.example", "myreg-azurecr.io",
	"evil.example", "myregazurecr.io", "myreg.azurecr.de", "myreg.azurecr.com", "xn--myreg-x.azurecr.io", "a.azurecr.io", "my.reg.azurecr.io",
	"myreg.azurecr.io:8443", "myreg.eastus.azurecr.io", "myreg.eastus.geo.azurecr.evil", "us-docker.pkg.dev", "myreg.azurecr.io.", "MYREG.azurecr.io",
}

func TestExchangeWrongHost(t *testing.T) {
	t.Parallel()
	_, proxy, _ := newCloud(t)
	for _, at := range lookAlikes {
		r := registry(t, at)
		if r.Identity() == host {
			continue // another spelling of it, which is what the canonical form is for
		}
		if _, err := New(helpers.Machine{Getenv: proxy.Getenv}).Exchange(t.Context(), r, material(t, at, secretKey, value)); !errors.Is(err, helpers.WrongHost) {
			t.Errorf("%s: got %v, want %s", at, err, helpers.WrongHost)
		}
		if _, err := New(helpers.Machine{Getenv: proxy.Getenv}).Exchange(t.Context(), r, material(t, host, secretKey, value)); !errors.Is(err, helpers.WrongHost) {
			t.Errorf("%s with material of %s: got %v, want %s", at, host, err, helpers.WrongHost)
		}
	}
	if len(proxy.Called()) > 0 {
		t.Errorf("called %v", proxy.Called())
	}
}

func TestExchangeRefuses(t *testing.T) {
	t.Parallel()
	_, proxy, _ := newCloud(t)
	good, _, _ := newCertificate(t, 1, time.Now().Add(time.Hour))
	other, _, _ := newCertificate(t, 2, time.Now().Add(time.Hour))
	expired, _, _ := newCertificate(t, 1, time.Date(2020, 1, 2, 0, 0, 0, 0, time.UTC))
	cut := strings.Index(good, "-----BEGIN PRIVATE KEY-----")
	for name, c := range map[string]struct {
		key, value, tenant string
		reason             helpers.Reason
		says               string
	}{
		"a tenant with a path":       {secretKey, value, "x/../../canary", helpers.BadMaterial, "neither a GUID nor a domain"},
		"a tenant with a query":      {secretKey, value, "x?canary=", helpers.BadMaterial, "neither a GUID nor a domain"},
		"a tenant with a user":       {secretKey, value, "x@canary.example", helpers.BadMaterial, "neither a GUID nor a domain"},
		"a path":                     {certificateKey, "/home/canary/cert.pem", tenant, helpers.BadMaterial, "the content, not its path"},
		"a PFX file":                 {certificateKey, "MIIKcanary", tenant, helpers.BadMaterial, "openssl pkcs12"},
		"a certificate only":         {certificateKey, good[:cut], tenant, helpers.BadMaterial, "no private key"},
		"a key only":                 {certificateKey, good[cut:], tenant, helpers.BadMaterial, "no certificate of its private key"},
		"another key's certificate":  {certificateKey, other[:strings.Index(other, "-----BEGIN PRIVATE KEY-----")] + good[cut:], tenant, helpers.BadMaterial, "no certificate of its"},
		"an encrypted key":           {certificateKey, "-----BEGIN ENCRYPTED PRIVATE KEY-----\nY2FuYXJ5\n-----END ENCRYPTED PRIVATE KEY-----\n", tenant, helpers.BadMaterial, "openssl pkey"},
		"a certificate that expired": {certificateKey, expired, tenant, helpers.ExpiredIdentity, "expired on 2020-01-02"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(helpers.Machine{Getenv: proxy.Getenv}).Exchange(t.Context(), registry(t, host), material(t, host, c.key, c.value, tenantKey, c.tenant))
			if !errors.Is(err, c.reason) {
				t.Fatalf("got %v, want %s", err, c.reason)
			}
			if said := err.Error() + "; " + helpers.HintOf(err); !strings.Contains(said, c.says) {
				t.Errorf("got %q, want it to say %q", said, c.says)
			}
			cloudtest.Secretless(t, err, "canary")
			cloudtest.Secretless(t, err, value)
		})
	}
	row, _ := helpers.TypeNamed(typ)
	for _, key := range []string{"AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_FEDERATED_TOKEN_FILE"} {
		m, err := helpers.NewMaterial(row, registry(t, host), map[string]string{tenantKey: tenant, clientKey: client, key: "/etc/shadow"})
		if err == nil {
			_, err = New(helpers.Machine{Getenv: proxy.Getenv}).Exchange(t.Context(), registry(t, host), m)
		}
		if !errors.Is(err, helpers.BadMaterial) {
			t.Errorf("material that names a file in %s: got %v, want %s", key, err, helpers.BadMaterial)
		}
	}
	if len(proxy.Called()) > 0 {
		t.Errorf("called %v", proxy.Called())
	}
}

// TestFaults shows what becomes of each way in which either service can misbehave. Whatever it answers is in no error, and
// nothing goes to another host.
func TestFaults(t *testing.T) {
	t.Parallel()
	const canary = "canary-in-an-answer"
	quick, patient := 3*time.Second, time.Minute // a busy machine needs a while to call at all
	type fault struct {
		fault    cloudtest.Fault
		patience time.Duration
		reason   helpers.Reason // empty: a credential
		calls    int
	}
	for _, at := range []string{azure.Public, host} {
		for name, c := range map[string]fault{
			"slow":               {cloudtest.Delay(100 * time.Millisecond), patient, "", 1},
			"throttles once":     {cloudtest.Throttle(1), patient, "", 2},
			"throttles":          {cloudtest.Throttle(100), patient, helpers.Throttled, 4},
			"out of order once":  {cloudtest.Times(1, cloudtest.Status(503, canary)), patient, "", 2},
			"out of order":       {cloudtest.Status(500, canary), patient, helpers.Unavailable, 4},
			"denies":             {cloudtest.Status(401, `{"error":"invalid_client","error_description":"`+canary+`"}`), patient, helpers.AccessDenied, 1},
			"forbids":            {cloudtest.Status(403, canary), patient, helpers.AccessDenied, 1},
			"hangs":              {cloudtest.Hang(), quick, helpers.Timeout, 1},
			"drips":              {cloudtest.Drip(), quick, helpers.Timeout, 1},
			"sends 2 GiB":        {cloudtest.Bomb(nil), patient, helpers.BadAnswer, 1},
			"redirects":          {cloudtest.Redirect("https://elsewhere.example/token"), patient, helpers.BadAnswer, 1},
			"garbage":            {cloudtest.Garbage(canary), patient, helpers.BadAnswer, 1},
			"nothing":            {cloudtest.Status(200, ""), patient, helpers.BadAnswer, 1},
			"no token":           {cloudtest.Status(200, `{"x":"`+canary+`"}`), patient, helpers.BadAnswer, 1},
			"a token of 2 lines": {cloudtest.Status(200, `{"access_token":"a\n`+canary+`","refresh_token":"a.e30.\n`+canary+`"}`), patient, helpers.BadAnswer, 1},
		} {
			t.Run(at+" "+name, func(t *testing.T) {
				t.Parallel()
				cloud, proxy, _ := newCloud(t)
				elsewhere := cloudtest.NewGate()
				proxy.Serve("elsewhere.example", elsewhere.Guard("elsewhere", http.NotFoundHandler()))
				cloud.Order(at, c.fault)
				ctx, cancel := context.WithTimeout(t.Context(), c.patience)
				defer cancel()
				got, err := New(helpers.Machine{Getenv: proxy.Getenv}).Exchange(ctx, registry(t, host), material(t, host, secretKey, value))
				if helpers.ReasonOf(err) != c.reason || (err == nil) == got.IsZero() {
					t.Errorf("got %v, want %q", err, c.reason)
				}
				cloudtest.Secretless(t, err, canary)
				cloudtest.Secretless(t, err, value)
				if n := cloud.Count(at); n != c.calls {
					t.Errorf("it was called %d times, want %d", n, c.calls)
				}
				if elsewhere.Total() != 0 || slices.Contains(proxy.Called(), "elsewhere.example:443") {
					t.Error("the redirect was followed")
				}
			})
		}
	}
}

// TestDenied shows that each way of being turned away has its own reason, and that it is asked for once.
func TestDenied(t *testing.T) {
	t.Parallel()
	pem, _, _ := newCertificate(t, 1, time.Now().Add(time.Hour))
	for name, c := range map[string]struct {
		change func(t *testing.T, cloud *azure.Server, app azure.Application) []string // more of the material
		reason helpers.Reason
		says   string
	}{
		"a wrong secret": {func(t *testing.T, cloud *azure.Server, app azure.Application) []string {
			return []string{secretKey, "canary"}
		}, helpers.AccessDenied, "the secret's value, and not its ID"},
		"an expired secret": {func(t *testing.T, cloud *azure.Server, app azure.Application) []string {
			cloud.SetSecret(app, "canary")
			cloud.ExpireSecret(app)
			return []string{secretKey, "canary"}
		}, helpers.ExpiredIdentity, "az ad app credential reset"},
		"an unknown certificate": {func(t *testing.T, cloud *azure.Server, app azure.Application) []string {
			return []string{certificateKey, pem}
		}, helpers.AccessDenied, "not one of the application's"},
		"an unknown application": {func(t *testing.T, cloud *azure.Server, app azure.Application) []string {
			return []string{secretKey, value, clientKey, "canary"}
		}, helpers.BadMaterial, clientKey},
		"an unknown tenant": {func(t *testing.T, cloud *azure.Server, app azure.Application) []string {
			return []string{secretKey, value, tenantKey, "canary.example"}
		}, helpers.BadMaterial, tenantKey},
		"no role at the registry": {func(t *testing.T, cloud *azure.Server, app azure.Application) []string {
			stranger := cloud.AddApplication(azure.Public, tenant, "stranger")
			cloud.SetSecret(stranger, "canary")
			return []string{secretKey, "canary", clientKey, "stranger"}
		}, helpers.AccessDenied, "AcrPull"},
		"a network that is closed": {func(t *testing.T, cloud *azure.Server, app azure.Application) []string {
			cloud.Order(host, cloudtest.Status(403, `{"errors":[{"code":"DENIED","message":"canary"}]}`))
			return []string{secretKey, value}
		}, helpers.AccessDenied, "network rules"},
		"a host without an exchange": {func(t *testing.T, cloud *azure.Server, app azure.Application) []string {
			cloud.Order(host, cloudtest.Status(404, "canary"))
			return []string{secretKey, value}
		}, helpers.BadAnswer, "see the name of the registry"},
		"a grant that has ended": {func(t *testing.T, cloud *azure.Server, app azure.Application) []string {
			cloud.Order(azure.Public, cloudtest.Status(400, `{"error":"invalid_grant","error_description":"canary"}`))
			return []string{secretKey, value}
		}, helpers.ExpiredIdentity, "renew it"},
		"a disabled application": {func(t *testing.T, cloud *azure.Server, app azure.Application) []string {
			cloud.Order(azure.Public, cloudtest.Status(400, `{"error":"unauthorized_client","error_codes":[7000112]}`))
			return []string{secretKey, value}
		}, helpers.AccessDenied, "enable it"},
		"a token that is over": {func(t *testing.T, cloud *azure.Server, app azure.Application) []string {
			cloud.SetLifetime(5 * time.Second)
			return []string{secretKey, value}
		}, helpers.Unavailable, "about to expire"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud, proxy, app := newCloud(t)
			m := material(t, host, c.change(t, cloud, app)...)
			_, err := New(helpers.Machine{Getenv: proxy.Getenv}).Exchange(t.Context(), registry(t, host), m)
			if !errors.Is(err, c.reason) {
				t.Fatalf("got %v, want %s", err, c.reason)
			}
			if said := err.Error() + "; " + helpers.HintOf(err); !strings.Contains(said, c.says) {
				t.Errorf("got %q, want it to say %q", said, c.says)
			}
			cloudtest.Secretless(t, err, "canary")
			cloudtest.Secretless(t, err, value)
			if cloud.Count(azure.Public) != 1 || cloud.Count(host) > 1 {
				t.Errorf("%d calls of Entra and %d of the registry", cloud.Count(azure.Public), cloud.Count(host))
			}
		})
	}
}

// TestClockIsOff shows that a machine with a wrong clock gets a token, and believes in its life by its own clock.
func TestClockIsOff(t *testing.T) {
	t.Parallel()
	for _, off := range []time.Duration{-24 * time.Hour, -10 * time.Minute, 10 * time.Minute, 24 * time.Hour} {
		t.Run(off.String(), func(t *testing.T) {
			t.Parallel()
			cloud, proxy, app := newCloud(t)
			pem, der, public := newCertificate(t, 1, time.Now().Add(72*time.Hour))
			cloud.SetCertificate(t, app, der, public)
			e := New(helpers.Machine{Getenv: proxy.Getenv}).(*Exchanger)
			now := time.Now().Add(off)
			e.service.now = func() time.Time { return now }
			got, err := e.Exchange(t.Context(), registry(t, host), material(t, host, certificateKey, pem))
			if err != nil {
				t.Fatal(err)
			}
			if left := got.ExpiresAt().Sub(now); (left - 3*time.Hour).Abs() > 5*time.Second {
				t.Errorf("the token is believed to live for %v, want three hours", left)
			}
		})
	}
}

func TestShare(t *testing.T) {
	t.Parallel()
	share := func(at string, pairs ...string) string {
		return Share(nil, registry(t, at), material(t, at, pairs...)).Token
	}
	first := share(host, secretKey, value)
	for name, other := range map[string]string{
		"another registry":    share("other.azurecr.io", secretKey, value),
		"another secret":      share(host, secretKey, "other"),
		"another application": share(host, secretKey, value, clientKey, "other"),
		"another tenant":      share(host, secretKey, value, tenantKey, "other"),
		"a certificate":       share(host, certificateKey, value),
	} {
		if other == first || other == "" {
			t.Errorf("%s has the key %q", name, other)
		}
	}
	if first != share(host, secretKey, value) {
		t.Error("the same material has two keys")
	}
	row, _ := helpers.TypeNamed(typ)
	pair, err := helpers.NewMaterial(row, registry(t, host), map[string]string{tokenNameKey: "puller", tokenKey: value})
	if err != nil || Share(nil, registry(t, host), pair) != (helpers.Key{}) {
		t.Errorf("a token pair is cached, or %v", err)
	}
}
