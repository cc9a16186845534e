package ecr

import (
	"slices"
	"strings"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest/aws"
)

func TestTheMapChoosesTheIdentity(t *testing.T) {
	t.Parallel()
	const (
		alias    = "mirror.example.com"
		west     = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
		role     = `"role":"` + roleARN + `puller","external_id":"x","session_name":"pinned"`
		asPuller = session + "puller/pinned"
	)
	tests := []struct {
		name, pin, host, principal, region string
		want                               helpers.Reason
	}{
		{name: "no entry", host: west, principal: "user/environment", region: "eu-west-1"},
		{name: "another host's entry", pin: `"host":"` + plainHost + `","profile":"images"`, host: west, principal: "user/environment", region: "eu-west-1"},
		{name: "a profile goes before the environment", pin: `"host":"*.dkr.ecr.*.amazonaws.com","profile":"images"`, host: west, principal: "user/images", region: "eu-west-1"},
		{name: "a role", pin: `"host":"` + west + `",` + role, host: west, principal: asPuller, region: "eu-west-1"},
		{name: "a role with a profile", pin: `"host":"` + west + `","profile":"images",` + role, host: west, principal: asPuller, region: "eu-west-1"},
		{name: "the registry behind", pin: `"host":"` + alias + `","type":"ecr","registry":"` + west + `"`, host: alias, principal: "user/environment", region: "eu-west-1"},
		{name: "the registry behind, in the other vocabulary", pin: `"host":"` + alias + `","type":"aws","registry":"` + west + `"`, host: alias, principal: "user/environment", region: "eu-west-1"},
		{name: "the region", pin: `"host":"` + alias + `","type":"ecr","region":"eu-west-1"`, host: alias, principal: "user/environment", region: "eu-west-1"},
		{name: "neither", pin: `"host":"` + alias + `","type":"ecr"`, host: alias, want: helpers.BadMaterial},
		{name: "an unknown region", pin: `"host":"` + alias + `","type":"ecr","region":"moon-base-1"`, host: alias, want: helpers.BadMaterial},
		{name: "no such profile", pin: `"host":"` + west + `","profile":"none"`, host: west, want: helpers.BadMaterial},
		{name: "a profile without credentials", pin: `"host":"` + west + `","profile":"empty"`, host: west, want: helpers.BadMaterial},
		{name: "no such role", pin: `"host":"` + west + `","role":"` + roleARN + `none"`, host: west, want: helpers.AccessDenied},
		{name: "a role that is none", pin: `"host":"` + west + `","role":"puller"`, host: west, want: helpers.BadMaterial},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.setKeys(w.cloud.User("environment"))
			k := w.cloud.User("images")
			w.cloud.AddRole("puller", aws.Role{ExternalID: "x"})
			w.write(".aws/config", "[profile images]\naws_access_key_id = "+k.ID+"\naws_secret_access_key = "+k.Secret+"\n[profile empty]\n")
			m := parseMap(t, `{"registries":[]}`)
			if test.pin != "" {
				m = parseMap(t, `{"registries":[{`+test.pin+`}]}`)
			}
			c, err := w.ambient(m).Token(t.Context(), registry(t, test.host))
			wants(t, err, test.want)
			if err != nil {
				return
			}
			if got := w.principal(c); !strings.HasSuffix(got, test.principal) {
				t.Errorf("the token is for %s", got)
			}
			if token, _ := w.cloud.Issued(c.Secret()); token.Region != test.region {
				t.Errorf("the token is for %s", token.Region)
			}
		})
	}
}

// A registry that is used by its FIPS name, or on a machine that asks for FIPS, is contacted by FIPS names only, a role
// to assume included.
func TestFIPSContactsFIPSNamesOnly(t *testing.T) {
	t.Parallel()
	tests := []struct {
		host  string
		env   []string
		hosts []string
	}{
		{
			host:  "123456789012.dkr.ecr-fips.us-east-1.amazonaws.com",
			hosts: []string{"sts-fips.us-east-1.amazonaws.com", "api.ecr-fips.us-east-1.amazonaws.com"},
		},
		{
			host: plainHost, env: []string{"AWS_USE_FIPS_ENDPOINT", "true"},
			hosts: []string{"sts-fips.us-east-1.amazonaws.com", "api.ecr-fips.us-east-1.amazonaws.com"},
		},
		{
			host:  "123456789012.dkr-ecr-fips.us-east-1.on.aws",
			hosts: []string{"sts-fips.us-east-1.api.aws", "ecr-fips.us-east-1.api.aws"},
		},
		{ // in us-gov the plain names of STS are the FIPS endpoints
			host:  "123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com",
			hosts: []string{"sts.us-gov-west-1.amazonaws.com", "api.ecr-fips.us-gov-west-1.amazonaws.com"},
		},
		{host: plainHost, hosts: []string{"sts.us-east-1.amazonaws.com", "api.ecr.us-east-1.amazonaws.com"}},
		{
			host:  "123456789012.dkr-ecr.us-east-1.on.aws",
			hosts: []string{"sts.us-east-1.api.aws", "ecr.us-east-1.api.aws"},
		},
	}
	for _, test := range tests {
		t.Run(test.host, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.cloud.Behind(w.proxy, "us-gov-west-1")
			w.setKeys(w.cloud.User("me"))
			w.set(test.env...)
			m := parseMap(t, `{"registries":[{"host":"`+test.host+`","role":"`+w.cloud.AddRole("puller", aws.Role{})+`"}]}`)
			_, err := w.ambient(m).Token(t.Context(), registry(t, test.host))
			wants(t, err, "")
			if got := w.called(); !slices.Equal(got, test.hosts) {
				t.Errorf("called %q", got)
			}
		})
	}
	w := newWorld(t)
	w.setKeys(w.cloud.User("me"))
	w.set("AWS_ENDPOINT_URL", "https://api.ecr.us-east-1.amazonaws.com")
	_, err := w.ambient(nil).Token(t.Context(), registry(t, "123456789012.dkr.ecr-fips.us-east-1.amazonaws.com"))
	wants(t, err, helpers.BadMaterial)
}

func TestEndpointsThatAreGiven(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	local := w.near()
	w.setKeys(w.cloud.User("me"))
	m := parseMap(t, `{"registries":[{"host":"`+plainHost+`","role":"`+w.cloud.AddRole("puller", aws.Role{})+`"}]}`)
	for _, test := range []struct {
		host string
		env  []string
		want []string // what is left for the proxy
	}{
		{plainHost, []string{"AWS_ENDPOINT_URL", local}, nil},
		{"public.ecr.aws", []string{"AWS_ENDPOINT_URL", local}, nil},
		{plainHost, []string{"AWS_ENDPOINT_URL_ECR", local}, []string{"sts.us-east-1.amazonaws.com"}},
		{plainHost, []string{"AWS_ENDPOINT_URL_STS", local}, []string{"api.ecr.us-east-1.amazonaws.com"}},
		{plainHost, []string{"AWS_ENDPOINT_URL_STS", local, "AWS_ENDPOINT_URL_ECR", local}, nil},
		{"public.ecr.aws", []string{"AWS_ENDPOINT_URL_ECR_PUBLIC", local}, nil},
		{"public.ecr.aws", []string{"AWS_ENDPOINT_URL_ECR", local}, []string{"api.ecr-public.us-east-1.amazonaws.com"}},
		{plainHost, []string{"AWS_ENDPOINT_URL", local, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"}, []string{"sts.us-east-1.amazonaws.com", "api.ecr.us-east-1.amazonaws.com"}},
	} {
		t.Run(test.host+" "+strings.Join(test.env, " "), func(t *testing.T) {
			for _, name := range []string{"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_ECR", "AWS_ENDPOINT_URL_ECR_PUBLIC", "AWS_ENDPOINT_URL_STS"} {
				w.set(name, "")
			}
			w.set(test.env...)
			before := len(w.proxy.Called())
			c, err := w.ambient(m).Token(t.Context(), registry(t, test.host))
			wants(t, err, "")
			w.principal(c)
			var got []string
			for _, host := range w.proxy.Called()[before:] {
				got = append(got, strings.TrimSuffix(host, ":443"))
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("called %q", got)
			}
		})
	}
}

func TestCertificatesThatAreGiven(t *testing.T) {
	t.Parallel()
	for name, give := range map[string]func(w *world, bundle string){
		"AWS_CA_BUNDLE": func(w *world, bundle string) { w.set("AWS_CA_BUNDLE", bundle) },
		"ca_bundle": func(w *world, bundle string) {
			k := w.cloud.User("me")
			w.set(accessKeyID, "", secretAccessKey, "")
			w.write(".aws/config", "[default]\nca_bundle = "+bundle+"\naws_access_key_id = "+k.ID+"\naws_secret_access_key = "+k.Secret+"\n")
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.setKeys(w.cloud.User("me"))
			bundle := w.env["SSL_CERT_FILE"]
			w.set("SSL_CERT_FILE", "")
			_, err := w.ambient(nil).Token(t.Context(), registry(t, plainHost))
			wants(t, err, helpers.Unreachable)
			give(w, bundle)
			_, err = w.ambient(nil).Token(t.Context(), registry(t, plainHost))
			wants(t, err, "")
		})
	}
}
