package helpers_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"pgregory.net/rapid"
)

func material(t testing.TB, typ, host string, values map[string]string) helpers.Material {
	t.Helper()
	row, ok := helpers.TypeNamed(typ)
	if !ok {
		t.Fatalf("no type %s", typ)
	}
	m, err := helpers.NewMaterial(row, parse(t, host), values)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMaterialIsWrittenAsBeta9ReadsIt(t *testing.T) {
	for _, row := range []struct {
		m    helpers.Material
		want string
	}{
		{material(t, "ghcr", "https://GHCR.io:443/acme", map[string]string{"GITHUB_USERNAME": "u", "GITHUB_TOKEN": "t", "GH_TOKEN": "", "AWS_REGION": "x"}),
			`{"version":1,"registry":"ghcr.io","type":"ghcr","credentials":{"GITHUB_TOKEN":"t","GITHUB_USERNAME":"u"}}`},
		{material(t, "ghcr", "ghcr.io", map[string]string{"GITHUB_TOKEN": "t"}).WithScope("acme/app"),
			`{"version":1,"registry":"ghcr.io","type":"ghcr","scope":"acme/app","credentials":{"GITHUB_TOKEN":"t"}}`},
		{material(t, "aws", "123456789012.dkr.ecr.us-east-1.amazonaws.com", map[string]string{"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "<&>\"\\\n"}),
			`{"version":1,"registry":"123456789012.dkr.ecr.us-east-1.amazonaws.com","type":"aws","credentials":{"AWS_ACCESS_KEY_ID":"a","AWS_SECRET_ACCESS_KEY":"<&>\"\\\n"}}`},
		{material(t, "gcr", "gcr.io", map[string]string{"GCP_SERVICE_ACCOUNT_JSON": `{"a":1}`}),
			`{"version":1,"registry":"gcr.io","type":"gcp","credentials":{"GCP_SERVICE_ACCOUNT_JSON":"{\"a\":1}"}}`},
	} {
		out, err := row.m.AppendBlob([]byte("before "))
		if err != nil || string(out) != "before "+row.want {
			t.Errorf("%s, %v, want %s", out, err, row.want)
			continue
		}
		back, err := helpers.ParseMaterial(out[len("before "):])
		if err != nil || back.Fingerprint() != row.m.Fingerprint() {
			t.Errorf("%s comes back as another: %v", row.want, err)
		}
	}
}

func TestMaterialIsReadStrictly(t *testing.T) {
	const rest = `"registry":"ghcr.io","type":"ghcr","credentials":{"GITHUB_TOKEN":"t"}`
	for _, row := range []struct {
		in, keys string // the keys of the material; empty when it is refused
	}{
		{`{"version":1,` + rest + `}`, "GITHUB_TOKEN"},
		{`{"version":1,"registry":"https://GHCR.io:443/","type":"ghcr","credentials":{"GITHUB_TOKEN":"t","GITHUB_ACTOR":"a"},"more":{}}`, "GITHUB_ACTOR GITHUB_TOKEN"},
		{`{"version":1,"registry":"123456789012.dkr.ecr.us-east-1.amazonaws.com","type":"aws","credentials":{"AWS_ACCESS_KEY_ID":"a","AWS_SECRET_ACCESS_KEY":"s"}}`,
			"AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY"},
		{`{"version":1,"registry":"gcr.io","type":"gcp","credentials":{"GOOGLE_APPLICATION_CREDENTIALS":"{}"}}`, "GOOGLE_APPLICATION_CREDENTIALS"},
		{`{"version":1,"scope":"acme/app",` + rest + `}`, "GITHUB_TOKEN"},

		{`{"version":2,` + rest + `}`, ""},
		{`{"version":"1",` + rest + `}`, ""},
		{`{"version":null,` + rest + `}`, ""},
		{`{"version":0,` + rest + `}`, ""},
		{`{` + rest + `}`, ""},
		{`{"version":1,"type":"ghcr","credentials":{"GITHUB_TOKEN":"t"}}`, ""},
		{`{"version":1,"registry":"","type":"ghcr","credentials":{"GITHUB_TOKEN":"t"}}`, ""},
		{`{"version":1,"registry":null,"type":"ghcr","credentials":{"GITHUB_TOKEN":"t"}}`, ""},
		{`{"version":1,"registry":"gh\ncr.io","type":"ghcr","credentials":{"GITHUB_TOKEN":"t"}}`, ""},
		{`{"version":1,"registry":"ghcr.io","credentials":{"GITHUB_TOKEN":"t"}}`, ""},
		{`{"version":1,"registry":"ghcr.io","type":"github","credentials":{"GITHUB_TOKEN":"t"}}`, ""},
		{`{"version":1,"registry":"ghcr.io","type":1,"credentials":{"GITHUB_TOKEN":"t"}}`, ""},
		{`{"version":1,"registry":"ghcr.io","type":"ghcr"}`, ""},
		{`{"version":1,"registry":"ghcr.io","type":"ghcr","credentials":null}`, ""},
		{`{"version":1,"registry":"ghcr.io","type":"ghcr","credentials":[]}`, ""},
		{`{"version":1,"registry":"ghcr.io","type":"ghcr","credentials":"u:p"}`, ""},
		{`{"version":1,"registry":"ghcr.io","type":"ghcr","credentials":{}}`, ""},
		{`{"version":1,"registry":"ghcr.io","type":"ghcr","credentials":{"GITHUB_TOKEN":""}}`, ""},
		{`{"version":1,"registry":"ghcr.io","type":"ghcr","credentials":{"GITHUB_TOKEN":1}}`, ""},
		{`{"version":1,"registry":"ghcr.io","type":"ghcr","credentials":{"GITHUB_TOKEN":null}}`, ""},
		{`{"version":1,"registry":"ghcr.io","type":"ghcr","credentials":{"GITHUB_TOKEN":"t","GITHUB_TOKEN":"u"}}`, ""},
		{`{"version":1,"registry":"ghcr.io","type":"ghcr","credentials":{"AWS_ACCESS_KEY_ID":"a"}}`, ""},
		{`{"version":1,"scope":"Acme",` + rest + `}`, ""},
		{`{"version":1,"scope":"a//b",` + rest + `}`, ""},
		{`{"version":1,"scope":["acme"],` + rest + `}`, ""},
		{`{"version":1,` + rest + `}{}`, ""},
		{`u:p`, ""},
		{``, ""},
		{`{"version":1,"pad":"` + strings.Repeat("x", 2*helpers.MaxSecret) + `",` + rest + `}`, ""},
	} {
		m, err := helpers.ParseMaterial([]byte(row.in))
		if row.keys == "" {
			if helpers.ReasonOf(err) != helpers.BadMaterial || !m.IsZero() {
				t.Errorf("%.120s: %q, %v", row.in, m.Keys(), err)
			}
			continue
		}
		if err != nil || strings.Join(m.Keys(), " ") != row.keys {
			t.Errorf("%.120s: %q, %v", row.in, m.Keys(), err)
		}
	}
}

func TestMaterialIsBoundToItsRegistry(t *testing.T) {
	values := map[string]string{"GITHUB_TOKEN": "t"}
	whole := material(t, "ghcr", "ghcr.io", values)
	part := whole.WithScope("acme")
	for _, row := range []struct {
		m       helpers.Material
		typ, in string
		ok      bool
	}{
		{whole, "ghcr", "ghcr.io", true},
		{whole, "ghcr", "https://ghcr.io/other/app", true},
		{whole, "ghcr", "ghcr.io:5000", false},
		{whole, "ghcr", "docker.pkg.github.com", false},
		{whole, "ghcr", "ghcr.io.evil.example", false},
		{whole, "generic", "ghcr.io", false},
		{part, "ghcr", "ghcr.io", true}, // nothing is known of the repository
		{part, "ghcr", "ghcr.io/acme", true},
		{part, "ghcr", "ghcr.io/acme/app", true},
		{part, "ghcr", "ghcr.io/acmes/app", false},
		{part, "ghcr", "ghcr.io/other", false},
	} {
		err := row.m.Bound(row.typ, parse(t, row.in))
		if row.ok != (err == nil) || !row.ok && helpers.ReasonOf(err) != helpers.WrongHost {
			t.Errorf("%s/%s for %s as %s: %v", row.m.Registry(), row.m.Scope(), row.in, row.typ, err)
		}
		if _, err := row.m.KeySet(row.typ, parse(t, row.in)); row.ok != (err == nil) {
			t.Errorf("the key set of %s/%s for %s: %v", row.m.Registry(), row.m.Scope(), row.in, err)
		}
	}
	hubLogin := material(t, "dockerhub", "docker.io", map[string]string{"DOCKERHUB_USERNAME": "u", "DOCKERHUB_TOKEN": "t"})
	if err := hubLogin.Bound("dockerhub", parse(t, "https://index.docker.io/v1/refresh-token")); helpers.ReasonOf(err) != helpers.WrongHost {
		t.Errorf("the login of Docker Hub counts for its token URL: %v", err)
	}
	if err := hubLogin.Bound("dockerhub", parse(t, "registry-1.docker.io/acme/app")); err != nil {
		t.Errorf("the login of Docker Hub does not count for its other names: %v", err)
	}
}

// Every host of the tables against material of every other: nothing crosses.
func TestMaterialCrossesNoBorder(t *testing.T) {
	hosts := tableHosts(t)
	for _, own := range hosts {
		typ, ok := helpers.Lookup(parse(t, own))
		if !ok {
			continue
		}
		values := map[string]string{typ.Keys[len(typ.Keys)-1].Secret: "s"}
		for _, key := range typ.Keys[len(typ.Keys)-1].Needs {
			values[key] = "n"
		}
		m, err := helpers.NewMaterial(typ, parse(t, own), values)
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range hosts {
			r := parse(t, other)
			same := r.Identity() == parse(t, own).Identity()
			if err := m.Bound(typ.Name, r); same != (err == nil) {
				t.Errorf("material for %s used for %s: %v", own, other, err)
			}
		}
	}
}

func TestFingerprintsTellMaterialApart(t *testing.T) {
	seen := map[[32]byte]string{}
	for name, m := range map[string]helpers.Material{
		"one":            material(t, "ghcr", "ghcr.io", map[string]string{"GITHUB_TOKEN": "t"}),
		"other value":    material(t, "ghcr", "ghcr.io", map[string]string{"GITHUB_TOKEN": "u"}),
		"other key":      material(t, "ghcr", "ghcr.io", map[string]string{"GH_TOKEN": "t"}),
		"more":           material(t, "ghcr", "ghcr.io", map[string]string{"GITHUB_TOKEN": "t", "GITHUB_USERNAME": "u"}),
		"moved border":   material(t, "ghcr", "ghcr.io", map[string]string{"GITHUB_TOKEN": "tGITHUB_USERNAMEu"}),
		"other registry": material(t, "ghcr", "docker.pkg.github.com", map[string]string{"GITHUB_TOKEN": "t"}),
		"other type":     material(t, "generic", "ghcr.io", map[string]string{"PASSWORD": "t"}),
		"scope":          material(t, "ghcr", "ghcr.io", map[string]string{"GITHUB_TOKEN": "t"}).WithScope("acme"),
		"zero":           {},
	} {
		if other, ok := seen[m.Fingerprint()]; ok {
			t.Errorf("%s has the fingerprint of %s", name, other)
		}
		seen[m.Fingerprint()] = name
	}
	a := material(t, "ghcr", "ghcr.io", map[string]string{"GITHUB_TOKEN": "t", "GITHUB_USERNAME": "u"})
	b := material(t, "ghcr", "https://GHCR.IO/acme", map[string]string{"GITHUB_USERNAME": "u", "GITHUB_TOKEN": "t", "HOME": "/"})
	if a.Fingerprint() != b.Fingerprint() {
		t.Error("equal material has two fingerprints")
	}
	if a.WithScope("x").WithScope("").Fingerprint() != a.Fingerprint() {
		t.Error("a scope that is taken away leaves a trace")
	}
}

func TestMaterialIsNotChangedFromOutside(t *testing.T) {
	values := map[string]string{"GITHUB_TOKEN": "t"}
	m := material(t, "ghcr", "ghcr.io", values)
	values["GITHUB_TOKEN"] = "changed"
	m.Keys()[0] = "changed"
	if m.Value("GITHUB_TOKEN") != "t" || !slices.Equal(m.Keys(), []string{"GITHUB_TOKEN"}) {
		t.Error("material was changed")
	}
	ghcr, _ := helpers.TypeNamed("ghcr")
	if _, err := helpers.NewMaterial(ghcr, parse(t, "ghcr.io"), map[string]string{"GITHUB_TOKEN": "\xff"}); helpers.ReasonOf(err) != helpers.BadMaterial {
		t.Errorf("a value that is not valid UTF-8: %v", err)
	}
}

func TestMaterialSurvivesTheWire(t *testing.T) {
	hosts := tableHosts(t)
	rapid.Check(t, func(rt *rapid.T) {
		typ := rapid.SampledFrom(helpers.Types()).Draw(rt, "type")
		values := map[string]string{}
		for _, k := range typ.Keys {
			values[k.Secret] = rapid.String().Draw(rt, k.Secret)
		}
		r, err := helpers.ParseServerURL(spelled(hosts).Draw(rt, "registry"))
		if err != nil {
			return
		}
		m, err := helpers.NewMaterial(typ, r, values)
		if err != nil {
			return
		}
		wire, err := m.WithScope(r.Scope()).AppendBlob(nil)
		if err != nil || !json.Valid(wire) {
			rt.Fatalf("%s, %v", wire, err)
		}
		checkMaterial(rt, wire)
	})
}

// checkMaterial: what is taken is written and taken again as the same, and Beta9's readers see the same registry and
// the same strings.
func checkMaterial(t fatal, data []byte) {
	t.Helper()
	m, err := helpers.ParseMaterial(data)
	if err != nil {
		if !m.IsZero() {
			t.Fatalf("%q is refused and is material all the same", data)
		}
		return
	}
	wire, err := m.AppendBlob(nil)
	if err != nil {
		t.Fatalf("%q cannot be written: %v", data, err)
	}
	back, err := helpers.ParseMaterial(wire)
	if err != nil || back.Fingerprint() != m.Fingerprint() {
		t.Fatalf("%q is written as %q, which is another: %v", data, wire, err)
	}
	if err := m.Bound(m.Type(), m.Registry()); err != nil {
		t.Fatalf("%q does not count for its own registry: %v", data, err)
	}
	var theirs struct {
		Version     int
		Registry    string
		Type        string
		Credentials map[string]string
	}
	if err := json.Unmarshal(wire, &theirs); err != nil || theirs.Version != 1 || theirs.Registry != m.Registry().Identity() || len(theirs.Credentials) != len(m.Keys()) || len(m.Keys()) == 0 {
		t.Fatalf("%q is written as %q: %v", data, wire, err)
	}
	for _, key := range m.Keys() {
		if theirs.Credentials[key] != m.Value(key) {
			t.Fatalf("%q is written as %q: %s differs", data, wire, key)
		}
	}
}
