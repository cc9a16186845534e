// Package pull_test runs the helpers for Google and Azure as they are installed, against stand-ins for the services of
// both: by a proxy under whose rule their real names lead there, and in a network of the test, where clients pull from
// us-docker.pkg.dev and myreg.azurecr.io.
package pull_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest/azure"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest/google"
	"github.com/beam-cloud/docker-credential-beta9/internal/commands"
)

func TestMain(m *testing.M) { os.Exit(commands.Main(m)) }

const (
	puller   = "puller@project.iam.gserviceaccount.com"
	artifact = "us-docker.pkg.dev"
	myreg    = "myreg.azurecr.io"
	tenant   = "11111111-2222-3333-4444-555555555555"
	client   = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
	secret   = "not~a.secret_of-the-application"
)

// A person has a home and an environment of its own.
type person struct {
	t       *testing.T
	home    string
	environ []string
}

func newPerson(t *testing.T, environ ...string) *person {
	t.Helper()
	home := t.TempDir()
	return &person{t, home, append([]string{
		"HOME=" + home, "XDG_RUNTIME_DIR=" + filepath.Join(home, "run"), "XDG_CONFIG_HOME=" + filepath.Join(home, "config"),
		"XDG_CACHE_HOME=" + filepath.Join(home, "cache"), "XDG_DATA_HOME=" + filepath.Join(home, "data"),
	}, environ...)}
}

// run calls a helper and returns what it printed on both streams.
func (p *person) run(typ, verb, stdin string, more ...string) (stdout, stderr string, ok bool) {
	p.t.Helper()
	return p.wrapped(nil, typ, verb, stdin, more...)
}

// wrapped calls a helper by another program.
func (p *person) wrapped(by []string, typ, verb, stdin string, more ...string) (stdout, stderr string, ok bool) {
	p.t.Helper()
	args := append(slices.Clone(by), filepath.Join(commands.Folder(p.t), helpers.ExecutablePrefix+typ), verb)
	cmd := exec.CommandContext(p.t.Context(), args[0], args[1:]...)
	cmd.Env = append(append([]string(nil), p.environ...), more...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &err
	failure := cmd.Run()
	return out.String(), err.String(), failure == nil
}

// get returns the credential for a host, or the error that the helper printed.
func (p *person) get(typ, host string, more ...string) (helpers.Credential, error) {
	p.t.Helper()
	stdout, _, ok := p.run(typ, helpers.VerbGet, host, more...)
	if !ok {
		return helpers.Credential{}, helpers.ParseErrorLine([]byte(stdout))
	}
	return helpers.ParseAnswer([]byte(stdout), host)
}

// A scene is a type of registry with what stands in for its cloud, and somebody who may pull.
type scene struct {
	typ, host string
	environ   []string
	calls     func() int // of whatever makes tokens
	order     func(cloudtest.Fault)
	who       func(token string) (string, bool)
	want      string
}

// newScenes returns one for each cloud, behind a proxy.
func newScenes(t *testing.T) (map[string]scene, *cloudtest.Proxy) {
	t.Helper()
	proxy := cloudtest.NewProxy(t)
	gcp, az := google.New(t), azure.New(t)
	gcp.Join(proxy)
	az.Join(proxy, myreg)
	app := az.AddApplication(azure.Public, tenant, client)
	az.SetSecret(app, secret)
	az.Grant(myreg, app)
	key := filepath.Join(t.TempDir(), "key.json")
	if err := os.WriteFile(key, []byte(gcp.ServiceAccount(t, puller, 0)), 0o600); err != nil {
		t.Fatal(err)
	}
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("token.of.kubernetes"), 0o600); err != nil {
		t.Fatal(err)
	}
	az.Federate(app, "token.of.kubernetes")
	inGoogle := scene{
		typ: "gcr", host: artifact, who: gcp.Principal, want: puller, calls: gcp.Total,
		order: func(f cloudtest.Fault) { gcp.Order(google.OAuth2, f) },
	}
	inAzure := scene{
		typ: "acr", host: myreg, who: func(token string) (string, bool) { return az.Principal(myreg, token) }, want: client,
		calls: func() int { return az.Count(myreg) },
		order: func(f cloudtest.Fault) { az.Order(azure.Public, f); az.Order(myreg, f) },
	}
	with := func(s scene, environ ...string) scene {
		s.environ = append(proxy.Environ(), environ...)
		return s
	}
	return map[string]scene{
		"service account of the environment": with(inGoogle, "GCP_SERVICE_ACCOUNT_JSON="+gcp.ServiceAccount(t, puller, 0)),
		"service account in a file":          with(inGoogle, "GOOGLE_APPLICATION_CREDENTIALS="+key),
		"secret of the environment":          with(inAzure, "AZURE_TENANT_ID="+tenant, "AZURE_CLIENT_ID="+client, "AZURE_CLIENT_SECRET="+secret),
		"workload identity":                  with(inAzure, "AZURE_TENANT_ID="+tenant, "AZURE_CLIENT_ID="+client, "AZURE_FEDERATED_TOKEN_FILE="+token),
	}, proxy
}
