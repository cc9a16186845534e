package helpers_test

import (
	"strings"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

func readMap(t testing.TB, s string) *helpers.Map {
	t.Helper()
	m, err := helpers.ParseMap([]byte(s))
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return m
}

const pins = `{"registries": [
	{"host": "containers.ghe.example.com", "type": "ghcr"},
	{"host": "*.apps.Example.com.", "type": "ghcr"},
	{"host": "registry.example.com:5000", "type": "dockerhub"},
	{"host": "registry.example.com:0443", "type": "ngc"},
	{"host": "[2001:DB8:0::1]:5000", "type": "ngc"},
	{"host": "mirror.example.com", "type": "aws", "registry": "123456789012.dkr.ecr.eu-west-1.amazonaws.com", "role": "arn:aws:iam::123456789012:role/pull"},
	{"host": "*.dkr.ecr.*.amazonaws.com", "profile": "images"},
	{"host": "123456789012.dkr.ecr.us-east-1.amazonaws.com", "profile": "never reached"},
	{"host": "a-*-z.example.org", "type": "ghcr"},
	{"host": "a-b-z.example.org", "type": "ngc"},
	{"host": "gcr.example.net", "type": "gcp"}
]}`

func TestPinsGiveTypesToHosts(t *testing.T) {
	m := readMap(t, pins)
	for _, row := range []struct{ host, typ, profile string }{
		{"containers.ghe.example.com", "ghcr", ""},
		{"https://Containers.GHE.example.com:443/v2/", "ghcr", ""},
		{"containers.ghe.example.com:5000", "generic", ""},
		{"x.containers.ghe.example.com", "generic", ""},
		{"containers.ghe.example.com.evil.example", "generic", ""},
		{"one.apps.example.com", "ghcr", ""},
		{"one.two.apps.example.com", "generic", ""},
		{"apps.example.com", "generic", ""},
		{"xn--one-0na.apps.example.com", "generic", ""},
		{"registry.example.com:5000", "dockerhub", ""},
		{"registry.example.com", "ngc", ""},
		{"registry.example.com:5001", "generic", ""},
		{"[2001:db8::1]:5000", "ngc", ""},
		{"[2001:db8::1]", "generic", ""},
		{"mirror.example.com", "ecr", ""},
		{"user@mirror.example.com", "none", ""},
		{"user@gcr.example.net", "none", ""},
		{"210987654321.dkr.ecr.eu-west-1.amazonaws.com", "ecr", "images"},
		{"123456789012.dkr.ecr.us-east-1.amazonaws.com", "ecr", "images"},
		{"123456789012.dkr.ecr.us-east-1.amazonaws.com:5000", "generic", ""},
		{"a-b-z.example.org", "ghcr", ""},
		{"a--z.example.org", "generic", ""},
		{"a-b-c-z.example.org", "ghcr", ""},
		// what is known stays what it is
		{"ghcr.io", "ghcr", ""},
		{"quay.io", "generic", ""},
		{"docker.io", "dockerhub", ""},
		{"https://index.docker.io/v1/access-token", "dockerhub", ""},
		{"registry.k8s.io", "none", ""},
	} {
		r := parse(t, row.host)
		typ, ok := m.Lookup(r)
		if !ok {
			typ.Name = "none"
		}
		if typ.Name != row.typ {
			t.Errorf("%s is %s, want %s", row.host, typ.Name, row.typ)
		}
		if p, _ := m.Pin(r); p.Profile != row.profile {
			t.Errorf("%s has the profile %q, want %q", row.host, p.Profile, row.profile)
		}
	}
}

func TestTheNilMapHoldsNothing(t *testing.T) {
	for _, m := range []*helpers.Map{nil, readMap(t, "{}"), readMap(t, `{"registries":[],"partitions":[]}`)} {
		for _, host := range tableHosts(t) {
			r := parse(t, host)
			typ, ok := m.Lookup(r)
			want, wantOK := helpers.Lookup(r)
			if typ.Name != want.Name || ok != wantOK {
				t.Errorf("%s is %s", host, typ.Name)
			}
			if p, ok := m.Pin(r); ok {
				t.Errorf("%s has the pin %+v", host, p)
			}
		}
		if _, ok := m.Lookup(helpers.Registry{}); ok {
			t.Error("no registry has a type")
		}
	}
}

// No pin moves a host of a named service, or one of public images, to another type.
func TestAPinMovesNoNamedService(t *testing.T) {
	everything := `{"registries":[{"host":"*","type":"ghcr"},{"host":"*.*","type":"ghcr"},{"host":"*.*.*","type":"ngc"},
		{"host":"*.*.*.*","type":"ecr"},{"host":"*.*.*.*.*","type":"gcr"},{"host":"*.*.*.*.*.*","type":"acr"}]}`
	m := readMap(t, everything)
	for _, host := range tableHosts(t) {
		r := parse(t, host)
		was, wasOK := helpers.Lookup(r)
		is, isOK := m.Lookup(r)
		if was.CatchAll() {
			continue
		}
		if was.Name != is.Name || wasOK != isOK {
			t.Errorf("%s was %s and is %s", host, was.Name, is.Name)
		}
	}
	if typ, _ := m.Lookup(parse(t, "quay.io")); typ.Name != "ghcr" {
		t.Errorf("the pins do not count at all: quay.io is %s", typ.Name)
	}
}

func TestTheMapTellsWhichECRIsMeant(t *testing.T) {
	m := readMap(t, `{"registries": [
		{"host": "mirror.example.com", "type": "ecr", "registry": "123456789012.dkr.ecr-fips.eu-west-1.amazonaws.com"},
		{"host": "not.example.com", "type": "ecr", "registry": "quay.io"},
		{"host": "region.example.com", "type": "ecr", "region": "cn-north-1"},
		{"host": "nowhere.example.com", "type": "ecr", "region": "xx-old-1x"},
		{"host": "other.example.com", "type": "ghcr"},
		{"host": "later.example.com", "type": "ecr", "registry": "123456789012.dkr.ecr.xx-new-1.cloud.example"}
	], "partitions": [
		{"name": "new", "regions": ["xx"], "suffix": "cloud.example", "dual_stack": "dual.example", "dual_stack_api": "api.example"}
	]}`)
	for _, row := range []struct{ host, typ, account, region, partition string }{
		{"mirror.example.com", "ecr", "123456789012", "eu-west-1", "aws"},
		{"not.example.com", "ecr", "", "", ""},
		{"region.example.com", "ecr", "", "cn-north-1", "aws-cn"},
		{"nowhere.example.com", "ecr", "", "", ""},
		{"other.example.com", "ghcr", "", "", ""},
		{"later.example.com", "ecr", "123456789012", "xx-new-1", "new"},
		{"123456789012.dkr.ecr.xx-new-1.cloud.example", "ecr", "123456789012", "xx-new-1", "new"},
		{"123456789012.dkr-ecr.xx-new-1.on.dual.example", "ecr", "123456789012", "xx-new-1", "new"},
		{"123456789012.dkr.ecr.us-east-1.cloud.example", "generic", "", "", ""},
		{"123456789012.dkr.ecr.xx-new-1.cloud.example:5000", "generic", "", "", ""},
		{"123456789012.dkr.ecr.xx-new-1.amazonaws.com", "generic", "", "", ""},
		{"123456789012.dkr.ecr.us-east-1.amazonaws.com", "ecr", "123456789012", "us-east-1", "aws"},
		{"public.ecr.aws", "ecr", "", "us-east-1", "aws"},
	} {
		r := parse(t, row.host)
		typ, _ := m.Lookup(r)
		h, ok := m.ECR(r)
		if typ.Name != row.typ || ok != (row.region != "") || h.Account != row.account || h.Region != row.region || h.Partition.Name != row.partition {
			t.Errorf("%s is %s, %q, %q, %q; want %+v", row.host, typ.Name, h.Account, h.Region, h.Partition.Name, row)
		}
	}
	if _, ok := helpers.Lookup(parse(t, "123456789012.dkr.ecr.xx-new-1.cloud.example")); !ok {
		t.Error("a host of a partition that only the map knows has no type without it")
	}
}

func TestIdentitiesAreChosenForECR(t *testing.T) {
	for name, in := range map[string]string{
		"by its name":      `{"registries":[{"host":"123456789012.dkr.ecr.us-east-1.amazonaws.com","role":"x","external_id":"y"}]}`,
		"by its type":      `{"registries":[{"host":"a.example","type":"ecr","region":"us-east-1"}]}`,
		"by an asterisk":   `{"registries":[{"host":"*.dkr.ecr.*.amazonaws.com","profile":"x"}]}`,
		"of a partition":   `{"partitions":[{"name":"n","regions":["xx"],"suffix":"cloud.example"}],"registries":[{"host":"123456789012.dkr.ecr.xx-new-1.cloud.example","role":"x"}]}`,
		"of public images": `{"registries":[{"host":"public.ecr.aws","profile":"x"}]}`,
	} {
		if _, err := helpers.ParseMap([]byte(in)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAMapThatCannotBeMeantIsRefused(t *testing.T) {
	for name, in := range map[string]string{
		"nothing":                   ``,
		"list":                      `[]`,
		"null":                      `null`,
		"text behind":               `{} x`,
		"bracket behind":            `{}]`,
		"brace behind":              `{}}`,
		"two objects":               `{}{}`,
		"unknown field":             `{"registry":[]}`,
		"unknown field of an entry": `{"registries":[{"host":"a.example","typ":"ghcr"}]}`,
		"field twice":               `{"registries":[],"registries":[]}`,
		"field of an entry twice":   `{"registries":[{"host":"a.example","host":"b.example"}]}`,
		"entries that are no list":  `{"registries":{}}`,
		"entry that is no object":   `{"registries":["a.example"]}`,
		"host that is no string":    `{"registries":[{"host":1}]}`,
		"no host":                   `{"registries":[{"type":"ghcr"}]}`,
		"empty host":                `{"registries":[{"host":"","type":"ghcr"}]}`,
		"URL":                       `{"registries":[{"host":"https://a.example","type":"ghcr"}]}`,
		"path":                      `{"registries":[{"host":"a.example/org","type":"ghcr"}]}`,
		"query":                     `{"registries":[{"host":"a.example?x","type":"ghcr"}]}`,
		"user":                      `{"registries":[{"host":"user:hunter2@a.example","type":"ghcr"}]}`,
		"two asterisks in a label":  `{"registries":[{"host":"*a*.example","type":"ghcr"}]}`,
		"asterisk for a port":       `{"registries":[{"host":"a.example:*","type":"ghcr"}]}`,
		"port that is none":         `{"registries":[{"host":"a.example:0","type":"ghcr"}]}`,
		"control character":         `{"registries":[{"host":"a.exa\nmple","type":"ghcr"}]}`,
		"unknown type":              `{"registries":[{"host":"a.example","type":"github"}]}`,
		"another type than known":   `{"registries":[{"host":"ghcr.io","type":"ngc"}]}`,
		"a type for public images":  `{"registries":[{"host":"registry.k8s.io","type":"generic"}]}`,
		"registry that is none":     `{"registries":[{"host":"a.example","type":"ecr","registry":"x y"}]}`,
		"registry with a user":      `{"registries":[{"host":"a.example","type":"ecr","registry":"hunter2@b.example"}]}`,
		"role for another type":     `{"registries":[{"host":"a.example","type":"ghcr","role":"x"}]}`,
		"profile for another host":  `{"registries":[{"host":"ghcr.io","profile":"x"}]}`,
		"region for anybody":        `{"registries":[{"host":"a.example","region":"us-east-1"}]}`,
		"role behind a port":        `{"registries":[{"host":"123456789012.dkr.ecr.us-east-1.amazonaws.com:5000","role":"x"}]}`,
		"external id without role":  `{"registries":[{"host":"123456789012.dkr.ecr.us-east-1.amazonaws.com","external_id":"x"}]}`,
		"partition without a name":  `{"partitions":[{"regions":["xx"],"suffix":"x.example"}]}`,
		"partition without regions": `{"partitions":[{"name":"x","suffix":"x.example"}]}`,
		"partition without suffix":  `{"partitions":[{"name":"x","regions":["xx"]}]}`,
		"regions that are no list":  `{"partitions":[{"name":"x","regions":"xx","suffix":"x.example"}]}`,
	} {
		m, err := helpers.ParseMap([]byte(in))
		if helpers.ReasonOf(err) != helpers.BadMaterial || m != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if helpers.HintOf(err) == "" || strings.Contains(err.Error(), "hunter2") || strings.ContainsAny(helpers.ErrorLine(err), "\n\r") {
			t.Errorf("%s: %v (%s)", name, err, helpers.HintOf(err))
		}
	}
}

func TestScopesCoverWholeComponents(t *testing.T) {
	for _, row := range []struct {
		scope, repository helpers.Scope
		want              bool
	}{
		{"", "", true}, {"", "org/app", true}, {"org", "org", true}, {"org", "org/app", true}, {"org/app", "org/app", true},
		{"org/app", "org", false}, {"org", "organic", false}, {"org", "organic/app", false}, {"org/app", "org/apple", false}, {"org", "", false},
		{"app", "org/app", false},
	} {
		if got := row.scope.Covers(row.repository); got != row.want {
			t.Errorf("%q covers %q: %t", row.scope, row.repository, got)
		}
	}
	for in, want := range map[string]string{
		"": "", "org": "org", "org/app": "org/app", "/org/": "org", "a.b_c--d__e/f": "a.b_c--d__e/f",
		"/": "refused", "Org": "refused", "org//app": "refused", "org/..": "refused", "org/*": "refused", "org app": "refused", "org/app:1": "refused",
		"org/\n": "refused", strings.Repeat("a", 256): "refused",
	} {
		s, err := helpers.ParseScope(in)
		if want == "refused" {
			if helpers.ReasonOf(err) != helpers.BadRequest || s != "" || helpers.HintOf(err) == "" {
				t.Errorf("%q is the scope %q: %v", in, s, err)
			}
			continue
		}
		if err != nil || string(s) != want {
			t.Errorf("%q is the scope %q: %v, want %q", in, s, err, want)
		}
	}
}

func TestMapThatIsTooLarge(t *testing.T) {
	file := []byte(`{"registries":[` + strings.Repeat(`{"host":"registry.example.com"},`, 1<<17))
	if _, err := helpers.ParseMap(file); helpers.ReasonOf(err) != helpers.BadMaterial || !strings.Contains(err.Error(), "2 MiB") {
		t.Errorf("%v", err)
	}
}
