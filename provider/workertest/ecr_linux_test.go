package workertest

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest/aws"
	"github.com/beam-cloud/docker-credential-beta9/internal/commands"
	"github.com/beam-cloud/docker-credential-beta9/internal/needs"
	"github.com/beam-cloud/docker-credential-beta9/internal/registrytest"
	"github.com/beam-cloud/docker-credential-beta9/provider"
)

// An account of AWS with a registry, which takes the tokens that the stand-in for ECR makes.
type ecrAccount struct {
	cloud    *aws.Cloud
	proxy    *cloudtest.Proxy
	registry *registrytest.Registry
	keys     aws.Keys
	pinned   string // the map file that says what the registry is
}

func newECRAccount(t *testing.T) *ecrAccount {
	t.Helper()
	a := &ecrAccount{cloud: aws.New(), proxy: cloudtest.NewProxy(t), pinned: filepath.Join(t.TempDir(), "registries.json")}
	a.cloud.Behind(a.proxy, "us-east-1")
	a.keys = a.cloud.User("puller")
	a.registry = registrytest.Start(t, registrytest.Options{Auth: registrytest.Basic, Accounts: map[string]string{account: password},
		Verify: func(user, password string) bool {
			_, issued := a.cloud.Issued(password)
			return user == "AWS" && issued
		}})
	must(t, os.WriteFile(a.pinned, []byte(`{"registries":[{"host":"`+a.registry.Name()+`","type":"ecr",
		"registry":"`+aws.Account+`.dkr.ecr.us-east-1.amazonaws.com"}]}`), 0o600))
	return a
}

// options are those of a tenant with keys for the account.
func (a *ecrAccount) options(t *testing.T, folder string) provider.Options {
	t.Helper()
	r, err := helpers.ParseServerURL(a.registry.Name())
	must(t, err)
	row, _ := helpers.TypeNamed("ecr")
	m, err := helpers.NewMaterial(row, r, map[string]string{"AWS_ACCESS_KEY_ID": a.keys.ID, "AWS_SECRET_ACCESS_KEY": a.keys.Secret})
	must(t, err)
	return provider.Options{
		Folder: folder, Source: provider.Materials{m}, MapFile: a.pinned,
		Network: provider.Network{HTTPSProxy: a.proxy.Getenv("HTTPS_PROXY"), CertFile: a.proxy.Getenv("SSL_CERT_FILE")},
	}
}

// A worker whose pull is refused because its token has expired gets another, and one that may not pull does not ask for
// any: the real helper, a stand-in for ECR, and the answers of the registry as go-containerregistry hands them on.
func TestExpiredECRTokenIsReplacedOnce(t *testing.T) {
	a := newECRAccount(t)
	ref, err := name.ParseReference(a.registry.MustPush(t, "acme/app:1", registrytest.SmallImage(t)))
	must(t, err)
	p := with(t, a.options(t, commands.Folder(t)))
	// pull reports whether the image could be had, and otherwise whether another try is of use.
	pull := func() (had, again bool) {
		t.Helper()
		config, err := p.GetCredentials(t.Context(), a.registry.Name(), "acme/app")
		if err != nil || config.Username != "AWS" {
			t.Fatalf("no credential: %v", err)
		}
		_, err = remote.Get(ref, remote.WithContext(t.Context()), remote.WithAuth(p.Authenticator(a.registry.Name(), "acme/app")))
		if err == nil {
			return true, false
		}
		refused, ok := errors.AsType[*transport.Error](err)
		if !ok {
			t.Fatal(err)
		}
		return false, p.Refused(a.registry.Name(), *config, refused.StatusCode, []byte(refused.Error()))
	}
	steps := []struct {
		name       string
		refusal    *registrytest.Refusal
		had, again bool
		tokens     int // issued so far
	}{
		{"at first", nil, true, false, 1},
		{"expired", new(registrytest.ExpiredECRToken()), false, true, 1},
		{"once more", nil, true, false, 2},
		{"not allowed", &registrytest.Refusal{Status: 403, Code: "DENIED", Message: "User is not authorized to perform: ecr:BatchGetImage"}, false, false, 2},
		{"allowed", nil, true, false, 2},
	}
	for _, step := range steps {
		a.registry.Relent()
		if step.refusal != nil {
			a.registry.Refuse(*step.refusal)
		}
		had, again := pull()
		if had != step.had || again != step.again {
			t.Errorf("%s: had %t, again %t", step.name, had, again)
		}
		if n := len(a.cloud.Calls()); n != step.tokens {
			t.Errorf("%s: %d tokens were asked for, want %d", step.name, n, step.tokens)
		}
	}
}

// newWatched makes a folder with the helper for ECR, watched.
func newWatched(t *testing.T) string {
	t.Helper()
	strace := needs.Tool(t, "strace")
	dir := badHelpers(t, "watched")
	must(t, os.Rename(filepath.Join(dir, helpers.ExecutablePrefix+"generic"), filepath.Join(dir, helpers.ExecutablePrefix+"ecr")))
	real := filepath.Join(commands.Folder(t), helpers.ExecutablePrefix+"ecr")
	must(t, os.WriteFile(filepath.Join(dir, "watched"), []byte(strace+"\n"+real), 0o600))
	return dir
}

// changing matches what makes, changes or moves a file.
var changing = regexp.MustCompile(`O_(WRONLY|RDWR|CREAT|TRUNC|APPEND|TMPFILE)|\b(creat|mkdir|mknod|rename|link|symlink|truncate|unlink|rmdir)(at2?)?\(`)

// changed returns the calls by which the watched helper changed files, and how many calls there were.
func changed(t *testing.T, folder string) (found []string, all int) {
	t.Helper()
	trace, err := os.ReadFile(filepath.Join(folder, "trace"))
	must(t, err)
	lines := bufio.NewScanner(bytes.NewReader(trace))
	for lines.Scan() {
		all++
		if line := lines.Text(); changing.MatchString(line) && !strings.Contains(line, `"/dev/null"`) {
			found = append(found, line)
		}
	}
	must(t, lines.Err())
	return found, all
}

// A tenant's token is nowhere on the disk: the real helper opens nothing for writing and makes nothing. The same helper
// keeps the token of a person, so that the nothing above means something.
func TestTenantsTokenIsNotWrittenToDisk(t *testing.T) {
	a := newECRAccount(t)
	folder := newWatched(t)
	options := a.options(t, folder)
	if config, err := with(t, options).GetCredentials(t.Context(), a.registry.Name(), ""); err != nil || config.Username != "AWS" {
		t.Fatalf("no credential: %v", err)
	}
	if found, all := changed(t, folder); len(found) > 0 || all == 0 {
		t.Errorf("of %d calls these change files:\n%s", all, strings.Join(found, "\n"))
	}

	home := t.TempDir()
	options.Policy, options.Source, options.Network = provider.Ambient, nil, provider.Network{}
	options.Environ = append(a.proxy.Environ(), "BETA9_CREDENTIAL_HOME="+filepath.Join(home, "beta9"), "HOME="+home,
		"AWS_ACCESS_KEY_ID="+a.keys.ID, "AWS_SECRET_ACCESS_KEY="+a.keys.Secret)
	if config, err := with(t, options).GetCredentials(t.Context(), a.registry.Name(), ""); err != nil || config.Username != "AWS" {
		t.Fatalf("no credential for a person: %v", err)
	}
	if found, _ := changed(t, folder); len(found) == 0 {
		t.Error("a person's token is not written to disk either")
	}
}
