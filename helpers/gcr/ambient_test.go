package gcr

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/helpers/jwt"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest/google"
)

const pool = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/provider"

func parseFields(t *testing.T, text string) map[string]any {
	t.Helper()
	var f map[string]any
	if err := json.Unmarshal([]byte(text), &f); err != nil {
		t.Fatal(err)
	}
	return f
}

// newMachine is a machine that is not Google's, with a proxy to the stand-ins and these variables.
func newMachine(t *testing.T, proxy *cloudtest.Proxy, variables map[string]string) *ambient {
	t.Helper()
	getenv := func(key string) string {
		if value, ok := variables[key]; ok {
			return value
		}
		return proxy.Getenv(key)
	}
	a := Ambient(helpers.Machine{Getenv: getenv}).(*ambient)
	a.product = write(t, "product_name", "OptiPlex 7010\n")
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

// metadataOf starts the metadata server and returns its host:port.
func metadataOf(t *testing.T, cloud *google.Server) string {
	t.Helper()
	s := httptest.NewServer(cloud.Handlers()[google.Metadata])
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// federatedFile is what gcloud writes of a federated identity.
func federatedFile(t *testing.T, source map[string]any, impersonated string) string {
	t.Helper()
	f := map[string]any{
		"type": "external_account", "audience": pool, "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
		"token_url": "https://sts.evil.example/v1/token", "credential_source": source,
	}
	if impersonated != "" {
		f["service_account_impersonation_url"] = "https://evil.example/v1/projects/-/serviceAccounts/" + impersonated + ":generateAccessToken"
	}
	if source["environment_id"] != nil {
		f["subject_token_type"] = "urn:ietf:params:aws:token-type:aws4_request"
	}
	return google.Text(t, f)
}

func impersonatedFile(t *testing.T, account, source string, delegates ...string) string {
	t.Helper()
	return google.Text(t, map[string]any{
		"type": "impersonated_service_account", "delegates": delegates, "source_credentials": parseFields(t, source),
		"service_account_impersonation_url": "https://evil.example/v1/projects/-/serviceAccounts/" + account + ":generateAccessToken",
	})
}

// TestAmbientIdentities shows whom the machine's own files make it.
func TestAmbientIdentities(t *testing.T) {
	t.Parallel()
	const target, middle, federation = "target@project.iam.gserviceaccount.com", "middle@project.iam.gserviceaccount.com", "principal://federated"
	for name, c := range map[string]struct {
		file      func(t *testing.T, cloud *google.Server) string
		variables map[string]string
		principal string
	}{
		"service account": {func(t *testing.T, cloud *google.Server) string { return cloud.ServiceAccount(t, puller, 0) }, nil, puller},
		"person":          {func(t *testing.T, cloud *google.Server) string { return cloud.User(t, person) }, nil, person},
		"workforce": {func(t *testing.T, cloud *google.Server) string {
			return alter(t, cloud.User(t, person), map[string]any{"type": "external_account_authorized_user"})
		}, nil, person},
		"impersonated": {func(t *testing.T, cloud *google.Server) string {
			cloud.Allow(puller, target)
			return impersonatedFile(t, target, cloud.ServiceAccount(t, puller, 0))
		}, nil, target},
		"impersonated through a delegate": {func(t *testing.T, cloud *google.Server) string {
			cloud.Allow(puller, middle)
			cloud.Allow(middle, target)
			return impersonatedFile(t, target, cloud.ServiceAccount(t, puller, 0), "projects/-/serviceAccounts/"+middle)
		}, nil, target},
		"impersonated by an impersonated one": {func(t *testing.T, cloud *google.Server) string {
			cloud.Allow(person, middle)
			cloud.Allow(middle, target)
			return impersonatedFile(t, target, impersonatedFile(t, middle, cloud.User(t, person)))
		}, nil, target},
		"federated by a file": {func(t *testing.T, cloud *google.Server) string {
			cloud.Trust(pool, "urn:ietf:params:oauth:token-type:jwt", "subject-token", federation)
			return federatedFile(t, map[string]any{"file": write(t, "token", "subject-token\n")}, "")
		}, nil, federation},
		"federated by a file of JSON, impersonated": {func(t *testing.T, cloud *google.Server) string {
			cloud.Trust(pool, "urn:ietf:params:oauth:token-type:jwt", "subject-token", federation)
			cloud.Allow(federation, target)
			return federatedFile(t, map[string]any{
				"file":   write(t, "token", `{"id_token":"subject-token"}`),
				"format": map[string]any{"type": "json", "subject_token_field_name": "id_token"},
			}, target)
		}, nil, target},
		"federated by an address": {func(t *testing.T, cloud *google.Server) string {
			cloud.Trust(pool, "urn:ietf:params:oauth:token-type:jwt", "subject-token", federation)
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") == "bearer job" {
					_, _ = w.Write([]byte(`{"value":"subject-token"}`))
				}
			}))
			t.Cleanup(s.Close)
			return federatedFile(t, map[string]any{
				"url": s.URL, "headers": map[string]any{"Authorization": "bearer job"},
				"format": map[string]any{"type": "json", "subject_token_field_name": "value"},
			}, "")
		}, nil, federation},
		"federated by AWS, keys of the environment": {func(t *testing.T, cloud *google.Server) string {
			cloud.TrustAWS(pool, awsExample, federation)
			return federatedFile(t, map[string]any{"environment_id": "aws1", "url": "http://evil.example"}, "")
		}, map[string]string{"AWS_ACCESS_KEY_ID": awsExample.AccessKeyID, "AWS_SECRET_ACCESS_KEY": awsExample.SecretAccessKey,
			"AWS_SESSION_TOKEN": awsExample.SessionToken, "AWS_REGION": "eu-west-1"}, federation},
		"federated by AWS, keys of the instance": {func(t *testing.T, cloud *google.Server) string {
			cloud.TrustAWS(pool, awsExample, federation)
			return federatedFile(t, map[string]any{"environment_id": "aws1"}, "")
		}, map[string]string{"AWS_EC2_METADATA_SERVICE_ENDPOINT": "instance"}, federation},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud, proxy := newCloud(t)
			variables := map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": write(t, "key.json", c.file(t, cloud))}
			for key, value := range c.variables {
				if variables[key] = value; value == "instance" {
					variables[key] = instanceMetadata(t)
				}
			}
			got, err := newMachine(t, proxy, variables).Token(t.Context(), registry(t, host))
			if err != nil {
				t.Fatal(err)
			}
			if who, ok := cloud.Principal(got.Secret()); !ok || who != c.principal || got.Source() != environmentSource {
				t.Errorf("got a token of %q from %q, want %q from %q", who, got.Source(), c.principal, environmentSource)
			}
			if left := time.Until(got.ExpiresAt()); left < 58*time.Minute || left > time.Hour {
				t.Errorf("the token is believed to live for %v, want about an hour", left)
			}
			for _, called := range proxy.Called() {
				if called != google.OAuth2+":443" && called != google.STS+":443" && called != google.IAMCredentials+":443" {
					t.Errorf("called %s", called)
				}
			}
		})
	}
}

// awsExample are the keys of AWS's documentation.
var awsExample = aws.Credentials{
	AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", SessionToken: "session-token-example",
}

// instanceMetadata stands in for the metadata service of EC2, in its second version.
func instanceMetadata(t *testing.T) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /latest/api/token", func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("imds-session")) })
	for path, text := range map[string]string{
		"/latest/meta-data/placement/region":          "us-west-2",
		"/latest/meta-data/iam/security-credentials/": "role-of-it",
		"/latest/meta-data/iam/security-credentials/role-of-it": google.Text(t, map[string]any{"Code": "Success", "AccessKeyId": awsExample.AccessKeyID,
			"SecretAccessKey": awsExample.SecretAccessKey, "Token": awsExample.SessionToken, "Expiration": "2030-01-01T00:00:00Z"}),
	} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("X-Aws-Ec2-Metadata-Token") != "imds-session" || r.URL.Path != path {
				http.Error(w, "no session", http.StatusUnauthorized)
				return
			}
			_, _ = w.Write([]byte(text))
		})
	}
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL
}

// TestImpersonationByAWrongClock shows that a time which Google names is taken for how long it is from now.
func TestImpersonationByAWrongClock(t *testing.T) {
	t.Parallel()
	cloud, proxy := newCloud(t)
	cloud.Allow(person, puller)
	path := write(t, "key.json", impersonatedFile(t, puller, cloud.User(t, person)))
	for _, off := range []time.Duration{-24 * time.Hour, 24 * time.Hour} {
		a := newMachine(t, proxy, map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": path})
		now := time.Now().Add(off)
		a.service.now = func() time.Time { return now }
		got, err := a.Token(t.Context(), registry(t, host))
		if err != nil {
			t.Fatal(err)
		}
		if left := got.ExpiresAt().Sub(now); (left - time.Hour).Abs() > 5*time.Second {
			t.Errorf("off by %v: the token is believed to live for %v, want an hour", off, left)
		}
	}
}

func TestAmbientRefuses(t *testing.T) {
	t.Parallel()
	const account = "target@project.iam.gserviceaccount.com"
	for name, c := range map[string]struct {
		file   func(t *testing.T, cloud *google.Server) string
		reason helpers.Reason
		says   string
	}{
		"impersonation without leave": {func(t *testing.T, cloud *google.Server) string {
			return impersonatedFile(t, account, cloud.ServiceAccount(t, puller, 0))
		}, helpers.AccessDenied, "roles/iam.serviceAccountTokenCreator on " + account},
		"impersonation by the dozen": {func(t *testing.T, cloud *google.Server) string {
			text := cloud.ServiceAccount(t, puller, 0)
			for range 12 {
				text = impersonatedFile(t, account, text)
			}
			return text
		}, helpers.BadMaterial, "as delegates"},
		"impersonation of nobody": {func(t *testing.T, cloud *google.Server) string {
			return impersonatedFile(t, "a/b:generateAccessToken?x=", cloud.ServiceAccount(t, puller, 0))
		}, helpers.BadMaterial, "names no service account"},
		"impersonation by nobody": {func(t *testing.T, cloud *google.Server) string {
			return `{"type":"impersonated_service_account"}`
		}, helpers.BadMaterial, "has no source_credentials"},
		"a token that Google does not take": {func(t *testing.T, cloud *google.Server) string {
			return federatedFile(t, map[string]any{"file": write(t, "token", "canary")}, "")
		}, helpers.ExpiredIdentity, "issuer and audience"},
		"no token file": {func(t *testing.T, cloud *google.Server) string {
			return federatedFile(t, map[string]any{"file": filepath.Join(t.TempDir(), "token")}, "")
		}, helpers.BadMaterial, "cannot be read"},
		"an empty token file": {func(t *testing.T, cloud *google.Server) string {
			return federatedFile(t, map[string]any{"file": write(t, "token", "\n")}, "")
		}, helpers.BadMaterial, "is empty"},
		"a token file without the field": {func(t *testing.T, cloud *google.Server) string {
			return federatedFile(t, map[string]any{
				"file": write(t, "token", `{"a":"canary"}`), "format": map[string]any{"type": "json", "subject_token_field_name": "b"},
			}, "")
		}, helpers.BadMaterial, "holds no JSON with the field"},
		"an address over plain http": {func(t *testing.T, cloud *google.Server) string {
			return federatedFile(t, map[string]any{"url": "http://token.example/canary"}, "")
		}, helpers.BadMaterial, "give an https address"},
		"a program": {func(t *testing.T, cloud *google.Server) string {
			return federatedFile(t, map[string]any{"executable": map[string]any{"command": "/bin/canary"}}, "")
		}, helpers.BadMaterial, "from a program, which is not supported"},
		"a certificate": {func(t *testing.T, cloud *google.Server) string {
			return federatedFile(t, map[string]any{"certificate": map[string]any{}}, "")
		}, helpers.BadMaterial, "by a certificate, which is not supported"},
		"nothing to federate with": {func(t *testing.T, cloud *google.Server) string {
			return federatedFile(t, nil, "")
		}, helpers.BadMaterial, "has no credential_source"},
		"another version of AWS": {func(t *testing.T, cloud *google.Server) string {
			return federatedFile(t, map[string]any{"environment_id": "aws2"}, "")
		}, helpers.BadMaterial, "other than aws1"},
		"Distributed Cloud": {func(t *testing.T, cloud *google.Server) string {
			return `{"type":"gdch_service_account"}`
		}, helpers.BadMaterial, "gdch_service_account"},
		"no JSON": {func(t *testing.T, cloud *google.Server) string { return "canary" }, helpers.BadMaterial, "does not hold JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud, proxy := newCloud(t)
			path := write(t, "key.json", c.file(t, cloud))
			got, err := newMachine(t, proxy, map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": path}).Token(t.Context(), registry(t, host))
			if !errors.Is(err, c.reason) || !got.IsZero() {
				t.Fatalf("got %v, want %s", err, c.reason)
			}
			if said := err.Error() + "; " + helpers.HintOf(err); !strings.Contains(said, c.says) {
				t.Errorf("got %q, want it to say %q", said, c.says)
			}
			cloudtest.Secretless(t, err, "canary")
		})
	}
}

// TestVariableHoldsContent shows that what somebody put in the place of a path is in no message.
func TestVariableHoldsContent(t *testing.T) {
	t.Parallel()
	cloud, proxy := newCloud(t)
	text := alter(t, cloud.ServiceAccount(t, puller, 0), map[string]any{"private_key": "canary"})
	_, err := newMachine(t, proxy, map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": text}).Token(t.Context(), registry(t, host))
	if !errors.Is(err, helpers.BadMaterial) {
		t.Errorf("got %v, want %s", err, helpers.BadMaterial)
	}
	cloudtest.Secretless(t, err, "canary")
}

// TestAmbientOrder shows which source decides, and what is said of those that were left.
func TestAmbientOrder(t *testing.T) {
	t.Parallel()
	cloud, proxy := newCloud(t)
	settings := t.TempDir()
	login := filepath.Join(settings, "application_default_credentials.json")
	if err := os.WriteFile(login, []byte(cloud.User(t, person)), 0o600); err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	if err := os.MkdirAll(filepath.Join(home, ".config", "gcloud"), 0o700); err != nil {
		t.Fatal(err)
	}
	other := cloud.ServiceAccount(t, "other@project.iam.gserviceaccount.com", 1)
	if err := os.WriteFile(filepath.Join(home, ".config", "gcloud", "application_default_credentials.json"), []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	key, server := write(t, "key.json", cloud.ServiceAccount(t, puller, 0)), metadataOf(t, cloud)
	for name, c := range map[string]struct {
		variables map[string]string
		principal string // empty: none
		left      []string
	}{
		"all": {map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": key, "CLOUDSDK_CONFIG": settings, "HOME": home, "GCE_METADATA_HOST": server},
			puller, nil},
		"login": {map[string]string{"CLOUDSDK_CONFIG": settings, "HOME": home, "GCE_METADATA_HOST": server},
			person, []string{environmentSource + ": it is not set"}},
		"login in the usual folder": {map[string]string{"HOME": home, "GCE_METADATA_HOST": server},
			"other@project.iam.gserviceaccount.com", []string{environmentSource + ": it is not set"}},
		"metadata": {map[string]string{"GCE_METADATA_HOST": server},
			google.MachineAccount, []string{environmentSource + ": it is not set", loginSource + ": there is no home directory"}},
		"a home that is none": {map[string]string{"HOME": "/dev/null", "GCE_METADATA_HOST": server}, google.MachineAccount,
			[]string{environmentSource + ": it is not set", loginSource + ": there is no /dev/null/.config/gcloud/application_default_credentials.json"}},
		"none": {nil, "", []string{environmentSource + ": it is not set", loginSource + ": there is no home directory",
			metadataSource + ": this machine is not one of Google's"}},
	} {
		t.Run(name, func(t *testing.T) {
			var left []string
			ctx := helpers.WithTrace(t.Context(), helpers.Trace{SourceLeft: func(source, why string) { left = append(left, source+": "+why) }})
			a := newMachine(t, proxy, c.variables)
			k, err := a.Key(ctx, registry(t, host))
			if c.principal == "" {
				if !helpers.IsNotFound(err) {
					t.Errorf("got the key %v, %v, want none", k, err)
				}
			} else if err != nil || k.Token == "" || k.Origin == "" {
				t.Errorf("got the key %v, %v", k, err)
			}
			got, err := a.Token(ctx, registry(t, host))
			if c.principal == "" {
				if !helpers.IsNotFound(err) {
					t.Errorf("got %v, want none", err)
				}
			} else if who, ok := cloud.Principal(got.Secret()); err != nil || !ok || who != c.principal {
				t.Errorf("got a token of %q, %v, want one of %q", who, err, c.principal)
			}
			if !slices.Equal(left, c.left) {
				t.Errorf("left %q, want %q", left, c.left)
			}
		})
	}
}

// TestAmbientKey shows that a key opens no socket, is the same for every host of Google's, and changes with the identity.
func TestAmbientKey(t *testing.T) {
	t.Parallel()
	cloud, proxy := newCloud(t)
	path := write(t, "key.json", cloud.ServiceAccount(t, puller, 0))
	variables := map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": path}
	key := func(at string) helpers.Key {
		t.Helper()
		k, err := newMachine(t, proxy, variables).Key(t.Context(), registry(t, at))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	first := key("us-docker.pkg.dev")
	for _, at := range []string{"gcr.io", "eu.gcr.io", "europe-west4-docker.pkg.dev", "docker.us-central1.rep.pkg.dev"} {
		if key(at) != first {
			t.Errorf("%s has another key", at)
		}
	}
	if err := os.WriteFile(path, []byte(cloud.ServiceAccount(t, "other@project.iam.gserviceaccount.com", 0)), 0o600); err != nil {
		t.Fatal(err)
	}
	if second := key("gcr.io"); second.Token == first.Token || second.Origin == first.Origin {
		t.Error("another service account has the same key")
	}
	keyed := map[helpers.Key]bool{}
	for _, text := range []string{federatedFile(t, map[string]any{"environment_id": "aws1"}, ""), cloud.ServiceAccount(t, puller, 0)} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"AKIAIOSFODNN7EXAMPLE", "AKIAI44QH8DHBEXAMPLE"} {
			variables = map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": path, "AWS_ACCESS_KEY_ID": id}
			keyed[key("gcr.io")] = true
		}
	}
	if len(keyed) != 3 {
		t.Errorf("two identities at AWS and a service account beside either have %d keys, want 3", len(keyed))
	}
	keyed = map[helpers.Key]bool{}
	subject := write(t, "subject", "")
	for _, text := range []string{
		federatedFile(t, map[string]any{"file": subject}, ""),
		federatedFile(t, map[string]any{"file": subject}, puller),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, claims := range []map[string]any{{"sub": "one", "jti": "1"}, {"sub": "one", "jti": "2"}, {"sub": "two"}} {
			token, err := jwt.Sign(jwt.RS256, nil, claims, cloudtest.Key(t, 0))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(subject, []byte(token), 0o600); err != nil {
				t.Fatal(err)
			}
			keyed[key("gcr.io")] = true
		}
	}
	if len(keyed) != 4 {
		t.Errorf("two subjects, by themselves and for an account, have %d keys, want 4", len(keyed))
	}
	variables = map[string]string{"GCE_METADATA_HOST": "127.0.0.1:1"} // nobody listens
	keyed = map[helpers.Key]bool{}
	for _, boot := range []string{"one", "one", "two"} { // of a machine, and of one that was started from its disk
		a := newMachine(t, proxy, variables)
		a.boot = write(t, "boot_id", boot)
		k, err := a.Key(t.Context(), registry(t, "gcr.io"))
		if err != nil {
			t.Fatal(err)
		}
		keyed[k] = true
	}
	if len(keyed) != 2 {
		t.Errorf("two boots have %d keys", len(keyed))
	}
	if k := key("gcr.io"); k.Token == first.Token || k != key("us-docker.pkg.dev") {
		t.Error("the metadata server's key is not its own")
	}
	for _, at := range []string{"ghcr.io", "gcr.io.evil.example", "mirror.gcr.io", "gcr.io:5000", "docker.io"} {
		if _, err := newMachine(t, proxy, variables).Key(t.Context(), registry(t, at)); !helpers.IsNotFound(err) {
			t.Errorf("%s: got %v, want none", at, err)
		}
		if _, err := newMachine(t, proxy, variables).Token(t.Context(), registry(t, at)); !helpers.IsNotFound(err) {
			t.Errorf("%s: got %v, want none", at, err)
		}
	}
	if len(proxy.Called()) > 0 || cloud.Total() > 0 {
		t.Errorf("called %v", proxy.Called())
	}
}

func TestDetectMetadata(t *testing.T) {
	t.Parallel()
	for product, want := range map[string]string{
		"Google\n": metadataHost, "Google Compute Engine\n": metadataHost, "Google Pixelbook\n": "", "t3.micro\n": "", "Virtual Machine\n": "", "": "",
	} {
		m, why := detectMetadata(func(string) string { return "" }, write(t, "product_name", product))
		if (m == nil) != (want == "") || (m == nil) != (why != "") || m != nil && (m.host != want || !m.certain) {
			t.Errorf("%q: got %v, %q, want %q", product, m, why, want)
		}
	}
	m, _ := detectMetadata(func(string) string { return "" }, filepath.Join(t.TempDir(), "product_name"))
	if m != nil && m.certain { // on a Mac there is none
		t.Errorf("without a product name: got %v, want a guess", m)
	}
}

// TestMetadata shows the outcomes where there is a metadata server for certain, and where that is a guess.
func TestMetadata(t *testing.T) {
	t.Parallel()
	google404 := func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		w.Header().Set("Metadata-Flavor", "Google")
		http.NotFound(w, r)
	}
	google403 := func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		w.Header().Set("Metadata-Flavor", "Google")
		http.Error(w, "canary", http.StatusForbidden)
	}
	const found, none, silent = "found", "none", "none, for want of an answer"
	for name, c := range map[string]struct {
		fault          cloudtest.Fault
		certain, guess string
	}{
		"answers":              {nil, found, found},
		"slow":                 {cloudtest.Delay(100 * time.Millisecond), found, found},
		"no account":           {google404, none, none},
		"no leave":             {google403, string(helpers.AccessDenied), string(helpers.AccessDenied)},
		"another cloud's":      {cloudtest.Status(401, "canary"), string(helpers.BadAnswer), silent},
		"another cloud's page": {cloudtest.Garbage("canary"), string(helpers.BadAnswer), silent},
		"silent":               {cloudtest.Hang(), string(helpers.Timeout), silent},
	} {
		for certain, want := range map[bool]string{true: c.certain, false: c.guess} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				cloud, proxy := newCloud(t)
				cloud.Order(google.Metadata, c.fault)
				a := newMachine(t, proxy, nil)
				ctx, cancel := context.WithTimeout(t.Context(), probePatience*3/2)
				defer cancel()
				got, err := (&metadata{metadataOf(t, cloud), certain}).token(ctx, a.service)
				outcome := string(helpers.ReasonOf(err))
				switch {
				case err == nil:
					outcome = found
				case errors.Is(err, helpers.ErrNoAnswer):
					outcome = silent
				case helpers.IsNotFound(err):
					outcome = none
				}
				if outcome != want {
					t.Errorf("certain %v: got %v, want %s", certain, err, want)
				}
				if who, ok := cloud.Principal(got.Secret()); err == nil && (!ok || who != google.MachineAccount) {
					t.Errorf("got a token of %q", who)
				}
				cloudtest.Secretless(t, err, "canary")
			})
		}
	}
	t.Run("nobody listens", func(t *testing.T) {
		t.Parallel()
		_, proxy := newCloud(t)
		a := newMachine(t, proxy, nil)
		if _, err := (&metadata{"127.0.0.1:1", false}).token(t.Context(), a.service); !errors.Is(err, helpers.ErrNoAnswer) {
			t.Errorf("a guess: got %v, want none, for want of an answer", err)
		}
		if _, err := (&metadata{"127.0.0.1:1", true}).token(t.Context(), a.service); !errors.Is(err, helpers.Unreachable) {
			t.Errorf("for certain: got %v, want %s", err, helpers.Unreachable)
		}
	})
}

func TestHostOf(t *testing.T) {
	t.Parallel()
	for at, want := range map[string]string{
		"": "", "metadata": "metadata", "metadata:8080": "metadata", "127.0.0.1:80": "127.0.0.1",
		"[fd20:ce::254]": "fd20:ce::254", "[fd20:ce::254]:80": "fd20:ce::254",
	} {
		if got := hostOf(at); got != want {
			t.Errorf("%s: got %q, want %q", at, got, want)
		}
	}
}
