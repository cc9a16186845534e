//go:build unix

// Package workertest shows what a worker does with package provider, end to end: CLIP indexes and mounts private images
// and builds pull them, through the real helpers, from real registries. It is apart from the tests of the provider
// because CLIP makes a test binary large, and those run it as a helper many times.
package workertest

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/beam-cloud/clip/pkg/common"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/rs/zerolog"
	"github.com/rs/zerolog/log"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/commands"
	"github.com/beam-cloud/docker-credential-beta9/internal/registrytest"
	"github.com/beam-cloud/docker-credential-beta9/provider"
)

// CLIP takes its credential provider as an interface{} and drops one of another type without a word, for the machine's
// own credentials.
var _ common.RegistryCredentialProvider = (*provider.Provider)(nil)

// said is everything CLIP has logged. It logs errors as they are.
var said safeBuffer

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestMain(m *testing.M) {
	if strings.HasPrefix(os.Args[0], helpers.ExecutablePrefix) {
		// Not os.Exit, after which the race detector waits for a second.
		syscall.Exit(misbehave())
	}
	log.Logger = zerolog.New(&said)
	os.Exit(commands.Main(m))
}

// misbehave is the main of this test binary as a helper, which does what a file in its folder says.
func misbehave() int {
	self, err := os.Executable()
	if err != nil {
		return 9
	}
	behaviour, err := os.ReadFile(filepath.Join(filepath.Dir(self), "behaviour"))
	if err != nil {
		return 9
	}
	if string(behaviour) == "watched" {
		return watch(filepath.Dir(self))
	}
	serverURL, err := io.ReadAll(os.Stdin)
	if err != nil {
		return 9
	}
	switch string(behaviour) {
	case "none":
		fmt.Println(helpers.ErrNotFound)
		return 1
	case "failed":
		fmt.Println("unavailable: the token service is away")
		return 1
	case "hung":
		select {}
	case "lying":
		fmt.Printf(`{"ServerURL":"other.example.com","Username":%q,"Secret":%q}`, account, password)
	case "silent":
	case "garbage":
		fmt.Printf("%s{", serverURL)
	}
	return 0
}

// watch runs the real helper under strace. It is the main of this test binary as a helper that is watched.
func watch(folder string) int {
	to, err := os.ReadFile(filepath.Join(folder, "watched"))
	if err != nil {
		return 9
	}
	strace, helper, _ := strings.Cut(string(to), "\n")
	// Everything that takes a path, and so whatever makes or changes a file.
	args := []string{strace, "-f", "-qq", "-s", "256", "-e", "trace=%file", "-o", filepath.Join(folder, "trace"), helper}
	err = syscall.Exec(strace, append(args, os.Args[1:]...), os.Environ())
	os.Stderr.WriteString(err.Error())
	return 9
}

// badHelpers makes a folder of helpers that misbehave.
func badHelpers(t *testing.T, behaviour string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "helpers")
	self, err := os.Executable()
	must(t, err)
	must(t, os.Mkdir(dir, 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "behaviour"), []byte(behaviour), 0o600))
	path := filepath.Join(dir, helpers.ExecutablePrefix+"generic")
	// Linked where that can be: the system executes no file that a child of this process, forked by another test, still
	// has open for writing.
	if os.Link(self, path) != nil {
		must(t, copyFile(self, path))
	}
	return dir
}

func copyFile(from, to string) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o755)
}

// The account of the private registries, and what another tenant has.
const (
	account  = "alice"
	password = "canary-of-alice"
	other    = "canary-of-bob"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// private starts a registry that lets nobody in but the account, in one of the two ways there are.
func private(t *testing.T, auth registrytest.Auth) *registrytest.Registry {
	t.Helper()
	return registrytest.Start(t, registrytest.Options{Auth: auth, Accounts: map[string]string{account: password}})
}

var ways = map[string]registrytest.Auth{"Basic": registrytest.Basic, "token": registrytest.Bearer}

// material is a secret for a registry.
func material(t *testing.T, host, user, secret string) helpers.Material {
	t.Helper()
	r, err := helpers.ParseServerURL(host)
	must(t, err)
	row, _ := helpers.TypeNamed("generic")
	m, err := helpers.NewMaterial(row, r, map[string]string{"USERNAME": user, "PASSWORD": secret})
	must(t, err)
	return m
}

// worker makes a provider with the real helpers for a tenant that has the material.
func worker(t *testing.T, ms ...helpers.Material) *provider.Provider {
	t.Helper()
	return with(t, provider.Options{Folder: commands.Folder(t), Source: provider.Materials(ms)})
}

func with(t *testing.T, o provider.Options) *provider.Provider {
	t.Helper()
	p, err := provider.New(o)
	must(t, err)
	t.Cleanup(func() { must(t, p.Close()) })
	return p
}

// image is a real program in one layer and other files in two more.
func image(t *testing.T) v1.Image {
	t.Helper()
	program, err := registrytest.Program("usr/bin/helper", filepath.Join(commands.Folder(t), helpers.ExecutablePrefix+"generic"))
	must(t, err)
	img, err := registrytest.Image([]string{"/usr/bin/helper"},
		[]registrytest.File{{Path: "etc/motd", Mode: 0o644, Data: []byte("of the lowest layer\n")}},
		[]registrytest.File{program},
		[]registrytest.File{{Path: "etc/motd", Mode: 0o644, Data: []byte(motd)}},
	)
	must(t, err)
	return img
}

const motd = "a file that hides the one below\n"

// authenticated counts the requests with a credential that was accepted.
func authenticated(reg *registrytest.Registry) int {
	n := 0
	for _, q := range reg.Requests() {
		if q.Authenticated {
			n++
		}
	}
	return n
}
