package serve_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/helpers/dockerhub"
	"github.com/beam-cloud/docker-credential-beta9/helpers/generic"
	"github.com/beam-cloud/docker-credential-beta9/helpers/ghcr"
	"github.com/beam-cloud/docker-credential-beta9/helpers/ngc"
	"github.com/beam-cloud/docker-credential-beta9/internal/serve"
)

const none = "credentials not found in native keychain\n"

// kinds are the static helpers, put together as their mains do.
var kinds = map[string]serve.Kind{
	"dockerhub": {Type: "dockerhub", Exchanger: dockerhub.New, Keep: dockerhub.Keep},
	"ghcr":      {Type: "ghcr", Exchanger: ghcr.New, Keep: ghcr.Keep},
	"ngc":       {Type: "ngc", Exchanger: ngc.New, Keep: ngc.Keep},
	"generic":   {Type: "generic", Exchanger: generic.New, Keep: generic.Keep},
}

// printed is what a call left behind.
type printed struct {
	stdout, stderr string
	code           int
}

func run(typ, verb, stdin string, env ...string) printed {
	var stdout, stderr bytes.Buffer
	code := serve.Run(context.Background(), kinds[typ], serve.Process{
		Args: []string{verb}, Stdin: strings.NewReader(stdin), Stdout: &stdout, Stderr: &stderr, Environ: env,
		Exit: func(int) { panic("the helper does not end by itself") },
	})
	return printed{stdout.String(), stderr.String(), code}
}

// home returns the environment of a person with nothing stored.
func home(t *testing.T) string {
	t.Helper()
	return "BETA9_CREDENTIAL_HOME=" + filepath.Join(t.TempDir(), "home")
}

func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func answer(url, user, secret string) string {
	return `{"ServerURL":"` + url + `","Username":"` + user + `","Secret":"` + secret + "\"}\n"
}

func TestGetFromTheEnvironment(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, typ, url string
		env            []string
		want           string
	}{
		{"hub token", "dockerhub", "https://index.docker.io/v1/", []string{"DOCKERHUB_USERNAME=u", "DOCKERHUB_TOKEN=t", "DOCKERHUB_PASSWORD=p"}, answer("https://index.docker.io/v1/", "u", "t")},
		{"hub password", "dockerhub", "docker.io", []string{"DOCKERHUB_USERNAME=u", "DOCKERHUB_PASSWORD=p", "DOCKER_USERNAME=x", "DOCKER_PASSWORD=y"}, answer("docker.io", "u", "p")},
		{"hub, docker's names", "dockerhub", "docker.io", []string{"DOCKER_USERNAME=x", "DOCKER_PASSWORD=y"}, answer("docker.io", "x", "y")},
		{"a user alone is nothing", "dockerhub", "docker.io", []string{"DOCKER_USERNAME=x"}, none},
		{"ghcr without a user", "ghcr", "ghcr.io", []string{"GITHUB_TOKEN=t"}, answer("ghcr.io", "x-access-token", "t")},
		{"ghcr with the actor", "ghcr", "ghcr.io", []string{"GITHUB_TOKEN=t", "GITHUB_ACTOR=octocat"}, answer("ghcr.io", "octocat", "t")},
		{"ghcr, user before actor", "ghcr", "ghcr.io", []string{"GH_TOKEN=t", "GITHUB_USERNAME=u", "GITHUB_ACTOR=a"}, answer("ghcr.io", "u", "t")},
		{"the token is never the user", "ghcr", "ghcr.io", []string{"CR_PAT=t", "GITHUB_USERNAME=t"}, answer("ghcr.io", "x-access-token", "t")},
		{"ngc", "ngc", "nvcr.io", []string{"NGC_API_KEY=nvapi-x", "NGC_CLI_API_KEY=nvapi-y"}, answer("nvcr.io", "$oauthtoken", "nvapi-x")},
		{"ngc, staging", "ngc", "stg.nvcr.io", []string{"NGC_CLI_API_KEY=nvapi-y"}, answer("stg.nvcr.io", "$oauthtoken", "nvapi-y")},
		{"another product's key", "ngc", "nvcr.io", []string{"NVIDIA_API_KEY=nvapi-x"}, none},
		{"generic beside its host", "generic", "r.example.com", []string{"REGISTRY=https://r.example.com/v2/", "REGISTRY_USERNAME=u", "REGISTRY_PASSWORD=p"}, answer("r.example.com", "u", "p")},
		{"generic beside another host", "generic", "r.example.com", []string{"REGISTRY=s.example.com", "REGISTRY_USERNAME=u", "REGISTRY_PASSWORD=p"}, none},
		{"generic beside another port", "generic", "r.example.com:5000", []string{"REGISTRY=r.example.com", "USERNAME=u", "PASSWORD=p"}, none},
		{"plain names beside a host", "generic", "r.example.com", []string{"REGISTRY=r.example.com", "USERNAME=u", "PASSWORD=p"}, answer("r.example.com", "u", "p")},
		{"plain names alone", "generic", "r.example.com", []string{"USERNAME=u", "PASSWORD=p"}, none},
		{"gitlab", "generic", "registry.gitlab.com", []string{"CI_REGISTRY=registry.gitlab.com", "CI_REGISTRY_USER=gitlab-ci-token", "CI_REGISTRY_PASSWORD=p"}, answer("registry.gitlab.com", "gitlab-ci-token", "p")},
		{"gitlab's deploy token", "generic", "registry.gitlab.com", []string{"CI_REGISTRY=registry.gitlab.com", "CI_DEPLOY_USER=d", "CI_DEPLOY_PASSWORD=p"}, answer("registry.gitlab.com", "d", "p")},
		{"ibm", "generic", "de.icr.io", []string{"IBMCLOUD_API_KEY=k"}, answer("de.icr.io", "iamapikey", "k")},
		{"ibm's key for somebody else", "generic", "de.icr.io.example.com", []string{"IBMCLOUD_API_KEY=k"}, none},
		{"digitalocean", "generic", "registry.digitalocean.com", []string{"DIGITALOCEAN_ACCESS_TOKEN=k"}, answer("registry.digitalocean.com", "k", "k")},
		{"scaleway", "generic", "rg.fr-par.scw.cloud", []string{"SCW_SECRET_KEY=k"}, answer("rg.fr-par.scw.cloud", "nologin", "k")},
		{"another type's key", "generic", "r.example.com", []string{"GITHUB_TOKEN=t", "DOCKERHUB_USERNAME=u", "DOCKERHUB_TOKEN=t"}, none},
		{"a public registry", "generic", "mcr.microsoft.com", []string{"REGISTRY=mcr.microsoft.com", "REGISTRY_USERNAME=u", "REGISTRY_PASSWORD=p"}, none},
		{"another helper's host", "ghcr", "docker.io", []string{"GITHUB_TOKEN=t"}, none},
		{"a look-alike", "ghcr", "ghcr.io.example.com", []string{"GITHUB_TOKEN=t"}, none},
		{"a token without a user", "dockerhub", "docker.io", []string{"DOCKERHUB_TOKEN=t"}, "bad_material: DOCKERHUB_TOKEN is there without DOCKERHUB_USERNAME\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := run(test.typ, "get", test.url, append(test.env, home(t))...)
			if got.stdout != test.want {
				t.Errorf("stdout is %q, want %q", got.stdout, test.want)
			}
			if want := strings.HasPrefix(test.want, "{"); (got.code == 0) != want {
				t.Errorf("exit code %d", got.code)
			}
		})
	}
}

func TestKeyFromAFile(t *testing.T) {
	t.Parallel()
	env := []string{home(t), "NGC_API_KEY_FILE=" + write(t, "nvapi-x\n")}
	if got, want := run("ngc", "get", "nvcr.io", env...).stdout, answer("nvcr.io", "$oauthtoken", "nvapi-x"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	got := run("ngc", "get", "nvcr.io", home(t), "NGC_API_KEY_FILE=/does/not/exist")
	if !strings.HasPrefix(got.stdout, "bad_material: the file that NGC_API_KEY_FILE names") || got.code != 1 {
		t.Errorf("a file that is not there: %+v", got)
	}
}

// What docker login stored counts before the environment, and only for its registry.
func TestStoredBeforeEnvironment(t *testing.T) {
	t.Parallel()
	h := home(t)
	env := []string{h, "REGISTRY=r.example.com", "REGISTRY_USERNAME=env", "REGISTRY_PASSWORD=env"}
	if got := run("generic", "store", `{"ServerURL":"r.example.com","Username":"u","Secret":"s"}`, env...); got != (printed{}) {
		t.Fatalf("store: %+v", got)
	}
	if got, want := run("generic", "get", "https://r.example.com/v2/", env...).stdout, answer("https://r.example.com/v2/", "u", "s"); got != want {
		t.Errorf("stored: got %q, want %q", got, want)
	}
	if got := run("generic", "get", "other.example.com", h); got.stdout != none {
		t.Errorf("another registry: got %q", got.stdout)
	}
	if got, want := run("generic", "list", "", h).stdout, "{\"r.example.com\":\"u\"}\n"; got != want {
		t.Errorf("list: got %q, want %q", got, want)
	}
	if got := run("generic", "erase", "http://r.example.com", h); got != (printed{}) {
		t.Errorf("erase: %+v", got)
	}
	if got, want := run("generic", "get", "r.example.com", env...).stdout, answer("r.example.com", "env", "env"); got != want {
		t.Errorf("erased: got %q, want %q", got, want)
	}
}

// Some clients ask for nothing that is not listed, so that what the environment has is listed too.
func TestListNamesWhatTheEnvironmentHas(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, typ string
		env       []string
		want      string
	}{
		{"hub", "dockerhub", []string{"DOCKERHUB_USERNAME=u", "DOCKERHUB_TOKEN=t"}, `{"https://index.docker.io/v1/":"u"}`},
		{"hub, incomplete", "dockerhub", []string{"DOCKERHUB_TOKEN=t"}, `{}`},
		{"ghcr", "ghcr", []string{"GITHUB_TOKEN=github_pat_x", "GITHUB_ACTOR=a"}, `{"docker.pkg.github.com":"a","ghcr.io":"a"}`},
		{"ngc", "ngc", []string{"NGC_API_KEY=legacy"}, `{"nvcr.io":"$oauthtoken"}`},
		{"generic", "generic", []string{"REGISTRY=R.example.com:5000", "REGISTRY_USERNAME=u", "REGISTRY_PASSWORD=p"}, `{"r.example.com:5000":"u"}`},
		{"generic without a host", "generic", []string{"REGISTRY_USERNAME=u", "REGISTRY_PASSWORD=p"}, `{}`},
		{"a host of another type", "generic", []string{"REGISTRY=ghcr.io", "REGISTRY_USERNAME=u", "REGISTRY_PASSWORD=p"}, `{}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := run(test.typ, "list", "", append(test.env, home(t))...); got != (printed{stdout: test.want + "\n"}) {
				t.Errorf("got %+v, want %s", got, test.want)
			}
		})
	}
	h := home(t)
	run("ghcr", "store", `{"ServerURL":"https://ghcr.io","Username":"stored","Secret":"s"}`, h)
	want := printed{stdout: `{"docker.pkg.github.com":"x-access-token","https://ghcr.io":"stored"}` + "\n"}
	if got := run("ghcr", "list", "", h, "GITHUB_TOKEN=t"); got != want {
		t.Errorf("a stored login is not the one that is listed: %+v", got)
	}
}

// A record that does not open is a failure; the environment does not stand in for it.
func TestDamagedLoginIsNotNone(t *testing.T) {
	t.Parallel()
	h := home(t)
	run("ghcr", "store", `{"ServerURL":"ghcr.io","Username":"u","Secret":"s"}`, h)
	folder := filepath.Join(strings.TrimPrefix(h, "BETA9_CREDENTIAL_HOME="), "logins")
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if info, _ := f.Info(); info.Size() > 0 {
			if err := os.WriteFile(filepath.Join(folder, f.Name()), []byte("damaged"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	got := run("ghcr", "get", "ghcr.io", h, "GITHUB_TOKEN=t")
	if !strings.HasPrefix(got.stdout, "store_failed: ") || got.code != 1 || !strings.Contains(got.stderr, "hint: ") {
		t.Errorf("got %+v", got)
	}
}

// Material that is given explicitly is the only source there is.
func TestExplicitMaterial(t *testing.T) {
	t.Parallel()
	const blob = `{"version":1,"registry":"ghcr.io","type":"ghcr","credentials":{"GITHUB_TOKEN":"given","GITHUB_USERNAME":"tenant"}}`
	h := home(t)
	run("ghcr", "store", `{"ServerURL":"ghcr.io","Username":"stored","Secret":"stored"}`, h)
	for _, test := range []struct{ name, url, blob, want string }{
		{"its registry", "ghcr.io", blob, answer("ghcr.io", "tenant", "given")},
		{"another registry of the type", "docker.pkg.github.com", blob, none},
		{"scope", "ghcr.io/acme/app", strings.Replace(blob, `"credentials"`, `"scope":"acme","credentials"`, 1), answer("ghcr.io/acme/app", "tenant", "given")},
		{"another scope", "ghcr.io/other/app", strings.Replace(blob, `"credentials"`, `"scope":"acme","credentials"`, 1), none},
		{"another type's material", "ghcr.io", strings.Replace(blob, `"type":"ghcr"`, `"type":"ngc"`, 1), "bad_material: the material holds no ngc credential\n"},
		{"not material", "ghcr.io", "ghp_notASecret", "bad_material: the material is not one JSON object\n"},
		{"nothing", "ghcr.io", "", "bad_material: the material is not one JSON object\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := run("ghcr", "get", test.url, h, "GITHUB_TOKEN=env", "BETA9_CREDENTIAL_FILE="+write(t, test.blob))
			if got.stdout != test.want {
				t.Errorf("stdout is %q, want %q", got.stdout, test.want)
			}
		})
	}
	t.Run("list", func(t *testing.T) {
		t.Parallel()
		if got := run("ghcr", "list", "", h, "BETA9_CREDENTIAL_FILE="+write(t, blob)); got.stdout != "{}\n" {
			t.Errorf("list is %q", got.stdout)
		}
	})
	t.Run("a descriptor that is not open", func(t *testing.T) {
		t.Parallel()
		if got := run("ghcr", "get", "ghcr.io", h, "GITHUB_TOKEN=env", "BETA9_CREDENTIAL_FD=987"); !strings.HasPrefix(got.stdout, "bad_material: ") {
			t.Errorf("got %+v", got)
		}
	})
}

func TestHints(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, typ, verb, stdin string
		env                    []string
		want                   string // in stderr; nothing for silence
	}{
		{"fine-grained token", "ghcr", "get", "ghcr.io", []string{"GITHUB_TOKEN=github_pat_notASecret"}, "classic token"},
		{"classic token", "ghcr", "get", "ghcr.io", []string{"GITHUB_TOKEN=ghp_notASecret"}, ""},
		{"legacy key", "ngc", "get", "nvcr.io", []string{"NGC_API_KEY=bm90QVNlY3JldA"}, "nvapi-"},
		{"key", "ngc", "get", "nvcr.io", []string{"NGC_API_KEY=nvapi-notASecret"}, ""},
		{"wrong user for ngc", "ngc", "store", `{"ServerURL":"nvcr.io","Username":"me","Secret":"nvapi-x"}`, nil, "$oauthtoken"},
		{"organisation token at login", "dockerhub", "store", `{"ServerURL":"docker.io","Username":"me","Secret":"dckr_oat_x"}`, nil, "organisation's name"},
		{"organisation token in use", "dockerhub", "get", "docker.io", []string{"DOCKERHUB_USERNAME=org", "DOCKERHUB_TOKEN=dckr_oat_x"}, ""},
		{"token without a user", "dockerhub", "get", "docker.io", []string{"DOCKERHUB_TOKEN=t"}, "set DOCKERHUB_USERNAME beside DOCKERHUB_TOKEN"},
		{"password without a host", "generic", "get", "r.example.com", []string{"REGISTRY_USERNAME=u", "REGISTRY_PASSWORD=p"}, "set REGISTRY=r.example.com"},
		{"any password without a host", "generic", "get", "r.example.com", []string{"USERNAME=u", "PASSWORD=p"}, ""},
		{"user with a colon", "generic", "get", "r.example.com", []string{"REGISTRY=r.example.com", "REGISTRY_USERNAME=a:b", "REGISTRY_PASSWORD=p"}, "colon"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := run(test.typ, test.verb, test.stdin, append(test.env, home(t))...).stderr
			if test.want == "" && got != "" || !strings.Contains(got, test.want) {
				t.Errorf("stderr is %q, want %q in it", got, test.want)
			}
			for line := range strings.Lines(got) {
				if !strings.HasPrefix(line, "hint: ") {
					t.Errorf("stderr has the line %q", line)
				}
			}
			if strings.Contains(got, "notASecret") {
				t.Errorf("stderr shows the secret: %q", got)
			}
		})
	}
}

func TestDebugNamesSourcesInOrder(t *testing.T) {
	t.Parallel()
	got := run("ghcr", "get", "ghcr.io", home(t), "BETA9_CREDENTIAL_DEBUG=1").stderr
	want := "debug: login: nothing is stored for ghcr.io\ndebug: environment: no key of ghcr is set for ghcr.io\n"
	if got != want {
		t.Errorf("stderr is %q, want %q", got, want)
	}
}

func TestMapFile(t *testing.T) {
	t.Parallel()
	path := write(t, `{"registries":[{"host":"containers.ghe.example.com","type":"ghcr"}]}`)
	env := []string{home(t), "BETA9_CREDENTIAL_REGISTRIES=" + path, "GITHUB_TOKEN=t", "REGISTRY=containers.ghe.example.com", "REGISTRY_USERNAME=u", "REGISTRY_PASSWORD=p"}
	if got := run("generic", "get", "containers.ghe.example.com", env...).stdout; got != none {
		t.Errorf("the generic helper answers for a host that is pinned to another: %q", got)
	}
	stored := run("ghcr", "store", `{"ServerURL":"containers.ghe.example.com","Username":"u","Secret":"s"}`, env...)
	if stored.code != 0 {
		t.Fatalf("store: %+v", stored)
	}
	if got, want := run("ghcr", "get", "containers.ghe.example.com", env...).stdout, answer("containers.ghe.example.com", "u", "s"); got != want {
		t.Errorf("pinned: got %q, want %q", got, want)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	if got := run("ghcr", "get", "containers.ghe.example.com", env...); runtime.GOOS != "windows" &&
		(!strings.Contains(got.stdout, "can be changed by others") || !strings.HasPrefix(got.stderr, "hint: ")) {
		t.Errorf("a map that everybody can write to: %+v", got)
	}
	broken := write(t, `{"registries":[{"host":"r.example.com","typ":"ghcr"}]}`)
	got := run("generic", "get", "r.example.com", home(t), "BETA9_CREDENTIAL_REGISTRIES="+broken)
	if !strings.HasPrefix(got.stdout, "bad_material: the map file has the unknown field typ") {
		t.Errorf("a broken map: %+v", got)
	}
	if got := run("ghcr", "get", "ghcr.io", home(t), "BETA9_CREDENTIAL_REGISTRIES="+broken, "GITHUB_TOKEN=t"); got.code != 0 {
		t.Errorf("a broken map keeps ghcr.io from working: %+v", got)
	}
}

func TestStoreForAnotherHelper(t *testing.T) {
	t.Parallel()
	h := home(t)
	got := run("ghcr", "store", `{"ServerURL":"docker.io","Username":"u","Secret":"s"}`, h)
	if !strings.HasPrefix(got.stdout, "wrong_host: docker.io is not a registry of docker-credential-beta9-ghcr") || got.code != 1 {
		t.Errorf("got %+v", got)
	}
	if _, err := os.Stat(strings.TrimPrefix(h, "BETA9_CREDENTIAL_HOME=")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something was written: %v", err)
	}
}

// The deadline holds whatever stdin does, and the context's end is an end.
func TestEverythingEnds(t *testing.T) {
	t.Parallel()
	stuck, writer := io.Pipe()
	defer writer.Close()
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	for want, ctx := range map[string]context.Context{"timeout: ": context.Background(), "canceled: ": canceled} {
		var stdout bytes.Buffer
		exited := make(chan int)
		go serve.Run(ctx, kinds["ghcr"], serve.Process{Args: []string{"get"}, Stdin: stuck, Stdout: &stdout, Stderr: io.Discard,
			Environ: []string{home(t), "BETA9_CREDENTIAL_TIMEOUT=10ms"}, Exit: func(code int) { exited <- code }})
		if code := <-exited; code != 1 || !strings.HasPrefix(stdout.String(), want) {
			t.Errorf("exit code %d, stdout %q, want %q", code, stdout.String(), want)
		}
	}
	for _, bad := range []string{"soon", "-1s", "0", "0s"} {
		got := run("ghcr", "get", "ghcr.io", home(t), "BETA9_CREDENTIAL_TIMEOUT="+bad)
		if !strings.HasPrefix(got.stdout, "bad_request: BETA9_CREDENTIAL_TIMEOUT") {
			t.Errorf("the time-out %q: %+v", bad, got)
		}
	}
}

func TestExtendedAnswer(t *testing.T) {
	t.Parallel()
	got := run("ngc", "get", "nvcr.io", home(t), "NGC_API_KEY=nvapi-x", "BETA9_CREDENTIAL_EXTENDED=1").stdout
	c, err := helpers.ParseAnswer([]byte(got), "nvcr.io")
	if err != nil || c.Source() != "environment" || !c.ExpiresAt().IsZero() {
		t.Errorf("%q is read as %q until %v: %v", got, c.Source(), c.ExpiresAt(), err)
	}
}

// A file that is named and holds no secret is not the same as no file.
func TestSecretFileThatCannotBeOne(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ path, want string }{
		"empty":        {write(t, ""), "bad_material: the file that NGC_API_KEY_FILE names is empty\n"},
		"only newline": {write(t, "\r\n\n"), "bad_material: the file that NGC_API_KEY_FILE names is empty\n"},
		"too large":    {write(t, strings.Repeat("x", helpers.MaxSecret+1)), "bad_material: the file that NGC_API_KEY_FILE names is larger than 1 MiB\n"},
		"folder":       {t.TempDir(), "bad_material: the file that NGC_API_KEY_FILE names cannot be read\n"},
		"nothing":      {filepath.Join(t.TempDir(), "nothing"), "bad_material: the file that NGC_API_KEY_FILE names cannot be read\n"},
	} {
		if got := run("ngc", "get", "nvcr.io", home(t), "NGC_API_KEY_FILE="+test.path); got.stdout != test.want || got.code != 1 {
			t.Errorf("%s: got %.100q, exit code %d", name, got.stdout, got.code)
		}
	}
	largest := "nvapi-" + strings.Repeat("x", helpers.MaxSecret-6)
	if got := run("ngc", "get", "nvcr.io", home(t), "NGC_API_KEY_FILE="+write(t, largest+"\r\n")); got.stdout != answer("nvcr.io", "$oauthtoken", largest) {
		t.Errorf("the largest secret: got %.100q", got.stdout)
	}
}

// A switch that is misspelt must not be taken for leave.
func TestMisspeltSwitch(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"BETA9_CREDENTIAL_AMBIENT": "is neither on nor off", "BETA9_CREDENTIAL_CACHE": "is none of on, off and renew",
	} {
		for _, bad := range []string{"OFF", "Off", "0", "false", "no", "off "} {
			got := run("ghcr", "get", "ghcr.io", home(t), "GITHUB_TOKEN=t", name+"="+bad)
			if got.stdout != "bad_request: "+name+" "+want+"\n" || got.code != 1 || !strings.HasPrefix(got.stderr, "hint: ") {
				t.Errorf("%s=%s: %+v", name, bad, got)
			}
			if got := run("ghcr", "get", "docker.io", home(t), name+"="+bad); got.stdout != none {
				t.Errorf("%s=%s, for another's registry: %+v", name, bad, got)
			}
		}
		for _, good := range []string{"", "on", "off"} {
			if got := run("ghcr", "get", "ghcr.io", home(t), "GITHUB_TOKEN=t", name+"="+good); got.code != 0 {
				t.Errorf("%s=%s: %+v", name, good, got)
			}
		}
	}
}
