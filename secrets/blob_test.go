package secrets_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
)

func registry(t testing.TB, s string) helpers.Registry {
	t.Helper()
	r, err := helpers.ParseServerURL(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestNames(t *testing.T) {
	for _, c := range []struct{ registry, scope, want string }{
		{"ghcr.io", "", "oci-creds-0fd460f0568e29c1"},
		{"https://ghcr.io/acme/app", "", "oci-creds-0fd460f0568e29c1"},
		{"docker.io", "", "oci-creds-3530c4415dd857fb"},
		{"https://index.docker.io/v1/", "", "oci-creds-3530c4415dd857fb"},
	} {
		if got := secrets.Name(registry(t, c.registry), helpers.Scope(c.scope)); got != c.want {
			t.Errorf("Name(%s, %q) = %s, want %s", c.registry, c.scope, got, c.want)
		}
	}
	r := registry(t, "ghcr.io/acme/app")
	want := []string{
		secrets.Name(r, "acme/app"), secrets.Name(r, "acme"), "oci-creds-0fd460f0568e29c1",
	}
	if got := secrets.Names(r); !slices.Equal(got, want) || want[0] == want[1] || want[1] == want[2] {
		t.Errorf("Names(%s) = %v, want %v", r, got, want)
	}
}

func TestParseBlob(t *testing.T) {
	structured := `{"version":1,"registry":"ghcr.io","type":"ghcr","credentials":{"GITHUB_TOKEN":"t","GITHUB_USERNAME":"u"}}`
	quoted := func(s string) string {
		out, _ := json.Marshal(s)
		return string(out)
	}
	github := map[string]string{"GITHUB_TOKEN": "t", "GITHUB_USERNAME": "u"}
	for name, c := range map[string]struct {
		blob, registry string
		want           map[string]string // none: refused
	}{
		"structured":                 {structured, "ghcr.io", github},
		"structured, place unknown":  {structured, "", github},
		"without version":            {`{"registry":"ghcr.io","type":"ghcr","credentials":{"GITHUB_TOKEN":"t","GITHUB_USERNAME":"u"}}`, "", github},
		"in either vocabulary":       {`{"registry":"europe-docker.pkg.dev","type":"gcr","credentials":{"GCP_ACCESS_TOKEN":"t"}}`, "", map[string]string{"GCP_ACCESS_TOKEN": "t"}},
		"outer space":                {"\n" + structured + "\n", "ghcr.io", github},
		"a JSON string":              {quoted(structured), "ghcr.io", github},
		"twice a JSON string":        {quoted(quoted(structured)), "", github},
		"credentials as JSON string": {`{"version":1,"registry":"ghcr.io","type":"ghcr","credentials":"{\"GITHUB_TOKEN\":\"t\",\"GITHUB_USERNAME\":\"u\"}"}`, "", github},
		"flat":                       {`{"GITHUB_TOKEN":"t","GITHUB_USERNAME":"u","AWS_REGION":"x"}`, "ghcr.io", github},
		"flat, in a string":          {quoted(`{"GITHUB_TOKEN":"t","GITHUB_USERNAME":"u"}`), "ghcr.io", github},
		"pair":                       {"u:t", "ghcr.io", github},
		"pair with a colon":          {"robot:a:b", "quay.io", map[string]string{"USERNAME": "robot", "PASSWORD": "a:b"}},
		"pair in a string":           {`"robot:p"`, "quay.io", map[string]string{"USERNAME": "robot", "PASSWORD": "p"}},
		"pair of Docker Hub":         {"u:p", "docker.io", map[string]string{"DOCKERHUB_USERNAME": "u", "DOCKERHUB_PASSWORD": "p"}},
		"pair of NGC":                {"$oauthtoken:k", "nvcr.io", map[string]string{"NGC_API_KEY": "k"}},
		"pair of Google":             {`_json_key:{"type":"service_account"}`, "gcr.io", map[string]string{"GCP_SERVICE_ACCOUNT_JSON": `{"type":"service_account"}`}},
		"pair of an Azure token":     {"pull:p", "acmeacme.azurecr.io", map[string]string{"ACR_TOKEN_NAME": "pull", "ACR_TOKEN_PASSWORD": "p"}},
		"content under a path's key": {`{"GOOGLE_APPLICATION_CREDENTIALS":"{\"type\":\"service_account\"}"}`, "gcr.io", map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": `{"type":"service_account"}`}},

		"flat, the registry named": {`{"REGISTRY":"https://quay.io/","REGISTRY_USERNAME":"u","REGISTRY_PASSWORD":"p"}`, "quay.io", map[string]string{"REGISTRY_USERNAME": "u", "REGISTRY_PASSWORD": "p"}},
		"flat, another's name":     {`{"REGISTRY":"quay.io","GITHUB_TOKEN":"t"}`, "ghcr.io", map[string]string{"GITHUB_TOKEN": "t"}},
		"flat, no name":            {`{"REGISTRY":"","USERNAME":"u","PASSWORD":"p"}`, "quay.io", map[string]string{"USERNAME": "u", "PASSWORD": "p"}},

		"nothing":                       {"", "ghcr.io", nil},
		"another registry":              {structured, "quay.io", nil},
		"another registry's look":       {structured, "ghcr.io.attacker.example", nil},
		"empty credentials":             {`{"credentials":{}}`, "ghcr.io", nil},
		"empty credentials, complete":   {`{"version":1,"registry":"ghcr.io","type":"ghcr","credentials":{}}`, "ghcr.io", nil},
		"empty values":                  {`{"version":1,"registry":"ghcr.io","type":"ghcr","credentials":{"GITHUB_TOKEN":""}}`, "ghcr.io", nil},
		"another version":               {`{"version":2,"registry":"ghcr.io","type":"ghcr","credentials":{"GITHUB_TOKEN":"t"}}`, "ghcr.io", nil},
		"no registry":                   {`{"version":1,"type":"ghcr","credentials":{"GITHUB_TOKEN":"t"}}`, "ghcr.io", nil},
		"a type that is not the host's": {`{"version":1,"registry":"ghcr.io","type":"aws","credentials":{"AWS_ACCESS_KEY_ID":"a","AWS_SECRET_ACCESS_KEY":"s"}}`, "ghcr.io", nil},
		"an unknown shape":              {`{"token":"t"}`, "ghcr.io", nil},
		"an empty object":               {`{}`, "ghcr.io", nil},
		"a field twice":                 {`{"version":1,"registry":"ghcr.io","registry":"quay.io","type":"ghcr","credentials":{"GITHUB_TOKEN":"t"}}`, "", nil},
		"credentials twice":             {`{"registry":"ghcr.io","type":"ghcr","credentials":"{\"GITHUB_TOKEN\":\"t\"}","credentials":"{\"GITHUB_TOKEN\":\"t\"}"}`, "", nil},
		"a list":                        {`["u:p"]`, "quay.io", nil},
		"a number":                      {`17`, "quay.io", nil},
		"true":                          {`true`, "quay.io", nil},
		"text":                          {"password", "quay.io", nil},
		"a URL":                         {"https://u:p@quay.io", "ghcr.io.example", nil},
		"no user":                       {":p", "quay.io", nil},
		"no password":                   {"u:", "quay.io", nil},
		"two lines":                     {"u:p\nv:q", "quay.io", nil},
		"pair, place unknown":           {"u:p", "", nil},
		"flat, place unknown":           {`{"GITHUB_TOKEN":"t"}`, "", nil},
		"flat with a registry":          {`{"registry":"quay.io","USERNAME":"u","PASSWORD":"p"}`, "r.example", nil},
		"flat with its own registry":    {`{"registry":"quay.io","USERNAME":"u","PASSWORD":"p"}`, "quay.io", nil},
		"flat with a version":           {`{"version":"2","GITHUB_TOKEN":"t"}`, "ghcr.io", nil},
		"flat with a type":              {`{"type":"generic","GITHUB_TOKEN":"t"}`, "ghcr.io", nil},
		"flat with a scope":             {`{"scope":"","GITHUB_TOKEN":"t"}`, "ghcr.io", nil},
		"flat, in a string, with one":   {quoted(`{"scope":"acme","GITHUB_TOKEN":"t"}`), "ghcr.io", nil},
		"flat, another named":           {`{"REGISTRY":"quay.io","USERNAME":"u","PASSWORD":"p"}`, "r.example", nil},
		"flat, another named by CI":     {`{"CI_REGISTRY":"quay.io","CI_REGISTRY_USER":"u","CI_REGISTRY_PASSWORD":"p"}`, "r.example", nil},
		"flat, no registry named":       {`{"REGISTRY":"not a host","USERNAME":"u","PASSWORD":"p"}`, "r.example", nil},
		"a line of YAML":                {"GITHUB_TOKEN: t", "ghcr.io", nil},
		"a line of a header":            {"Authorization:\u00a0Bearer t", "ghcr.io", nil},
		"a byte order mark":             {"\ufeffu:p", "quay.io", nil},
		"flat of another type":          {`{"GITHUB_TOKEN":"t"}`, "quay.io", nil},
		"half a key":                    {`{"AWS_ACCESS_KEY_ID":"AKIAIOSFODNN7EXAMPLE"}`, "123456789012.dkr.ecr.us-east-1.amazonaws.com", nil},
		"pair of ECR":                   {"AWS:token", "123456789012.dkr.ecr.us-east-1.amazonaws.com", nil},
		"pair of NGC with a name":       {"me:k", "nvcr.io", nil},
		"a path":                        {`{"GOOGLE_APPLICATION_CREDENTIALS":"/etc/shadow"}`, "gcr.io", nil},
		"a public registry":             {"u:p", "registry.k8s.io", nil},
		"a byte that is not UTF-8":      {"\"{\\\"GITHUB_TOKEN\\\":\\\"t\xff\\\"}\"", "ghcr.io", nil},
		"half a character":              {quoted(`{"registry":"ghcr.io","type":"ghcr","credentials":` + `"{\"GITHUB_TOKEN\":\"t\ud800\"}"` + `}`), "ghcr.io", nil},
		"a field behind credentials":    {`{"registry":"ghcr.io","type":"ghcr","credentials":"{\"GITHUB_TOKEN\":\"t\"},\"scope\":\"acme\""}`, "ghcr.io", nil},
		"more strings than sense":       {quoted(quoted(quoted(quoted(quoted(structured))))), "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var r helpers.Registry
			if c.registry != "" {
				r = registry(t, c.registry)
			}
			m, err := secrets.ParseBlob([]byte(c.blob), r)
			if c.want == nil {
				if reason := helpers.ReasonOf(err); reason != helpers.BadMaterial && reason != helpers.WrongHost {
					t.Fatalf("taken: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for key, value := range c.want {
				if m.Value(key) != value {
					t.Errorf("%s is not what was given", key)
				}
			}
			if len(m.Keys()) != len(c.want) {
				t.Errorf("keys %v", m.Keys())
			}
			again, err := m.AppendBlob(nil)
			if err != nil || !strings.HasPrefix(string(again), `{"version":1,"registry":"`+m.Registry().Identity()+`"`) {
				t.Errorf("writes %s, %v", again, err)
			}
			back, err := secrets.ParseBlob(again, m.Registry())
			if err != nil || back.Fingerprint() != m.Fingerprint() {
				t.Errorf("what it writes is read as something else: %v", err)
			}
		})
	}
}

func FuzzParseBlobBindsToTheRegistry(f *testing.F) {
	for _, seed := range []string{
		`{"version":1,"registry":"ghcr.io","type":"ghcr","credentials":{"GITHUB_TOKEN":"t"}}`, `"u:p"`, "u:p", `{"USERNAME":"u","PASSWORD":"p"}`,
	} {
		f.Add([]byte(seed), "quay.io")
		f.Add([]byte(seed), "ghcr.io")
	}
	f.Fuzz(func(t *testing.T, blob []byte, host string) {
		r, err := helpers.ParseServerURL(host)
		if err != nil {
			return
		}
		m, err := secrets.ParseBlob(blob, r)
		if err != nil {
			return
		}
		if m.Registry().Identity() != r.Identity() || len(m.Keys()) == 0 {
			t.Errorf("material of %s came out of a secret of %s", m.Registry(), r)
		}
	})
}

func TestFromEnvironment(t *testing.T) {
	for name, c := range map[string]struct {
		reference   string
		environment map[string]string
		want        string // keys of the secret, "public", or what the error says
	}{
		"GitHub":               {"ghcr.io/a/b", map[string]string{"GITHUB_TOKEN": "t", "AWS_SECRET_ACCESS_KEY": "s", "AWS_ACCESS_KEY_ID": "i"}, "GITHUB_TOKEN"},
		"ECR":                  {"123456789012.dkr.ecr.us-east-1.amazonaws.com/a", map[string]string{"GITHUB_TOKEN": "t", "AWS_SECRET_ACCESS_KEY": "s", "AWS_ACCESS_KEY_ID": "i", "AWS_REGION": "r"}, "AWS_ACCESS_KEY_ID AWS_REGION AWS_SECRET_ACCESS_KEY"},
		"generic, named":       {"registry.example:5000/a", map[string]string{"REGISTRY": "registry.example:5000", "REGISTRY_USERNAME": "u", "REGISTRY_PASSWORD": "p"}, "REGISTRY_PASSWORD REGISTRY_USERNAME"},
		"a look-alike":         {"123456789012.dkr.ecr.us-east-1.amazonaws.com.attacker.example/a", map[string]string{"AWS_SECRET_ACCESS_KEY": "s", "AWS_ACCESS_KEY_ID": "i"}, "public"},
		"a look-alike path":    {"attacker.example/ghcr.io/a", map[string]string{"GITHUB_TOKEN": "t"}, "public"},
		"nothing set":          {"ghcr.io/a/b", nil, "public"},
		"only a user":          {"ghcr.io/a/b", map[string]string{"GITHUB_ACTOR": "octocat"}, "public"},
		"a user of one's own":  {"ghcr.io/a/b", map[string]string{"GITHUB_USERNAME": "octocat"}, "GITHUB_USERNAME is there without GITHUB_TOKEN"},
		"a session alone":      {"123456789012.dkr.ecr.us-east-1.amazonaws.com/a", map[string]string{"AWS_SESSION_TOKEN": "t", "AWS_REGION": "r"}, "AWS_SESSION_TOKEN is there without AWS_SECRET_ACCESS_KEY"},
		"a region alone":       {"123456789012.dkr.ecr.us-east-1.amazonaws.com/a", map[string]string{"AWS_REGION": "r", "AWS_DEFAULT_REGION": "r"}, "public"},
		"a project alone":      {"gcr.io/a/b", map[string]string{"GCP_PROJECT_ID": "p"}, "public"},
		"an identity of Azure": {"acmeacme.azurecr.io/a", map[string]string{"AZURE_CLIENT_ID": "c"}, "public"},
		"a tenant of Azure":    {"acmeacme.azurecr.io/a", map[string]string{"AZURE_TENANT_ID": "t"}, "public"},
		"half an application":  {"acmeacme.azurecr.io/a", map[string]string{"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c"}, "AZURE_CLIENT_ID is there without AZURE_CLIENT_SECRET"},
		"an identity of a pod": {"acmeacme.azurecr.io/a", map[string]string{"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c", "AZURE_FEDERATED_TOKEN_FILE": "/x", "AZURE_AUTHORITY_HOST": "https://login.microsoftonline.com/"}, "public"},
		"a pod with a secret":  {"acmeacme.azurecr.io/a", map[string]string{"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c", "AZURE_FEDERATED_TOKEN_FILE": "/x", "AZURE_CLIENT_SECRET": "s"}, "AZURE_CLIENT_ID AZURE_CLIENT_SECRET AZURE_TENANT_ID"},
		"a pod, half a token":  {"acmeacme.azurecr.io/a", map[string]string{"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c", "AZURE_FEDERATED_TOKEN_FILE": "/x", "ACR_TOKEN_NAME": "n"}, "ACR_TOKEN_NAME is there without ACR_TOKEN_PASSWORD"},
		"a role of a pod":      {"123456789012.dkr.ecr.us-east-1.amazonaws.com/a", map[string]string{"AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/r", "AWS_WEB_IDENTITY_TOKEN_FILE": "/x", "AWS_REGION": "r", "AWS_DEFAULT_REGION": "r", "AWS_STS_REGIONAL_ENDPOINTS": "regional"}, "public"},
		"projects of Google":   {"gcr.io/a/b", map[string]string{"GCP_PROJECT_ID": "p", "GOOGLE_CLOUD_PROJECT": "p", "CLOUDSDK_CORE_PROJECT": "p"}, "public"},
		"half a token of ACR":  {"acmeacme.azurecr.io/a", map[string]string{"ACR_TOKEN_NAME": "n"}, "ACR_TOKEN_NAME is there without ACR_TOKEN_PASSWORD"},
		"generic, bad host":    {"quay.io/a/b", map[string]string{"REGISTRY": "not a host", "REGISTRY_USERNAME": "u", "REGISTRY_PASSWORD": "p"}, "REGISTRY, which stands beside REGISTRY_PASSWORD, does not name a registry"},
		"a bad host alone":     {"quay.io/a/b", map[string]string{"REGISTRY": "not a host", "USERNAME": "me"}, "public"},
		"public registry":      {"registry.k8s.io/pause", map[string]string{"REGISTRY": "registry.k8s.io", "REGISTRY_USERNAME": "u", "REGISTRY_PASSWORD": "p"}, "public"},
		"generic, other host":  {"quay.io/a/b", map[string]string{"REGISTRY": "ghcr.io", "REGISTRY_USERNAME": "u", "REGISTRY_PASSWORD": "p"}, "public"},
		"a system's user name": {"quay.io/a/b", map[string]string{"USERNAME": "me"}, "public"},
		"a user on a desktop":  {"quay.io/a/b", map[string]string{"REGISTRY": "quay.io", "USERNAME": "me"}, "public"},
		"a user's password":    {"quay.io/a/b", map[string]string{"REGISTRY": "quay.io", "USERNAME": "me", "PASSWORD": "p"}, "PASSWORD USERNAME"},
		"half a job's token":   {"quay.io/a/b", map[string]string{"CI_REGISTRY": "quay.io", "CI_REGISTRY_USER": "u"}, "CI_REGISTRY_USER is there without CI_REGISTRY_PASSWORD"},
		"generic, no host":     {"quay.io/a/b", map[string]string{"REGISTRY_USERNAME": "u", "REGISTRY_PASSWORD": "p"}, "REGISTRY=quay.io"},
		"generic, no password": {"quay.io/a/b", map[string]string{"REGISTRY": "quay.io", "REGISTRY_USERNAME": "u"}, "without REGISTRY_PASSWORD"},
		"half a key of AWS":    {"123456789012.dkr.ecr.us-east-1.amazonaws.com/a", map[string]string{"AWS_SECRET_ACCESS_KEY": "s"}, "without AWS_ACCESS_KEY_ID"},
		"the other half":       {"123456789012.dkr.ecr.us-east-1.amazonaws.com/a", map[string]string{"AWS_ACCESS_KEY_ID": "i"}, "without AWS_SECRET_ACCESS_KEY"},
		"Docker Hub, no user":  {"ubuntu", map[string]string{"DOCKERHUB_TOKEN": "t"}, "without DOCKERHUB_USERNAME"},
		"a path":               {"gcr.io/a/b", map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": "/home/me/key.json"}, "names a file"},
		"a certificate's path": {"acmeacme.azurecr.io/a", map[string]string{"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c", "AZURE_CLIENT_CERTIFICATE_PATH": "/x"}, "names a file"},
		"a file's content":     {"gcr.io/a/b", map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": `{"type":"service_account"}`}, "GOOGLE_APPLICATION_CREDENTIALS"},
		"a key's path":         {"nvcr.io/a/b", map[string]string{"NGC_API_KEY_FILE": "/x"}, "names a file"},
		"not a reference":      {"https://ghcr.io/a", nil, "reference"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := secrets.FromEnvironment("w", c.reference, func(key string) string { return c.environment[key] })
			switch {
			case errors.Is(err, secrets.ErrNotFound):
				if c.want != "public" {
					t.Errorf("public, want %q", c.want)
				}
			case err != nil:
				if !strings.Contains(err.Error(), c.want) || c.want == "public" {
					t.Errorf("%v, want %q", err, c.want)
				}
			default:
				if keys := strings.Join(got.Material.Keys(), " "); keys != c.want {
					t.Errorf("a secret of %s, want %q", keys, c.want)
				}
				if got.Workspace != "w" || got.Name != secrets.Name(got.Registry(), "") || got.Version != 0 {
					t.Errorf("secret %s of %s, version %d", got.Name, got.Workspace, got.Version)
				}
			}
		})
	}
}

// TestFromEnvironmentTakesOneTypesKeys has every variable that any type knows set, and references that look like those of
// another registry.
func TestFromEnvironmentTakesOneTypesKeys(t *testing.T) {
	t.Parallel()
	hosts := map[string]string{
		"docker.io": "dockerhub", "ghcr.io": "ghcr", "nvcr.io": "ngc", "gcr.io": "gcr", "acmeacme.azurecr.io": "acr",
		"123456789012.dkr.ecr.us-east-1.amazonaws.com": "ecr", "quay.io": "generic",
	}
	everything := map[string]string{"REGISTRY": "quay.io", "CI_REGISTRY": "quay.io"}
	own := map[string]map[string]bool{}
	for _, name := range hosts {
		kind, _ := helpers.TypeNamed(name)
		own[name] = map[string]bool{}
		for _, k := range kind.Keys {
			for _, key := range slices.Concat([]string{k.Secret}, k.Needs, k.Takes) {
				own[name][key] = true
				everything[key] = "canary of " + name
			}
		}
	}
	everything["REGISTRY"], everything["CI_REGISTRY"] = "quay.io", "quay.io"
	getenv := func(key string) string { return everything[key] }
	for host, name := range hosts {
		got, err := secrets.FromEnvironment("w", host+"/team/app", getenv)
		if err != nil || got.Material.Type() != name || got.Registry().String() != host {
			t.Errorf("%s: a secret of %s for %s, %v", host, got.Material.Type(), got.Registry(), err)
			continue
		}
		for _, key := range got.Material.Keys() {
			if !own[name][key] {
				t.Errorf("%s: %s is not a key of %s", host, key, name)
			}
		}
		for _, alike := range []string{host + ".attacker.example", "attacker.example/" + host, host + "x", host + ":5000", "xn--" + host} {
			if got, err := secrets.FromEnvironment("w", alike+"/team/app", getenv); !errors.Is(err, secrets.ErrNotFound) {
				t.Errorf("%s: a secret of %v, %v", alike, got.Material.Keys(), err)
			}
		}
		for _, malformed := range []string{"https://" + host, "user:pass@" + host, host + "\x00.attacker.example", host + "\n", "\u0261" + host, host + "\uff0fattacker"} {
			if _, err := secrets.FromEnvironment("w", malformed+"/team/app", getenv); !errors.Is(err, helpers.BadRequest) || strings.Contains(err.Error(), "pass") {
				t.Errorf("%q: %v", malformed, err)
			}
		}
	}
}

// TestSecretsThatCouldNotBeReadAgain are refused before they are stored.
func TestSecretsThatCouldNotBeReadAgain(t *testing.T) {
	t.Parallel()
	generic, _ := helpers.TypeNamed("generic")
	material := func(host, password string) helpers.Material {
		m, err := helpers.NewMaterial(generic, registry(t, host), map[string]string{"USERNAME": "u", "PASSWORD": password})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	for name, m := range map[string]helpers.Material{
		"too large":                 material("quay.io", strings.Repeat("x", 2*helpers.MaxSecret)),
		"too large when escaped":    material("quay.io", strings.Repeat("\x01", helpers.MaxSecret/2)),
		"a scope that is none":      material("quay.io", "p").WithScope("Not/A/Scope"),
		"a scope with a slash":      material("quay.io", "p").WithScope("team/"),
		"generic only with a user":  material("u@123456789012.dkr.ecr.us-east-1.amazonaws.com", "p"),
		"a login of another's kind": material("ghcr.io", "p"),
	} {
		if _, err := secrets.New("w", m); helpers.ReasonOf(err) != helpers.BadMaterial {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, password := range []string{"\x00", "a\nb\r", "\u202e\U0001f511", "</script>\u2028", strings.Repeat("x", helpers.MaxSecret)} {
		s, err := secrets.New("w", material("quay.io/team", password).WithScope("team"))
		if err != nil || s.Material.Value("PASSWORD") != password {
			t.Errorf("a password of %d bytes that is odd: %v", len(password), err)
		}
	}
}
