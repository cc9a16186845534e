package pull_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/helpers/acr"
	"github.com/beam-cloud/docker-credential-beta9/helpers/ecr"
	"github.com/beam-cloud/docker-credential-beta9/helpers/gcr"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest/aws"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest/azure"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest/google"
	"github.com/beam-cloud/docker-credential-beta9/internal/commands"
)

// order lets every token service misbehave.
func (f *site) order(fault cloudtest.Fault) {
	f.amazon.Gate.Order(aws.ECR, fault)
	f.google.Order(google.OAuth2, fault)
	f.azure.Order(azure.Public, fault)
}

// login gives the person a login at Google that is over.
func (f *site) login(why string) {
	const person = "person@example.com"
	f.set("GOOGLE_APPLICATION_CREDENTIALS=" + f.write("login.json", f.google.User(f.t, person)))
	f.google.EndLogin(person, why)
}

// A reasonCase brings a failure of one reason about.
type reasonCase struct {
	reason helpers.Reason
	inGo   bool                   // as well; if not, the executable alone decides it
	types  map[string]func(*site) // how it comes about, by type
}

// all is for what comes about in the same way for all types.
func all(how func(f *site)) map[string]func(*site) {
	types := map[string]func(*site){}
	for _, typ := range []string{"ecr", "gcr", "acr"} {
		types[typ] = func(f *site) {
			f.usual(typ)
			how(f)
		}
	}
	return types
}

// reasonCases are all the reasons for which a get may fail. What is Azure's knows no login of a person; a host that is not
// the type's is one that is pinned to it, which only that of Azure refuses to be sent to.
func reasonCases() []reasonCase {
	const denied = `{"__type":"AccessDeniedException","error":"access_denied","message":"` + canary + `"}`
	return []reasonCase{
		{reason: helpers.AccessDenied, inGo: true, types: all(func(f *site) { f.order(cloudtest.Status(403, denied)) })},
		{reason: helpers.Throttled, inGo: true, types: all(func(f *site) { f.order(cloudtest.Throttle(1000)) })},
		{reason: helpers.Unavailable, inGo: true, types: all(func(f *site) { f.order(cloudtest.Status(503, canary)) })},
		{reason: helpers.BadAnswer, inGo: true, types: all(func(f *site) { f.order(cloudtest.Garbage(canary)) })},
		{reason: helpers.Timeout, inGo: true, types: all(func(f *site) { f.order(cloudtest.Hang()) })},
		{reason: helpers.Unreachable, inGo: true, types: all(func(f *site) { f.set("HTTPS_PROXY=http://" + deaf(f.t)) })},
		{reason: helpers.BadRequest, types: all(func(f *site) { f.set("BETA9_CREDENTIAL_AMBIENT=no") })},
		{reason: helpers.ExpiredIdentity, inGo: true, types: map[string]func(*site){
			"ecr": func(f *site) {
				f.usual("ecr")
				f.amazon.Gate.Order(aws.ECR, aws.Refuse("ExpiredTokenException", canary))
			},
			"gcr": func(f *site) { f.login("revoked") },
			"acr": func(f *site) {
				f.usual("acr")
				f.azure.ExpireSecret(f.app)
			},
		}},
		{reason: helpers.LoginRequired, inGo: true, types: map[string]func(*site){
			"ecr": func(f *site) {
				f.write(".aws/config", "[default]\ncredential_process = echo "+canary+"; exit 1\n")
			},
			"gcr": func(f *site) { f.login("invalid_rapt") },
		}},
		{reason: helpers.BadMaterial, inGo: true, types: map[string]func(*site){
			"ecr": func(f *site) { f.set("AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE") },
			"gcr": func(f *site) { f.set("GCP_SERVICE_ACCOUNT_JSON=" + canary) },
			"acr": func(f *site) { f.set("AZURE_CLIENT_SECRET=" + canary) },
		}},
		{reason: helpers.WrongHost, inGo: true, types: map[string]func(*site){
			"acr": func(f *site) {
				f.usual("acr")
				f.set("BETA9_CREDENTIAL_REGISTRIES=" + f.write("registries.json", `{"registries":[{"host":"`+pinned+`","type":"acr"}]}`))
			},
		}},
	}
}

// pinned is a host that the map file gives to Azure's type, in the case of a wrong host.
const pinned = "myreg.azurecr.io.example.com"

// TestReasons shows every reason in three places: on the line that a helper prints, in the JSON of check, and as an error
// in Go. In none of them is anything of what a service said.
func TestReasons(t *testing.T) {
	t.Parallel()
	for _, c := range reasonCases() {
		t.Run(string(c.reason), func(t *testing.T) {
			t.Parallel()
			f := newSite(t)
			hosts := map[string]string{}
			for typ, how := range c.types {
				how(f)
				hosts[typ] = map[string]string{"ecr": amazon, "gcr": artifact, "acr": myreg}[typ]
				if c.reason == helpers.WrongHost {
					hosts[typ] = pinned
				}
			}
			for typ, host := range hosts {
				f.tells(typ, host, c.reason)
				if c.inGo {
					limit := time.Minute
					if c.reason == helpers.Timeout {
						limit = 500 * time.Millisecond
					}
					_, err := f.inGo(typ, host, limit)
					if failure, ok := errors.AsType[*helpers.Failure](err); !errors.Is(err, c.reason) || !ok || failure.Reason != c.reason {
						t.Errorf("%s: in Go: %v", typ, err)
					}
				}
			}
			for host, v := range f.check(slices.Sorted(maps.Values(hosts))...) {
				if v.Credential != "failed" || v.Reason != c.reason || !strings.HasPrefix(v.Error, string(c.reason)+": ") {
					t.Errorf("%s: check says %+v", host, v)
				}
			}
		})
	}
}

// tells runs a helper, which has to fail for the reason.
func (f *site) tells(typ, host string, reason helpers.Reason) {
	f.t.Helper()
	var patience []string
	if reason == helpers.Timeout {
		patience = []string{"BETA9_CREDENTIAL_TIMEOUT=500ms"}
	}
	stdout, stderr, ok := f.run(typ, helpers.VerbGet, host, patience...)
	line := strings.TrimSuffix(stdout, "\n")
	if ok || !strings.HasPrefix(line, string(reason)+": ") || strings.ContainsAny(line, "\r\n") || len(line) > 512 {
		f.t.Errorf("%s: the line is %q, want %s", typ, stdout, reason)
	}
	if err := helpers.ParseErrorLine([]byte(stdout)); !errors.Is(err, reason) {
		f.t.Errorf("%s: read back: %v", typ, err)
	}
	if strings.Contains(stdout+stderr, canary) {
		f.t.Errorf("%s: a service is quoted: %q, %q", typ, stdout, stderr)
	}
}

// TestReasonsOfStore shows the reason where a login is given to the helper of another type.
func TestReasonsOfStore(t *testing.T) {
	t.Parallel()
	for _, typ := range []string{"ecr", "gcr", "acr"} {
		p := newPerson(t)
		stdout, _, ok := p.run(typ, helpers.VerbStore, `{"ServerURL":"ghcr.io","Username":"`+canary+`","Secret":"`+canary+`"}`)
		if err := helpers.ParseErrorLine([]byte(stdout)); ok || !errors.Is(err, helpers.WrongHost) || strings.Contains(stdout, canary) {
			t.Errorf("%s: %q", typ, stdout)
		}
	}
}

// TestReasonsOfMaterial shows in Go that material is refused for a registry that it is not bound to, and nobody called.
func TestReasonsOfMaterial(t *testing.T) {
	t.Parallel()
	hosts := map[string][2]string{
		"ecr": {amazon, "999999999999.dkr.ecr.us-east-1.amazonaws.com"}, "gcr": {artifact, "europe-docker.pkg.dev"}, "acr": {myreg, "other.azurecr.io"},
	}
	f := newSite(t)
	for typ, host := range hosts {
		f.usual(typ)
		m, err := typeNamed(t, typ).FromEnvironment(registry(t, host[0]), f.getenv)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.exchanger(typ).Exchange(t.Context(), registry(t, host[1]), m); !errors.Is(err, helpers.WrongHost) {
			t.Errorf("%s: %v", typ, err)
		}
	}
	if called := f.proxy.Called(); len(called) != 0 {
		t.Errorf("called %q", called)
	}
}

// A verdict is what check prints as JSON, as far as it matters here.
type verdict struct {
	Registry   string
	Credential string
	Reason     helpers.Reason
	Error      string
}

// check asks beta9-credentials for an image of each host, and returns the verdicts by host.
func (f *site) check(hosts ...string) map[string]verdict {
	f.t.Helper()
	args := []string{"check", "--helpers", commands.Folder(f.t), "--json"}
	for _, host := range hosts {
		args = append(args, host+"/acme/app:1")
	}
	cmd := exec.CommandContext(f.t.Context(), filepath.Join(commands.Folder(f.t), "beta9-credentials"), args...)
	cmd.Env = f.environ
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 {
		f.t.Errorf("check ends with %v", err)
	}
	var verdicts []verdict
	if err := json.Unmarshal(stdout, &verdicts); err != nil || len(verdicts) != len(hosts) {
		f.t.Fatalf("check prints %q, %q", stdout, stderr.String())
	}
	if strings.Contains(string(stdout)+stderr.String(), canary) {
		f.t.Errorf("a service is quoted: %q, %q", stdout, stderr.String())
	}
	by := map[string]verdict{}
	for _, v := range verdicts {
		by[v.Registry] = v
	}
	return by
}

// inGo makes a credential as a helper does, without one.
func (f *site) inGo(typ, host string, limit time.Duration) (helpers.Credential, error) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), limit)
	defer cancel()
	r := registry(f.t, host)
	if typ != "ecr" { // whose identities look at the keys themselves
		m, err := typeNamed(f.t, typ).FromEnvironment(r, f.getenv)
		if err == nil {
			return f.exchanger(typ).Exchange(ctx, r, m)
		}
		if !helpers.IsNotFound(err) {
			return helpers.Credential{}, err
		}
	}
	return ambients[typ](f.machine()).Token(ctx, r)
}

func (f *site) exchanger(typ string) helpers.Exchanger {
	return map[string]func(helpers.Machine) helpers.Exchanger{"ecr": ecr.New, "gcr": gcr.New, "acr": acr.New}[typ](f.machine())
}
