package beta9_test

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
	"github.com/beam-cloud/docker-credential-beta9/secrets/secretstest"
)

const (
	workspace = "7d444840-9dc0-41d1-b245-5ffdce74fad2"
	other     = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"
	image     = "3f2a9c1e"

	// knownAnswer is the published example of a value, sealed with signingKey, and knownBlob is what is in it.
	knownAnswer = "gJmHX9Oy+wxb0tbRiQ/4wMdWXUPx1MXGaOyn6T0+oAKaoBDNJt5eeZACdzT/kbdWPy+hmx+qyfKArXAxX6WvcRAmGYoD/0rwGa4w6Lx8+nods3Panja1nXoRqk7R7LMlS6TaE8NVgZKr2akANV8Cgq8Id7QZQkEUWLOCei09feqeNHh8Tw=="
	knownBlob   = `{"version":1,"registry":"ghcr.io","type":"ghcr","credentials":{"GITHUB_TOKEN":"t","GITHUB_USERNAME":"u"}}`
)

// beta9Seals and beta9Opens are what Beta9 does with a value, written down once more.
func beta9Seals(t testing.TB, plain string) string {
	t.Helper()
	return base64.StdEncoding.EncodeToString(gcm(t).Seal([]byte("twelve bytes"), []byte("twelve bytes"), []byte(plain), nil))
}

func beta9Opens(t testing.TB, value string) string {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := gcm(t).Open(nil, raw[:12], raw[12:], nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}

func gcm(t testing.TB) cipher.AEAD {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(signingKey, "sk_"))
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	return aead
}

// start makes a database with two workspaces and an image, and opens the store.
func start(t *testing.T, statements ...string) (string, secretstest.Store) {
	t.Helper()
	address := fresh(t)
	for _, statement := range statements {
		execute(t, address, statement)
	}
	prepare(t, address, []string{workspace, other}, []string{image})
	return address, reopen(t, address)
}

// ring is a keyring that is the same each time.
func ring(t testing.TB) *secrets.Keyring {
	t.Helper()
	key, err := secrets.KeyFrom([secrets.KeySize]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	return secrets.NewKeyring(key)
}

func reopen(t *testing.T, address string) secretstest.Store {
	t.Helper()
	s, err := migrateAndOpen(t.Context(), address, ring(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// fill writes a row of workspace_secret as Beta9 does.
func fill(t testing.TB, address, name, value string) {
	t.Helper()
	execute(t, address, `INSERT INTO workspace_secret (workspace_id, name, value)
SELECT id, $2, $3 FROM workspace WHERE external_id = $1`, workspace, name, value)
}

func registry(t testing.TB, s string) helpers.Registry {
	t.Helper()
	r, err := helpers.ParseServerURL(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func attach(t testing.TB, s secrets.Images, with []secrets.Secret, references ...string) {
	t.Helper()
	i := secrets.Image{Workspace: workspace, ID: image}
	for _, text := range references {
		ref, err := helpers.ParseReference(text)
		if err != nil {
			t.Fatal(err)
		}
		i.References = append(i.References, ref)
	}
	if err := s.Attach(t.Context(), i, with...); err != nil {
		t.Fatal(err)
	}
}

// github makes a secret of ghcr.io, or of a scope of it.
func github(t testing.TB, token, scope string) secrets.Secret {
	t.Helper()
	m, err := secrets.ParseBlob([]byte(knownBlob), helpers.Registry{})
	if err != nil {
		t.Fatal(err)
	}
	kind, _ := helpers.TypeNamed("ghcr")
	if token != "t" {
		if m, err = helpers.NewMaterial(kind, m.Registry(), map[string]string{"GITHUB_TOKEN": token}); err != nil {
			t.Fatal(err)
		}
	}
	s, err := secrets.New(workspace, m.WithScope(helpers.Scope(scope)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestKnownAnswerOpensBothWays(t *testing.T) {
	t.Parallel()
	address, s := start(t)
	if got := beta9Opens(t, knownAnswer); got != knownBlob {
		t.Fatalf("the known answer opens to %s", got)
	}
	// Beta9 wrote, the store reads.
	fill(t, address, "oci-registry-ghcr-io", knownAnswer)
	execute(t, address, `UPDATE image SET credential_secret_name = 'oci-registry-ghcr-io'`)
	for _, asked := range []string{"ghcr.io", "ghcr.io/any/image"} {
		got, err := s.Find(t.Context(), workspace, image, registry(t, asked))
		if err != nil || got.Material.Value("GITHUB_TOKEN") != "t" || got.Material.Value("GITHUB_USERNAME") != "u" {
			t.Errorf("%s: %v, %v", asked, got.Material.Keys(), err)
		}
	}
	// The store wrote, Beta9 reads: by the image's column, to the byte.
	attach(t, s, []secrets.Secret{github(t, "t", "")}, "ghcr.io/any/image")
	name := ask[string](t, address, `SELECT credential_secret_name FROM image`)
	if name != "oci-creds-0fd460f0568e29c1" {
		t.Errorf("the image names %s", name)
	}
	if got := beta9Opens(t, string(load(t, address, workspace, name))); got != knownBlob {
		t.Errorf("Beta9 reads %s", got)
	}
	if !ask[bool](t, address, `SELECT i.credential_secret_id = s.external_id::text FROM image i JOIN workspace_secret s ON s.name = i.credential_secret_name`) {
		t.Error("the image has the id of another secret")
	}
}

func TestWritingKeepsTheExternalID(t *testing.T) {
	t.Parallel()
	address, s := start(t)
	first, err := s.Put(t.Context(), github(t, "a", ""))
	if err != nil {
		t.Fatal(err)
	}
	const id = `SELECT external_id FROM workspace_secret WHERE name = 'oci-creds-0fd460f0568e29c1'`
	before := ask[string](t, address, id)
	next := github(t, "b", "")
	next.Version = first.Version
	if _, err := s.Put(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	if after := ask[string](t, address, id); after != before {
		t.Errorf("external id %s became %s", before, after)
	}
}

func TestOldNamesCountForTheirRegistryOnly(t *testing.T) {
	t.Parallel()
	generic := `{"version":1,"registry":"a.b.io","type":"generic","credentials":{"USERNAME":"u","PASSWORD":"p"}}`
	for name, c := range map[string]struct {
		secret, plain string
		asked         map[string]string // by registry: "", or "none", or what the error says
	}{
		"two hosts, one name":   {"oci-registry-a-b-io", generic, map[string]string{"a.b.io/x": "", "a-b.io/x": "none", "ghcr.io/x/y": "none"}},
		"a scope":               {"oci-registry-ghcr-io", `{"registry":"ghcr.io","type":"ghcr","scope":"acme","credentials":{"GITHUB_TOKEN":"t"}}`, map[string]string{"ghcr.io/acme/x": "", "ghcr.io/other/x": "none", "ghcr.io": ""}},
		"a flat value":          {"oci-registry-ghcr-io", `{"GITHUB_TOKEN":"t"}`, map[string]string{"ghcr.io": "does not open", "quay.io": "none"}},
		"user and password":     {"oci-registry-a-b-io", `u:p`, map[string]string{"a-b.io": "does not open", "quay.io": "none"}},
		"a name of the user's":  {"MY_REGISTRY", generic, map[string]string{"a.b.io/x": "", "a-b.io/x": "none"}},
		"a value of the user's": {"API_KEY", "sesame", map[string]string{"a.b.io/x": "does not open"}},
		"no such secret":        {"oci-registry-x", generic, map[string]string{"x": "none"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address, s := start(t)
			fill(t, address, c.secret, beta9Seals(t, c.plain))
			if name == "no such secret" {
				execute(t, address, `DELETE FROM workspace_secret`)
			}
			execute(t, address, `UPDATE image SET credential_secret_name = '`+c.secret+`'`)
			for asked, want := range c.asked {
				_, err := s.Find(t.Context(), workspace, image, registry(t, asked))
				switch {
				case want == "" && err != nil, want == "none" && !helpers.IsNotFound(err):
					t.Errorf("%s: %v, want %q", asked, err, want)
				case want != "" && want != "none" && (!errors.Is(err, secrets.ErrSealed) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), c.secret)):
					t.Errorf("%s: %v, want %q", asked, err, want)
				}
				if _, err := s.Find(t.Context(), other, image, registry(t, asked)); !helpers.IsNotFound(err) {
					t.Errorf("%s for the other workspace: %v", asked, err)
				}
			}
		})
	}
}

func TestOldSecretServesWhatIsAttached(t *testing.T) {
	t.Parallel()
	address, s := start(t)
	ctx := t.Context()
	const old, note = "oci-registry-ghcr-io", `SELECT credential_secret_name FROM image`
	fill(t, address, old, knownAnswer)
	fill(t, address, "oci-registry-a-b-io", beta9Seals(t, `{"version":1,"registry":"a.b.io","type":"generic","credentials":{"USERNAME":"u","PASSWORD":"p"}}`))
	execute(t, address, `UPDATE image SET credential_secret_name = $1`, old)
	hub, err := secrets.FromEnvironment(workspace, "docker.io", func(string) string { return "not-a-token" })
	if err != nil {
		t.Fatal(err)
	}
	attach(t, s, []secrets.Secret{hub}, "a-b.io/x", "ghcr.io/acme/app", "docker.io/acme/base")
	for asked, want := range map[string]string{"ghcr.io/acme/app": old, "docker.io/acme/base": hub.Name, "ghcr.io/other": "", "a-b.io/x": ""} {
		got, err := s.Find(ctx, workspace, image, registry(t, asked))
		if got.Name != want || (want == "") != helpers.IsNotFound(err) {
			t.Errorf("%s: %q, %v, want %q", asked, got.Name, err, want)
		}
	}
	if got := ask[string](t, address, note); got != old {
		t.Errorf("the image names %q, want %q", got, old)
	}
	// A secret of this project's goes before it, whatever it says; without one, what does not open is no "none".
	next := github(t, "ours", "")
	attach(t, s, []secrets.Secret{next}, "ghcr.io/acme/app")
	for _, value := range []string{knownAnswer, beta9Seals(t, `{"registry":"ghcr.io","type":"ghcr","scope":"acme","credentials":{"GITHUB_TOKEN":"t"}}`), "broken"} {
		save(t, address, workspace, old, []byte(value))
		if got, err := s.Find(ctx, workspace, image, registry(t, "ghcr.io/acme/app")); err != nil || got.Name != next.Name {
			t.Errorf("beside the new one: %q, %v", got.Name, err)
		}
	}
	if err := s.Delete(ctx, workspace, next.Name, 1); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Find(ctx, workspace, image, registry(t, "ghcr.io/acme/app")); !errors.Is(err, secrets.ErrSealed) || !strings.Contains(err.Error(), old) {
		t.Errorf("broken, and the only one: %q, %v", got.Name, err)
	}
	execute(t, address, `UPDATE image SET credential_secret_name = s.name, credential_secret_id = s.external_id FROM workspace_secret s WHERE s.name = $1`, old)
	attach(t, s, nil, "ghcr.io/acme/app")
	if got := ask[string](t, address, note); got != old {
		t.Errorf("the image names %q, want %q, which workers may be able to read", got, old)
	}
}

func TestArrayOfVariables(t *testing.T) {
	t.Parallel()
	address, s := start(t, `ALTER TABLE image ADD COLUMN credential_secret_names text[]`)
	if n := ask[int](t, address, `SELECT count(*) FROM pg_attribute WHERE attrelid = 'image'::regclass AND attname IN ('credential_secret_name', 'credential_secret_id')`); n != 0 {
		t.Errorf("%d columns were added beside the array", n)
	}
	for name, value := range map[string]string{
		"GITHUB_TOKEN": "t", "GITHUB_USERNAME": "u", "REGISTRY": "quay.io", "REGISTRY_USERNAME": "robot", "REGISTRY_PASSWORD": "p",
		"GOOGLE_APPLICATION_CREDENTIALS": `{"type":"service_account"}`, "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "NGC_API_KEY": "not attached",
	} {
		fill(t, address, name, beta9Seals(t, value))
	}
	execute(t, address, `UPDATE image SET credential_secret_names = '{GITHUB_TOKEN,GITHUB_USERNAME,REGISTRY,REGISTRY_USERNAME,REGISTRY_PASSWORD,GOOGLE_APPLICATION_CREDENTIALS,AWS_ACCESS_KEY_ID}'`)
	for asked, want := range map[string]string{
		"ghcr.io/a/b":              "GITHUB_TOKEN GITHUB_USERNAME",
		"quay.io":                  "REGISTRY_PASSWORD REGISTRY_USERNAME",
		"gcr.io/a/b":               "GOOGLE_APPLICATION_CREDENTIALS",
		"quay.io:8443":             "",
		"ghcr.io.attacker.example": "",
		"attacker.example/ghcr.io": "",
		"docker.io":                "",
		"nvcr.io/a/b":              "",
		"registry.k8s.io":          "",
	} {
		got, err := s.Find(t.Context(), workspace, image, registry(t, asked))
		if want == "" && !helpers.IsNotFound(err) || want != "" && (err != nil || strings.Join(got.Material.Keys(), " ") != want) {
			t.Errorf("%s: %v, %v, want %q", asked, got.Material.Keys(), err, want)
		}
	}
	if _, err := s.Find(t.Context(), workspace, image, registry(t, "123456789012.dkr.ecr.us-east-1.amazonaws.com/x")); helpers.ReasonOf(err) != helpers.BadMaterial {
		t.Errorf("half of a key: %v", err)
	}
	// What is attached here counts from then on, and the array stays as it was.
	attach(t, s, []secrets.Secret{github(t, "ours", "")}, "ghcr.io/a/b")
	got, err := s.Find(t.Context(), workspace, image, registry(t, "ghcr.io/a/b"))
	if err != nil || got.Material.Value("GITHUB_TOKEN") != "ours" {
		t.Errorf("after it was attached: %v", err)
	}
	if _, err := s.Find(t.Context(), workspace, image, registry(t, "quay.io")); !helpers.IsNotFound(err) {
		t.Errorf("a registry that was not attached: %v", err)
	}
	// Where nothing attached serves a reference that is, the array still does.
	attach(t, s, []secrets.Secret{github(t, "scoped", "scope")}, "ghcr.io/a/b", "ghcr.io/scope/x", "quay.io/c/d")
	if err := s.Delete(t.Context(), workspace, github(t, "ours", "").Name, 1); err != nil {
		t.Fatal(err)
	}
	for asked, want := range map[string]string{"ghcr.io/a/b": "t", "ghcr.io/a": "t", "ghcr.io/scope/x": "scoped", "quay.io": "p", "quay.io/c/d": "p", "ghcr.io/a/bc": "", "gcr.io/a/b": ""} {
		got, err := s.Find(t.Context(), workspace, image, registry(t, asked))
		if value := got.Material.Value("GITHUB_TOKEN") + got.Material.Value("REGISTRY_PASSWORD"); value != want || (want == "") != helpers.IsNotFound(err) {
			t.Errorf("%s: %q, %v, want %q", asked, value, err, want)
		}
	}
	if n := ask[int](t, address, `SELECT cardinality(credential_secret_names) FROM image`); n != 7 {
		t.Errorf("the array has %d names", n)
	}
}
