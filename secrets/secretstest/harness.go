// Package secretstest is what every store of secrets has to pass. A store's own test says how to open it and how to
// reach what it has at rest:
//
//	var harness = secretstest.Harness{Fresh: …, Open: …, Load: …, Save: …, Change: …}
//
//	func TestMain(m *testing.M) { os.Exit(secretstest.Main(m, harness)) }
//	func TestStore(t *testing.T) { secretstest.Run(t, harness) }
package secretstest

import (
	"context"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/file/filetest"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
)

// A Store is everything that a store can do.
type Store interface {
	secrets.Store
	secrets.Images
	secrets.Rotator
	Close() error
}

// A Harness is how the suite reaches a store.
type Harness struct {
	// Fresh makes an empty place for a store, and returns its address.
	Fresh func(t testing.TB) (address string)
	// Open opens the store at an address, and makes its tables when they are not there.
	Open func(ctx context.Context, address string, k *secrets.Keyring) (Store, error)
	// Prepare makes the workspaces and images that a store expects somebody else to have made; it may be nil.
	Prepare func(t testing.TB, address string, workspaces, images []string)
	// Load and Save reach what is at rest for a secret, past the store.
	Load func(t testing.TB, address, workspace, name string) []byte
	Save func(t testing.TB, address, workspace, name string, value []byte)
	// Change carries out assignments, as an UPDATE has them, to the columns registry, scope and version beside a secret.
	Change func(t testing.TB, address, workspace, name, assignments string)
}

// Main is what TestMain calls: it runs the tests, or plays a part of one in a process of its own.
func Main(m *testing.M, h Harness) int {
	defer stopShared()
	return filetest.Main(m, map[string]filetest.Role{
		roleWrite:  h.write,
		roleRotate: h.rotate,
		roleRace:   h.race,
	})
}

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	for name, test := range map[string]func(*testing.T, Harness){
		"reads what was written":         testRoundTrip,
		"counts versions":                testVersions,
		"refuses what cannot be kept":    testRefusals,
		"knows no odd names":             testNames,
		"finds the longest scope":        testScopes,
		"attaches all or nothing":        testAttach,
		"attaches one after the other":   testAttachers,
		"keeps 50 hosts apart":           testHosts,
		"keeps workspaces apart":         testWorkspaces,
		"opens nothing that was changed": testTampering,
		"opens nothing elsewhere":        testElsewhere,
		"shows no secret":                testCanary,
		"yields material":                testSource,
		"rotates":                        testRotation,
		"reads on when overtaken":        testOvertaken,
		"rotates twice at once":          testRotationsOverlap,
		"refuses a strange keyring":      testStrangeKeyring,
		"takes an old keyring back":      testOldKeyring,
		"is not claimed by reading":      testReadingClaimsNothing,
		"rotates under load":             testRotationUnderLoad,
		"many processes write":           testProcesses,
		"survives kill -9":               testKills,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, h)
		})
	}
}

// The workspaces and images of the tests. Their names are of the kind that Beta9 has for them.
const (
	workspace = "11111111-1111-4111-8111-111111111111"
	other     = "22222222-2222-4222-8222-222222222222"
	image     = "3f2a9c1e"
)

// place is a store's place in one test.
type place struct {
	Harness
	address string
	keyring *secrets.Keyring
}

func newPlace(t testing.TB, h Harness, images ...string) place {
	t.Helper()
	p := place{h, h.Fresh(t), secrets.NewKeyring(newKey(t))}
	if h.Prepare != nil {
		h.Prepare(t, p.address, []string{workspace, other}, append(images, image))
	}
	return p
}

// open opens the store as one more process would.
func (p place) open(t testing.TB) Store { return p.with(t, p.keyring) }

func (p place) with(t testing.TB, k *secrets.Keyring) Store {
	t.Helper()
	s := must(p.Open(t.Context(), p.address, k))(t)
	t.Cleanup(func() { s.Close() })
	return s
}

func newKey(t testing.TB) secrets.Key { return must(secrets.NewKey())(t) }

// must returns the value, or ends the test that it is given.
func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func do(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// login makes a secret of a workspace for a registry, with a scope behind it, whose password is the given one.
func login(t testing.TB, workspace, registry, password string) secrets.Secret {
	t.Helper()
	s := must(makeLogin(workspace, registry, password))(t)
	return s
}

func makeLogin(workspace, registry, password string) (secrets.Secret, error) {
	r, err := helpers.ParseServerURL(registry)
	if err != nil {
		return secrets.Secret{}, err
	}
	t, _ := helpers.Lookup(r)
	values := map[string]string{
		"USERNAME": "robot", "PASSWORD": password,
		"GITHUB_TOKEN":       password,
		"DOCKERHUB_USERNAME": "robot", "DOCKERHUB_TOKEN": password,
	}
	m, err := helpers.NewMaterial(t, r, values)
	if err != nil {
		return secrets.Secret{}, err
	}
	return secrets.New(workspace, m.WithScope(r.Scope()))
}

// password returns the one that login was given.
func password(s secrets.Secret) string {
	for _, key := range []string{"PASSWORD", "GITHUB_TOKEN", "DOCKERHUB_TOKEN"} {
		if v := s.Material.Value(key); v != "" {
			return v
		}
	}
	return ""
}

// registry parses a registry with a scope.
func registry(t testing.TB, s string) helpers.Registry {
	t.Helper()
	return must(helpers.ParseServerURL(s))(t)
}

// imageOf makes an image of references.
func imageOf(t testing.TB, workspace, id string, references ...string) secrets.Image {
	t.Helper()
	i := secrets.Image{Workspace: workspace, ID: id}
	for _, ref := range references {
		i.References = append(i.References, must(helpers.ParseReference(ref))(t))
	}
	return i
}
