package gcr

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest/google"
)

const (
	puller = "puller@project.iam.gserviceaccount.com"
	person = "dev@example.com"
	host   = "us-docker.pkg.dev"
)

// newCloud starts Google behind a proxy that ends with the test.
func newCloud(t *testing.T) (*google.Server, *cloudtest.Proxy) {
	t.Helper()
	cloud, proxy := google.New(t), cloudtest.NewProxy(t)
	cloud.Join(proxy)
	return cloud, proxy
}

func registry(t *testing.T, s string) helpers.Registry {
	t.Helper()
	r, err := helpers.ParseServerURL(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func material(t *testing.T, at, key, value string) helpers.Material {
	t.Helper()
	row, _ := helpers.TypeNamed(typ)
	m, err := helpers.NewMaterial(row, registry(t, at), map[string]string{key: value})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestExchange(t *testing.T) {
	t.Parallel()
	cloud, proxy := newCloud(t)
	for _, c := range []struct{ name, key, value, principal string }{
		{"service account", "GCP_SERVICE_ACCOUNT_JSON", cloud.ServiceAccount(t, puller, 0), puller},
		{"service account, under Google's name", "GOOGLE_APPLICATION_CREDENTIALS_JSON", cloud.ServiceAccount(t, puller, 0), puller},
		{"service account, where a path is usual", "GOOGLE_APPLICATION_CREDENTIALS", cloud.ServiceAccount(t, puller, 0), puller},
		{"login of a person", "GCP_SERVICE_ACCOUNT_JSON", cloud.User(t, person), person},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := time.Now()
			got, err := New(helpers.Machine{Getenv: proxy.Getenv}).Exchange(t.Context(), registry(t, host), material(t, host, c.key, c.value))
			if err != nil {
				t.Fatal(err)
			}
			if who, ok := cloud.Principal(got.Secret()); !ok || who != c.principal || got.Username() != "oauth2accesstoken" {
				t.Errorf("got %q with a token of %q (valid: %v), want oauth2accesstoken with one of %q", got.Username(), who, ok, c.principal)
			}
			if left := got.ExpiresAt().Sub(before); left < 59*time.Minute || left > 61*time.Minute {
				t.Errorf("the token is believed to live for %v, want about an hour", left)
			}
		})
	}
	for _, called := range proxy.Called() {
		if called != google.OAuth2+":443" {
			t.Errorf("called %s", called)
		}
	}
}

func TestExchangeAccessToken(t *testing.T) {
	t.Parallel()
	_, proxy := newCloud(t)
	got, err := New(helpers.Machine{Getenv: proxy.Getenv}).Exchange(t.Context(), registry(t, "gcr.io"), material(t, "gcr.io", tokenKey, "ya29.not-a-token"))
	if err != nil || got.Username() != username || got.Secret() != "ya29.not-a-token" || !got.ExpiresAt().IsZero() {
		t.Errorf("got %q, %q until %v, %v", got.Username(), got.Secret(), got.ExpiresAt(), err)
	}
	for _, bad := range []string{"ya29.canary\r\nX-Header: 1", "ya29.canary with spaces", "ya29.canary\n", "canary\u00e9"} {
		_, err := New(helpers.Machine{Getenv: proxy.Getenv}).Exchange(t.Context(), registry(t, "gcr.io"), material(t, "gcr.io", tokenKey, bad))
		if !errors.Is(err, helpers.BadMaterial) {
			t.Errorf("%q: got %v, want %s", bad, err, helpers.BadMaterial)
		}
		cloudtest.Secretless(t, err, "canary")
	}
	if len(proxy.Called()) > 0 {
		t.Errorf("called %v for what needs no call", proxy.Called())
	}
}

func TestExchangeWrongHost(t *testing.T) {
	t.Parallel()
	cloud, proxy := newCloud(t)
	key := cloud.ServiceAccount(t, puller, 0)
	for _, c := range []struct{ bound, asked string }{
		{"us-docker.pkg.dev", "gcr.io"},
		{"us-docker.pkg.dev", "us-docker.pkg.dev:8443"},
		{"us-docker.pkg.dev", "us-docker.pkg.dev.evil.example"},
		{"ghcr.io", "ghcr.io"},
		{"myreg.azurecr.io", "myreg.azurecr.io"},
		{"mirror.gcr.io", "mirror.gcr.io"},
	} {
		_, err := New(helpers.Machine{Getenv: proxy.Getenv}).Exchange(t.Context(), registry(t, c.asked), material(t, c.bound, "GCP_SERVICE_ACCOUNT_JSON", key))
		if !errors.Is(err, helpers.WrongHost) {
			t.Errorf("material of %s for %s: got %v, want %s", c.bound, c.asked, err, helpers.WrongHost)
		}
	}
	if len(proxy.Called()) > 0 {
		t.Errorf("called %v", proxy.Called())
	}
}

// alter changes fields of a key file; nil takes a field away.
func alter(t *testing.T, text string, fields map[string]any) string {
	t.Helper()
	f := parseFields(t, text)
	for name, value := range fields {
		if f[name] = value; value == nil {
			delete(f, name)
		}
	}
	return google.Text(t, f)
}

// TestEndpointsArePinned shows that what a key file says of addresses is not believed.
func TestEndpointsArePinned(t *testing.T) {
	t.Parallel()
	cloud, proxy := newCloud(t)
	foreign := foreignServer(t)
	fields := map[string]any{
		"token_uri": foreign.URL + "/token", "auth_uri": foreign.URL, "universe_domain": "evil.example",
		"token_url": foreign.URL, "auth_provider_x509_cert_url": foreign.URL, "client_x509_cert_url": foreign.URL,
	}
	for principal, text := range map[string]string{puller: cloud.ServiceAccount(t, puller, 0), person: cloud.User(t, person)} {
		got, err := New(helpers.Machine{Getenv: proxy.Getenv}).Exchange(t.Context(), registry(t, host),
			material(t, host, "GCP_SERVICE_ACCOUNT_JSON", alter(t, text, fields)))
		if who, ok := cloud.Principal(got.Secret()); err != nil || !ok || who != principal {
			t.Errorf("%s: got a token of %q, %v", principal, who, err)
		}
	}
	if n := foreign.calls.Load(); n != 0 {
		t.Errorf("the server that the files name was called %d times", n)
	}
	for _, called := range proxy.Called() {
		if called != google.OAuth2+":443" {
			t.Errorf("called %s", called)
		}
	}
}

type counted struct {
	*httptest.Server
	calls atomic.Int64
}

// foreignServer is one that nobody should call.
func foreignServer(t *testing.T) *counted {
	t.Helper()
	c := &counted{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { c.calls.Add(1) }))
	t.Cleanup(c.Close)
	return c
}

func TestExchangeRefuses(t *testing.T) {
	t.Parallel()
	cloud, proxy := newCloud(t)
	key := cloud.ServiceAccount(t, puller, 0)
	user := cloud.User(t, person)
	for name, c := range map[string]struct{ text, says string }{
		"a path":                      {"/home/canary/key.json", "give the content of the file, not its path"},
		"base64":                      {base64.StdEncoding.EncodeToString([]byte(key)), "not its path"},
		"half of it":                  {key[:len(key)/2], "give the JSON as it was downloaded"},
		"no type":                     {alter(t, key, map[string]any{"type": nil}), "says nothing of the type"},
		"an OAuth client":             {`{"installed":{"client_id":"canary","client_secret":"canary"}}`, "OAuth client"},
		"an unknown type":             {alter(t, key, map[string]any{"type": "canary"}), "type that is not known"},
		"a type that is a number":     {alter(t, key, map[string]any{"type": 7}), "give the JSON as it was downloaded"},
		"federation":                  {`{"type":"external_account","audience":"canary"}`, "external_account, which is refused in a secret"},
		"impersonation":               {`{"type":"impersonated_service_account"}`, "impersonated_service_account, which is refused"},
		"workforce":                   {`{"type":"external_account_authorized_user"}`, "external_account_authorized_user, which is refused"},
		"Distributed Cloud":           {`{"type":"gdch_service_account"}`, "gdch_service_account"},
		"no email":                    {alter(t, key, map[string]any{"client_email": nil}), "has no client_email"},
		"no private key":              {alter(t, key, map[string]any{"private_key": ""}), "has no private_key"},
		"no PEM":                      {alter(t, key, map[string]any{"private_key": "canary"}), "no private key in PEM form"},
		"a damaged key":               {alter(t, key, map[string]any{"private_key": "-----BEGIN PRIVATE KEY-----\nY2FuYXJ5\n-----END PRIVATE KEY-----\n"}), "damaged"},
		"no refresh token":            {alter(t, user, map[string]any{"refresh_token": nil}), "has no refresh_token"},
		"a login without its client":  {alter(t, user, map[string]any{"client_id": nil}), "has no client_id"},
		"a login without a client's.": {alter(t, user, map[string]any{"client_secret": nil}), "has no client_secret"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(helpers.Machine{Getenv: proxy.Getenv}).Exchange(t.Context(), registry(t, host), material(t, host, "GCP_SERVICE_ACCOUNT_JSON", c.text))
			if !errors.Is(err, helpers.BadMaterial) {
				t.Fatalf("got %v, want %s", err, helpers.BadMaterial)
			}
			if said := err.Error() + "; " + helpers.HintOf(err); !strings.Contains(said, c.says) {
				t.Errorf("got %q, want it to say %q", said, c.says)
			}
			cloudtest.Secretless(t, err, "canary")
			cloudtest.Secretless(t, err, "PRIVATE")
		})
	}
	if len(proxy.Called()) > 0 {
		t.Errorf("called %v", proxy.Called())
	}
}

// TestTokenServiceFaults shows what becomes of each way in which the token service can misbehave. Whatever it answers is
// in no error, and nothing goes to a second host.
func TestTokenServiceFaults(t *testing.T) {
	t.Parallel()
	const canary = "canary-in-an-answer"
	quick, patient := 3*time.Second, time.Minute // a busy machine needs a while to call at all
	for name, c := range map[string]struct {
		fault    cloudtest.Fault
		patience time.Duration
		reason   helpers.Reason // empty: a credential
		calls    int
	}{
		"slow":                  {cloudtest.Delay(100 * time.Millisecond), patient, "", 1},
		"throttles once":        {cloudtest.Throttle(1), patient, "", 2},
		"throttles":             {cloudtest.Throttle(100), patient, helpers.Throttled, 4},
		"out of order once":     {cloudtest.Times(1, cloudtest.Status(503, canary)), patient, "", 2},
		"out of order":          {cloudtest.Status(500, canary), patient, helpers.Unavailable, 4},
		"denies":                {cloudtest.Status(403, `{"error":"access_denied","error_description":"`+canary+`"}`), patient, helpers.AccessDenied, 1},
		"denies without a word": {cloudtest.Status(401, canary), patient, helpers.AccessDenied, 1},
		"denies in an object":   {cloudtest.Status(403, `{"error":{"code":403,"message":"`+canary+`"}}`), patient, helpers.AccessDenied, 1},
		"another grant":         {cloudtest.Status(400, `{"error":"invalid_grant","error_description":"`+canary+`"}`), patient, helpers.ExpiredIdentity, 1},
		"hangs":                 {cloudtest.Hang(), quick, helpers.Timeout, 1},
		"drips":                 {cloudtest.Drip(), quick, helpers.Timeout, 1},
		"sends 2 GiB":           {cloudtest.Bomb(nil), patient, helpers.BadAnswer, 1},
		"redirects":             {cloudtest.Redirect("https://elsewhere.example/token"), patient, helpers.BadAnswer, 1},
		"garbage":               {cloudtest.Garbage(canary), patient, helpers.BadAnswer, 1},
		"nothing":               {cloudtest.Status(200, ""), patient, helpers.BadAnswer, 1},
		"no token":              {cloudtest.Status(200, `{"expires_in":3600,"x":"`+canary+`"}`), patient, helpers.BadAnswer, 1},
		"a token of two lines":  {cloudtest.Status(200, `{"access_token":"`+canary+`\n","expires_in":3600}`), patient, helpers.BadAnswer, 1},
		"no expiry":             {cloudtest.Status(200, `{"access_token":"`+canary+`"}`), patient, helpers.Unavailable, 1},
		"an expired token":      {cloudtest.Status(200, `{"access_token":"`+canary+`","expires_in":-1}`), patient, helpers.Unavailable, 1},
		"nine seconds":          {cloudtest.Status(200, `{"access_token":"`+canary+`","expires_in":9}`), patient, helpers.Unavailable, 1},
		"eleven seconds":        {cloudtest.Status(200, `{"access_token":"`+canary+`","expires_in":11}`), patient, "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud, proxy := newCloud(t)
			elsewhere := cloudtest.NewGate()
			proxy.Serve("elsewhere.example", elsewhere.Guard("elsewhere", http.NotFoundHandler()))
			m := material(t, host, "GCP_SERVICE_ACCOUNT_JSON", cloud.ServiceAccount(t, puller, 0))
			cloud.Order(google.OAuth2, c.fault)
			ctx, cancel := context.WithTimeout(t.Context(), c.patience)
			defer cancel()
			got, err := New(helpers.Machine{Getenv: proxy.Getenv}).Exchange(ctx, registry(t, host), m)
			if helpers.ReasonOf(err) != c.reason || (err == nil) == got.IsZero() {
				t.Errorf("got %v and %v, want %q", got.IsZero(), err, c.reason)
			}
			cloudtest.Secretless(t, err, canary)
			if n := cloud.Count(google.OAuth2); n != c.calls {
				t.Errorf("the token service was called %d times, want %d", n, c.calls)
			}
			if elsewhere.Total() != 0 || slices.Contains(proxy.Called(), "elsewhere.example:443") {
				t.Error("the redirect was followed")
			}
		})
	}
}

func TestLongLivesAreNotBelieved(t *testing.T) {
	t.Parallel()
	cloud, proxy := newCloud(t)
	m := material(t, host, "GCP_SERVICE_ACCOUNT_JSON", cloud.ServiceAccount(t, puller, 0))
	cloud.Order(google.OAuth2, cloudtest.Status(200, `{"access_token":"ya29.x","expires_in":9223372036854775807}`))
	got, err := New(helpers.Machine{Getenv: proxy.Getenv}).Exchange(t.Context(), registry(t, host), m)
	if err != nil || got.ExpiresAt().After(time.Now().Add(longestLife)) {
		t.Errorf("got a token until %v, %v", got.ExpiresAt(), err)
	}
}

// TestEndedIdentities shows that whoever is no longer known is told what to do.
func TestEndedIdentities(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end    func(t *testing.T, cloud *google.Server) string
		reason helpers.Reason
		hint   string
	}{
		"the key was deleted": {func(t *testing.T, cloud *google.Server) string {
			key := cloud.ServiceAccount(t, puller, 0)
			cloud.DeleteKey(puller)
			return key
		}, helpers.ExpiredIdentity, "gcloud iam service-accounts keys create"},
		"the key is another's": {func(t *testing.T, cloud *google.Server) string {
			other := parseFields(t, cloud.ServiceAccount(t, "other@project.iam.gserviceaccount.com", 1))
			return alter(t, cloud.ServiceAccount(t, puller, 0), map[string]any{"private_key": other["private_key"]})
		}, helpers.ExpiredIdentity, "gcloud iam service-accounts keys create"},
		"the login was revoked": {func(t *testing.T, cloud *google.Server) string {
			user := cloud.User(t, person)
			cloud.EndLogin(person, "revoked")
			return user
		}, helpers.ExpiredIdentity, "gcloud auth application-default login"},
		"the person has to show up": {func(t *testing.T, cloud *google.Server) string {
			user := cloud.User(t, person)
			cloud.EndLogin(person, "invalid_rapt")
			return user
		}, helpers.LoginRequired, "gcloud auth application-default login"},
		"the client is unknown": {func(t *testing.T, cloud *google.Server) string {
			return alter(t, cloud.User(t, person), map[string]any{"client_secret": "other"})
		}, helpers.AccessDenied, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud, proxy := newCloud(t)
			text := c.end(t, cloud)
			_, err := New(helpers.Machine{Getenv: proxy.Getenv}).Exchange(t.Context(), registry(t, host), material(t, host, "GCP_SERVICE_ACCOUNT_JSON", text))
			if !errors.Is(err, c.reason) || !strings.Contains(helpers.HintOf(err), c.hint) {
				t.Errorf("got %v with the hint %q, want %s and %q", err, helpers.HintOf(err), c.reason, c.hint)
			}
			if n := cloud.Count(google.OAuth2); n != 1 {
				t.Errorf("a refusal was asked for %d times", n)
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
			cloud, proxy := newCloud(t)
			e := New(helpers.Machine{Getenv: proxy.Getenv}).(*Exchanger)
			now := time.Now().Add(off)
			e.service.now = func() time.Time { return now }
			got, err := e.Exchange(t.Context(), registry(t, host),
				material(t, host, "GCP_SERVICE_ACCOUNT_JSON", cloud.ServiceAccount(t, puller, 0)))
			if err != nil {
				t.Fatal(err)
			}
			if left := got.ExpiresAt().Sub(now); left != time.Hour {
				t.Errorf("the token is believed to live for %v, want an hour", left)
			}
		})
	}
}

func TestShare(t *testing.T) {
	t.Parallel()
	cloud, _ := newCloud(t)
	one, other := cloud.ServiceAccount(t, puller, 0), cloud.ServiceAccount(t, "other@project.iam.gserviceaccount.com", 0)
	share := func(at, key, value string) string {
		return Share(nil, registry(t, at), material(t, at, key, value)).Token
	}
	first := share("us-docker.pkg.dev", "GCP_SERVICE_ACCOUNT_JSON", one)
	switch {
	case first == "":
		t.Error("the token of a service account is not shared")
	case first != share("gcr.io", "GOOGLE_APPLICATION_CREDENTIALS", one):
		t.Error("two hosts do not share the token of one service account")
	case first == share("us-docker.pkg.dev", "GCP_SERVICE_ACCOUNT_JSON", other):
		t.Error("two service accounts share a token")
	case share("gcr.io", tokenKey, "ya29.x") != "":
		t.Error("an access token is cached")
	}
	if Share(nil, registry(t, "gcr.io"), material(t, "us-docker.pkg.dev", "GCP_SERVICE_ACCOUNT_JSON", one)) != (helpers.Key{}) {
		t.Error("material of another host has a key")
	}
}
