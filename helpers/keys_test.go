package helpers_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// environment reads "A=1 B=2".
func environment(s string) func(string) string {
	values := map[string]string{}
	for pair := range strings.FieldsSeq(s) {
		name, value, _ := strings.Cut(pair, "=")
		values[name] = value
	}
	return func(name string) string { return values[name] }
}

func TestKeysAreTakenInOrder(t *testing.T) {
	for _, row := range []struct {
		host, env string
		keys      string // of the material, sorted; "none", or the key that is missing behind an exclamation mark
	}{
		{"docker.io", "", "none"},
		{"docker.io", "DOCKERHUB_USERNAME=u DOCKERHUB_TOKEN=t", "DOCKERHUB_TOKEN DOCKERHUB_USERNAME"},
		{"docker.io", "DOCKERHUB_USERNAME=u DOCKERHUB_TOKEN=t DOCKERHUB_PASSWORD=p", "DOCKERHUB_TOKEN DOCKERHUB_USERNAME"},
		{"docker.io", "DOCKERHUB_USERNAME=u DOCKERHUB_PASSWORD=p DOCKER_USERNAME=v DOCKER_PASSWORD=q", "DOCKERHUB_PASSWORD DOCKERHUB_USERNAME"},
		{"docker.io", "DOCKER_USERNAME=v DOCKER_PASSWORD=q", "DOCKER_PASSWORD DOCKER_USERNAME"},
		{"docker.io", "DOCKERHUB_TOKEN=t", "!DOCKERHUB_USERNAME"},
		{"docker.io", "DOCKERHUB_TOKEN=t DOCKER_USERNAME=v", "!DOCKERHUB_USERNAME"},
		{"docker.io", "DOCKERHUB_TOKEN=t DOCKER_USERNAME=v DOCKER_PASSWORD=q", "DOCKER_PASSWORD DOCKER_USERNAME"},
		{"docker.io", "DOCKERHUB_USERNAME=u", "none"},
		{"docker.io", "DOCKERHUB_USERNAME= DOCKERHUB_TOKEN=t", "!DOCKERHUB_USERNAME"},
		{"https://index.docker.io/v1/access-token", "DOCKERHUB_USERNAME=u DOCKERHUB_TOKEN=t", "none"},
		{"https://index.docker.io/v1/refresh-token", "DOCKER_USERNAME=v DOCKER_PASSWORD=q", "none"},

		{"ghcr.io", "GITHUB_TOKEN=t", "GITHUB_TOKEN"},
		{"ghcr.io", "GITHUB_TOKEN=t GH_TOKEN=g CR_PAT=c GITHUB_USERNAME=u GITHUB_ACTOR=a", "GITHUB_ACTOR GITHUB_TOKEN GITHUB_USERNAME"},
		{"ghcr.io", "GH_TOKEN=g CR_PAT=c", "GH_TOKEN"},
		{"docker.pkg.github.com", "CR_PAT=c GITHUB_ACTOR=a", "CR_PAT GITHUB_ACTOR"},
		{"ghcr.io", "GITHUB_USERNAME=u", "none"},

		{"nvcr.io", "NGC_API_KEY=k NGC_CLI_API_KEY=c", "NGC_API_KEY"},
		{"stg.nvcr.io", "NGC_CLI_API_KEY=c", "NGC_CLI_API_KEY"},
		{"nvcr.io", "NVIDIA_API_KEY=k", "none"},

		{"gcr.io", "GCP_ACCESS_TOKEN=t GCP_SERVICE_ACCOUNT_JSON={} GCP_PROJECT_ID=p", "GCP_ACCESS_TOKEN GCP_PROJECT_ID"},
		{"us-docker.pkg.dev", "GCP_SERVICE_ACCOUNT_JSON={} GOOGLE_APPLICATION_CREDENTIALS_JSON={}", "GCP_SERVICE_ACCOUNT_JSON"},
		{"us-docker.pkg.dev", "GOOGLE_APPLICATION_CREDENTIALS_JSON={}", "GOOGLE_APPLICATION_CREDENTIALS_JSON"},
		{"us-docker.pkg.dev", "GOOGLE_APPLICATION_CREDENTIALS=/path", "none"},

		{"myreg.azurecr.io", "AZURE_TENANT_ID=t AZURE_CLIENT_ID=c AZURE_CLIENT_SECRET=s", "AZURE_CLIENT_ID AZURE_CLIENT_SECRET AZURE_TENANT_ID"},
		{"myreg.azurecr.io", "AZURE_TENANT_ID=t AZURE_CLIENT_SECRET=s", "!AZURE_CLIENT_ID"},
		{"myreg.azurecr.io", "AZURE_CLIENT_SECRET=s ACR_TOKEN_NAME=n ACR_TOKEN_PASSWORD=p", "ACR_TOKEN_NAME ACR_TOKEN_PASSWORD"},

		{"123456789012.dkr.ecr.us-east-1.amazonaws.com", "AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=s", "AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY"},
		{"public.ecr.aws", "AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=s AWS_SESSION_TOKEN=t", "AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN"},
		{"public.ecr.aws", "AWS_SECRET_ACCESS_KEY=s AWS_SESSION_TOKEN=t", "!AWS_ACCESS_KEY_ID"},

		// A password without a host key beside it is for nobody.
		{"quay.io", "REGISTRY_USERNAME=u REGISTRY_PASSWORD=p", "none"},
		{"quay.io", "REGISTRY=quay.io REGISTRY_USERNAME=u REGISTRY_PASSWORD=p", "REGISTRY_PASSWORD REGISTRY_USERNAME"},
		{"https://QUAY.io:443/v2/", "REGISTRY=quay.io REGISTRY_USERNAME=u REGISTRY_PASSWORD=p", "REGISTRY_PASSWORD REGISTRY_USERNAME"},
		{"quay.io", "REGISTRY=https://Quay.io/acme REGISTRY_USERNAME=u REGISTRY_PASSWORD=p", "REGISTRY_PASSWORD REGISTRY_USERNAME"},
		{"quay.io", "REGISTRY=quay.io:5000 REGISTRY_USERNAME=u REGISTRY_PASSWORD=p", "none"},
		{"quay.io", "REGISTRY=other.example REGISTRY_USERNAME=u REGISTRY_PASSWORD=p", "none"},
		{"quay.io", "REGISTRY=ftp://quay.io REGISTRY_USERNAME=u REGISTRY_PASSWORD=p", "none"},
		{"quay.io", "REGISTRY= REGISTRY_USERNAME=u REGISTRY_PASSWORD=p", "none"},
		{"quay.io.evil.example", "REGISTRY=quay.io REGISTRY_USERNAME=u REGISTRY_PASSWORD=p", "none"},
		{"quay.io", "REGISTRY=quay.io REGISTRY_PASSWORD=p", "!REGISTRY_USERNAME"},
		{"quay.io", "USERNAME=u PASSWORD=p", "none"},
		{"quay.io", "REGISTRY=quay.io USERNAME=u PASSWORD=p", "PASSWORD USERNAME"},
		{"quay.io", "REGISTRY=quay.io USERNAME=u PASSWORD=p REGISTRY_USERNAME=v REGISTRY_PASSWORD=q", "REGISTRY_PASSWORD REGISTRY_USERNAME"},
		{"registry.gitlab.com", "CI_REGISTRY=registry.gitlab.com CI_REGISTRY_USER=u CI_REGISTRY_PASSWORD=p", "CI_REGISTRY_PASSWORD CI_REGISTRY_USER"},
		{"registry.gitlab.com", "CI_REGISTRY=registry.gitlab.com CI_DEPLOY_USER=u CI_DEPLOY_PASSWORD=p", "CI_DEPLOY_PASSWORD CI_DEPLOY_USER"},
		{"quay.io", "CI_REGISTRY=registry.gitlab.com CI_REGISTRY_USER=u CI_REGISTRY_PASSWORD=p", "none"},
		{"quay.io", "REGISTRY=quay.io CI_REGISTRY_USER=u CI_REGISTRY_PASSWORD=p", "none"},

		// Keys that name their own hosts.
		{"us.icr.io", "IBMCLOUD_API_KEY=k", "IBMCLOUD_API_KEY"},
		{"icr.io", "IBMCLOUD_API_KEY=k", "IBMCLOUD_API_KEY"},
		{"icr.io:5000", "IBMCLOUD_API_KEY=k", "none"},
		{"a.b.icr.io", "IBMCLOUD_API_KEY=k", "none"},
		{"icr.io.evil.example", "IBMCLOUD_API_KEY=k", "none"},
		{"quay.io", "IBMCLOUD_API_KEY=k SCW_SECRET_KEY=s DIGITALOCEAN_ACCESS_TOKEN=d", "none"},
		{"rg.fr-par.scw.cloud", "SCW_SECRET_KEY=s", "SCW_SECRET_KEY"},
		{"rg.scw.cloud", "SCW_SECRET_KEY=s", "none"},
		{"registry.digitalocean.com", "DIGITALOCEAN_ACCESS_TOKEN=d", "DIGITALOCEAN_ACCESS_TOKEN"},
		{"us.icr.io", "REGISTRY=us.icr.io REGISTRY_USERNAME=u REGISTRY_PASSWORD=p", "REGISTRY_PASSWORD REGISTRY_USERNAME"},
	} {
		r := parse(t, row.host)
		typ, ok := helpers.Lookup(r)
		if !ok {
			t.Fatalf("%s has no type", row.host)
		}
		m, err := typ.FromEnvironment(r, environment(row.env))
		switch {
		case row.keys == "none":
			if !helpers.IsNotFound(err) {
				t.Errorf("%s with %s: %q, %v, want nothing found", row.host, row.env, m.Keys(), err)
			}
		case row.keys[0] == '!':
			if helpers.ReasonOf(err) != helpers.BadMaterial || !strings.Contains(err.Error(), row.keys[1:]) || !strings.Contains(helpers.HintOf(err), row.keys[1:]) {
				t.Errorf("%s with %s: %q, %v (%s), want an error about %s", row.host, row.env, m.Keys(), err, helpers.HintOf(err), row.keys[1:])
			}
		case err != nil || strings.Join(m.Keys(), " ") != row.keys:
			t.Errorf("%s with %s: %q, %v, want %s", row.host, row.env, m.Keys(), err, row.keys)
		default:
			if m.Registry().Identity() != r.Identity() || m.Type() != typ.Name || m.Scope() != "" {
				t.Errorf("%s: the material is bound to %s, %s, %q", row.host, m.Registry(), m.Type(), m.Scope())
			}
			if k, err := m.KeySet(typ.Name, r); err != nil || !slices.Contains(m.Keys(), k.Secret) {
				t.Errorf("%s: %v, %v", row.host, k, err)
			}
		}
	}
}

// ownHost is a host of each type.
var ownHost = map[string]string{
	"dockerhub": "docker.io", "ghcr": "ghcr.io", "ngc": "nvcr.io", "gcr": "us-docker.pkg.dev", "acr": "myreg.azurecr.io",
	"ecr": "123456789012.dkr.ecr.us-east-1.amazonaws.com", "generic": "quay.io",
}

// A key of another type than the host's is ignored, whatever else is set: every type against the keys of every other.
func TestKeysOfAnotherTypeAreIgnored(t *testing.T) {
	for _, of := range helpers.Types() {
		values := map[string]string{"REGISTRY": ownHost["generic"], "CI_REGISTRY": ownHost["generic"]}
		for _, k := range of.Keys {
			for _, key := range append(append([]string{k.Secret, k.File}, k.Needs...), k.Takes...) {
				values[key] = "value"
			}
		}
		for _, typ := range helpers.Types() {
			r := parse(t, ownHost[typ.Name])
			m, err := typ.FromEnvironment(r, func(name string) string { return values[name] })
			if typ.Name == of.Name {
				if err != nil || m.Value(typ.Keys[0].Secret) == "" && typ.Name != "generic" {
					t.Errorf("%s with all its own keys: %q, %v", typ.Name, m.Keys(), err)
				}
				continue
			}
			if !helpers.IsNotFound(err) {
				t.Errorf("%s with the keys of %s: %q, %v", typ.Name, of.Name, m.Keys(), err)
			}
			if _, err := helpers.NewMaterial(typ, r, values); helpers.ReasonOf(err) != helpers.BadMaterial {
				t.Errorf("material of %s with the keys of %s: %v", typ.Name, of.Name, err)
			}
		}
	}
}

// Nothing is read from an environment but the keys of the type, so that no other can be taken by mistake.
func TestOnlyKeysOfTheTypeAreRead(t *testing.T) {
	for _, typ := range helpers.Types() {
		known := []string{"REGISTRY", "CI_REGISTRY"}
		for _, k := range typ.Keys {
			known = append(append(append(known, k.Secret), k.Needs...), k.Takes...)
		}
		_, _ = typ.FromEnvironment(parse(t, ownHost[typ.Name]), func(name string) string {
			if !slices.Contains(known, name) {
				t.Errorf("%s reads %s", typ.Name, name)
			}
			return "value"
		})
	}
}

func TestEnvironmentHintIsForThoseWhoWonder(t *testing.T) {
	generic, _ := helpers.TypeNamed("generic")
	r := parse(t, "quay.io")
	for env, want := range map[string]string{
		"": "",
		"REGISTRY_USERNAME=u REGISTRY_PASSWORD=p":                        "REGISTRY=quay.io",
		"REGISTRY_PASSWORD=p":                                            "",
		"REGISTRY=other.example REGISTRY_USERNAME=u REGISTRY_PASSWORD=p": "",
		"USERNAME=u PASSWORD=p":                                          "",
		"CI_REGISTRY_USER=u CI_REGISTRY_PASSWORD=p":                      "CI_REGISTRY=quay.io",
	} {
		got := generic.EnvironmentHint(r, environment(env))
		if (want == "") != (got == "") || !strings.Contains(got, want) || strings.Contains(got, "=p") {
			t.Errorf("%s: hint %q, want one with %q", env, got, want)
		}
	}
}

func TestTypesHaveBothVocabularies(t *testing.T) {
	want := map[string]string{
		"ecr": "aws", "gcr": "gcp", "acr": "azure", "dockerhub": "dockerhub", "ghcr": "ghcr", "ngc": "ngc", "generic": "generic",
	}
	for _, typ := range helpers.Types() {
		if want[typ.Name] != typ.Beta9 {
			t.Errorf("%s is %s to Beta9, want %s", typ.Name, typ.Beta9, want[typ.Name])
		}
		for _, name := range []string{typ.Name, typ.Beta9} {
			if got, ok := helpers.TypeNamed(name); !ok || got.Name != typ.Name {
				t.Errorf("%s is %s, %t", name, got.Name, ok)
			}
		}
		if typ.Executable() != "docker-credential-beta9-"+typ.Name {
			t.Errorf("%s is run as %s", typ.Name, typ.Executable())
		}
		if computed := slices.Contains([]string{"ecr", "gcr", "acr"}, typ.Name); typ.Computed != computed {
			t.Errorf("%s is computed: %t", typ.Name, typ.Computed)
		}
		if typ.CatchAll() != (typ.Name == "generic") {
			t.Errorf("%s takes what no other does: %t", typ.Name, typ.CatchAll())
		}
		delete(want, typ.Name)
	}
	if len(want) > 0 {
		t.Errorf("no rows for %v", want)
	}
	for _, name := range []string{"", "GHCR", "docker", "../ghcr", "ghcr ", "none"} {
		if typ, ok := helpers.TypeNamed(name); ok {
			t.Errorf("%q is the type %s", name, typ.Name)
		}
	}
	helpers.Types()[0].Name = "x"
	if helpers.Types()[0].Name == "x" {
		t.Error("the table can be changed from outside")
	}
	if _, err := (helpers.Material{}).KeySet("ghcr", parse(t, "ghcr.io")); !errors.Is(err, helpers.ErrNotFound) {
		t.Errorf("the zero material has a key set: %v", err)
	}
}
