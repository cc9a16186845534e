package dispatch_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/dispatch"
	"github.com/beam-cloud/docker-credential-beta9/internal/serve"
)

const module = "github.com/beam-cloud/docker-credential-beta9/"

// installed builds the static helpers once and returns their folder.
var installed = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "dispatch")
	if err != nil {
		return "", err
	}
	for _, typ := range []string{"dockerhub", "ghcr", "ngc", "generic"} {
		name := helpers.ExecutablePrefix + typ
		cmd := exec.Command("go", "build", "-o", filepath.Join(dir, name), module+"cmd/"+name)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", &buildError{string(out), err}
		}
	}
	return dir, nil
})

type buildError struct {
	out string
	err error
}

func (e *buildError) Error() string { return e.err.Error() + "\n" + e.out }

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := installed(); err == nil {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

type printed struct {
	stdout, stderr string
	code           int
}

func run(folder, verb, stdin string, env ...string) printed {
	var stdout, stderr bytes.Buffer
	code := dispatch.Run(context.Background(), func() (string, error) { return folder, nil }, serve.Process{
		Args: []string{verb}, Stdin: strings.NewReader(stdin), Stdout: &stdout, Stderr: &stderr, Environ: env,
		Exit: func(int) { panic("the dispatcher does not end by itself") },
	})
	return printed{stdout.String(), stderr.String(), code}
}

func folder(t *testing.T) string {
	t.Helper()
	dir, err := installed()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func home(t *testing.T) string { return "BETA9_CREDENTIAL_HOME=" + filepath.Join(t.TempDir(), "home") }

func login(url string) string { return `{"ServerURL":"` + url + `","Username":"u","Secret":"s"}` }

func TestEachRegistryGoesToItsHelper(t *testing.T) {
	t.Parallel()
	dir, h := folder(t), home(t)
	urls := []string{"https://index.docker.io/v1/", "ghcr.io", "nvcr.io", "registry.example.com:5000"}
	for _, url := range urls {
		if got := run(dir, "store", login(url), h); got.stdout != "" || got.code != 0 {
			t.Fatalf("store for %s: %+v", url, got)
		}
	}
	for i, typ := range []string{"dockerhub", "ghcr", "ngc", "generic"} {
		cmd := exec.Command(filepath.Join(dir, helpers.ExecutablePrefix+typ), "get")
		cmd.Stdin, cmd.Env = strings.NewReader(urls[i]), []string{h}
		direct, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s does not have what the dispatcher stored for %s: %v %s", typ, urls[i], err, direct)
		}
		if got := run(dir, "get", urls[i], h); got.stdout != string(direct) || got.code != 0 {
			t.Errorf("the dispatcher says %+v, the helper %q", got, direct)
		}
	}
	const all = `{"ghcr.io":"u","https://index.docker.io/v1/":"u","nvcr.io":"u","registry.example.com:5000":"u"}` + "\n"
	if got := run(dir, "list", "unused", h); got.stdout != all || got.code != 0 {
		t.Errorf("list: %+v", got)
	}
	for _, url := range urls {
		if got := run(dir, "erase", url, h); got.stdout != "" || got.code != 0 {
			t.Errorf("erase of %s: %+v", url, got)
		}
	}
	if got := run(dir, "list", "", h); got.stdout != "{}\n" {
		t.Errorf("list after erasing: %+v", got)
	}
}

// The helpers that are not there tell by their names who would have been run.
func TestListRunsThoseWhoMayHaveSomething(t *testing.T) {
	t.Parallel()
	empty, full, dir := home(t), home(t), t.TempDir()
	if got := run(folder(t), "store", login("ghcr.io"), full); got.code != 0 {
		t.Fatalf("store: %+v", got)
	}
	for name, test := range map[string]struct {
		env  []string
		want []string // the types
	}{
		"nothing stored":      {[]string{empty}, nil},
		"no home":             {nil, nil},
		"a login":             {[]string{full}, []string{"ghcr"}},
		"a key":               {[]string{empty, "NGC_API_KEY=not-a-secret"}, []string{"ngc"}},
		"a file with the key": {[]string{empty, "NGC_API_KEY_FILE=/nonexistent"}, []string{"ngc"}},
		"both":                {[]string{full, "NGC_API_KEY=not-a-secret"}, []string{"ghcr", "ngc"}},
		"a store at odds":     {[]string{"BETA9_CREDENTIAL_HOME=relative"}, []string{"acr", "dockerhub", "ecr", "gcr", "generic", "ghcr", "ngc"}},
	} {
		got := run(dir, "list", "", append(test.env, "BETA9_CREDENTIAL_DEBUG=1")...)
		var asked []string
		for line := range strings.Lines(got.stderr) {
			if _, rest, ok := strings.Cut(line, helpers.ExecutablePrefix); ok {
				typ, _, _ := strings.Cut(rest, ":")
				asked = append(asked, typ)
			}
		}
		slices.Sort(asked)
		if !slices.Equal(asked, test.want) || got.stdout != "{}\n" {
			t.Errorf("%s: %v were asked for %q, want %v: %s", name, asked, got.stdout, test.want, got.stderr)
		}
	}
}

func TestHelperThatIsMissing(t *testing.T) {
	t.Parallel()
	dir, h := folder(t), home(t)
	const url = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
	const said = "docker-credential-beta9-ecr is not installed beside docker-credential-beta9"
	got := run(dir, "get", url, h)
	if got.stdout != "credentials not found in native keychain\n" || got.code != 1 || got.stderr != "hint: "+said+"\n" {
		t.Errorf("get: %+v", got)
	}
	if got := run(dir, "erase", url, h); got != (printed{}) {
		t.Errorf("erase: %+v", got)
	}
	got = run(dir, "store", login(url), h)
	if got.stdout != "store_failed: "+said+"\n" || got.code != 1 || !strings.HasPrefix(got.stderr, "hint: ") {
		t.Errorf("store loses the login in silence: %+v", got)
	}
}

func TestNoHelperIsAskedForAPublicRegistry(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		verb, stdin string
		code        int
		want        string
	}{
		{"get", "registry.k8s.io", 1, "credentials not found in native keychain\n"},
		{"erase", "registry.k8s.io", 0, ""},
		{"store", login("registry.k8s.io"), 1, "wrong_host: registry.k8s.io takes no credentials\n"},
	} {
		// A folder that is not there: whoever looks for a helper in it fails.
		if got := run("/does/not/exist", test.verb, test.stdin, home(t)); got.stdout != test.want || got.code != test.code {
			t.Errorf("%s: %+v", test.verb, got)
		}
	}
}

func TestHelperThatOthersCanReplace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "docker-credential-beta9-ghcr")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho '{}'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o777); err != nil {
		t.Fatal(err)
	}
	got := run(dir, "get", "ghcr.io", home(t))
	if !strings.HasPrefix(got.stdout, "internal: ") || got.code != 1 || !strings.Contains(got.stderr, "hint: ") {
		t.Errorf("got %+v", got)
	}
}

// The longest time there is does not turn into the shortest.
func TestLongestTimeout(t *testing.T) {
	t.Parallel()
	got := run(folder(t), "get", "nvcr.io", home(t), "BETA9_CREDENTIAL_TIMEOUT=2562047h47m16.854775807s", "NGC_API_KEY=nvapi-x")
	if got.code != 0 {
		t.Errorf("got %+v", got)
	}
}

// Material on a descriptor reaches the helper, though descriptors are not inherited.
func TestMaterialOnADescriptor(t *testing.T) {
	t.Parallel()
	together := t.TempDir()
	// Built in place: a program that this process writes itself may be busy when it is to be run.
	build := exec.Command("go", "build", "-o", together, module+"cmd/"+dispatch.Name, module+"cmd/docker-credential-beta9-ghcr")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	material := filepath.Join(t.TempDir(), "material")
	const blob = `{"version":1,"registry":"ghcr.io","type":"ghcr","credentials":{"GITHUB_TOKEN":"given"}}`
	if err := os.WriteFile(material, []byte(blob), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(material)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd := exec.Command(filepath.Join(together, dispatch.Name), "get")
	cmd.Stdin, cmd.ExtraFiles = strings.NewReader("ghcr.io"), []*os.File{f}
	cmd.Env = []string{"BETA9_CREDENTIAL_FD=3", "GITHUB_TOKEN=env"}
	out, err := cmd.Output()
	if want := `{"ServerURL":"ghcr.io","Username":"x-access-token","Secret":"given"}` + "\n"; err != nil || string(out) != want {
		t.Errorf("got %q, %v; want %q", out, err, want)
	}
}

// A number that stands for nothing, or for what the runtime has opened for itself, is a failure of one line.
func TestDescriptorThatWasNotHandedDown(t *testing.T) {
	t.Parallel()
	together := t.TempDir()
	build := exec.Command("go", "build", "-o", together, module+"cmd/"+dispatch.Name, module+"cmd/docker-credential-beta9-ghcr")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	numbers := []string{"0", "2", "-1", "x", "65535", "65536"}
	for n := 3; n < 20; n++ {
		numbers = append(numbers, strconv.Itoa(n))
	}
	for _, name := range []string{dispatch.Name, helpers.ExecutablePrefix + "ghcr"} {
		for _, number := range numbers {
			cmd := exec.Command(filepath.Join(together, name), "get")
			cmd.Stdin, cmd.Env = strings.NewReader("ghcr.io"), []string{home(t), "BETA9_CREDENTIAL_FD=" + number}
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			_ = cmd.Run() // the exit code is looked at
			said, hint := stdout.String(), stderr.String()
			if cmd.ProcessState.ExitCode() != 1 || !strings.HasPrefix(said, "bad_material: ") || strings.Count(said, "\n") != 1 || strings.Count(hint, "\n") > 1 {
				t.Errorf("%s with %s: exit code %d, %q, %q", name, number, cmd.ProcessState.ExitCode(), said, hint)
			}
		}
	}
}
