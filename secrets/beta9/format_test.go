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
	"github.com/beam-cloud/docker-credential-beta9/secrets/beta9"
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
	if n := ask[int](t, address, `SELECT cardinality(credential_secret_names) FROM image`); n != 7 {
		t.Errorf("the array has %d names", n)
	}
}

func TestBeta9StaysAsItWas(t *testing.T) {
	t.Parallel()
	address := fresh(t)
	const inventory = `SELECT string_agg(format('%s.%s %s %s', relname, attname, atttypid::regtype, attnotnull), E'\n' ORDER BY relname, attnum)
FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnum > 0
AND relname NOT LIKE 'cred\_%' AND attname NOT IN ('credential_secret_name', 'credential_secret_id')`
	const versions = `SELECT string_agg(version_id || ' ' || tstamp, ',' ORDER BY id) FROM goose_db_version`
	const triggers = `SELECT count(*) FROM pg_trigger WHERE tgrelid IN ('image'::regclass, 'workspace'::regclass, 'workspace_secret'::regclass)`
	before := ask[string](t, address, inventory) + ask[string](t, address, versions) + ask[string](t, address, triggers)
	reopen(t, address)
	reopen(t, address)
	if after := ask[string](t, address, inventory) + ask[string](t, address, versions) + ask[string](t, address, triggers); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	if n := ask[int](t, address, `SELECT count(*) FROM pg_indexes WHERE indexname = 'idx_image_credential_secret_name'`); n != 1 {
		t.Errorf("%d indexes on the column", n)
	}
	if n := ask[int](t, address, `SELECT max(version_id) FROM cred_beta9_version`); n != 1 {
		t.Errorf("own version %d", n)
	}
	if err := beta9.Migrate(t.Context(), secretstest.Postgres(t)); helpers.ReasonOf(err) != helpers.BadRequest || helpers.HintOf(err) == "" {
		t.Errorf("a database that is not Beta9's: %v", err)
	}
}

func TestImagesOfBeta9(t *testing.T) {
	t.Parallel()
	address, s := start(t)
	ctx := t.Context()
	missing := secrets.Image{Workspace: workspace, ID: "no-such-image"}
	if err := s.Attach(ctx, missing, github(t, "x", "")); !helpers.IsNotFound(err) || !strings.Contains(err.Error(), missing.ID) {
		t.Errorf("an image that is not there: %v", err)
	}
	if list, err := s.List(ctx, workspace); err != nil || len(list) > 0 {
		t.Errorf("%d secrets were written for an image that is not there, %v", len(list), err)
	}
	const columns = `SELECT coalesce(credential_secret_name, '-') || ' ' || (credential_secret_id IS NOT NULL) FROM image`
	attach(t, s, []secrets.Secret{github(t, "x", ""), github(t, "y", "acme")}, "registry.k8s.io/pause", "ghcr.io/acme/app")
	if got, want := ask[string](t, address, columns), github(t, "y", "acme").Name+" true"; got != want {
		t.Errorf("the image names %q, want %q: the longest scope of the first reference that has one", got, want)
	}
	// Another workspace that has no secret for the image leaves the note alone.
	if err := s.Attach(ctx, secrets.Image{Workspace: other, ID: image}); err != nil {
		t.Fatal(err)
	}
	if got := ask[string](t, address, columns); got == "- false" {
		t.Error("another workspace took the note away")
	}
	attach(t, s, nil)
	if got := ask[string](t, address, columns); got != "- false" {
		t.Errorf("a detached image names %q", got)
	}
}

func TestOthersInTheTable(t *testing.T) {
	t.Parallel()
	address, s := start(t)
	ctx := t.Context()
	fill(t, address, "DATABASE_URL", beta9Seals(t, "not ours"))
	if _, err := s.Get(ctx, workspace, "DATABASE_URL"); !helpers.IsNotFound(err) {
		t.Errorf("a user's own secret: %v", err)
	}
	if err := s.Delete(ctx, workspace, "DATABASE_URL", 0); !helpers.IsNotFound(err) {
		t.Errorf("deleting a user's own secret: %v", err)
	}
	fill(t, address, "oci-registry-ghcr-io", knownAnswer)
	if list, err := s.List(ctx, workspace); err != nil || len(list) != 1 || list[0].Name != "oci-registry-ghcr-io" || list[0].Version != 0 {
		t.Errorf("listed %d, %v", len(list), err)
	}
	if err := s.Delete(ctx, workspace, "oci-registry-ghcr-io", 0); err != nil {
		t.Errorf("deleting an older release's secret: %v", err)
	}
	// Somebody who has the database and so the workspace's key, but not the keyring, makes a secret.
	fill(t, address, "oci-creds-0fd460f0568e29c1", knownAnswer)
	if _, err := s.Get(ctx, workspace, "oci-creds-0fd460f0568e29c1"); !errors.Is(err, secrets.ErrSealed) || !strings.Contains(err.Error(), "vouches") {
		t.Errorf("a secret that nothing vouches for: %v", err)
	}
	if _, err := s.Put(ctx, github(t, "x", "")); err != nil {
		t.Errorf("storing it again: %v", err)
	}
	// Beta9 deletes a secret behind the store's back.
	execute(t, address, `DELETE FROM workspace_secret`)
	if _, err := s.Get(ctx, workspace, "oci-creds-0fd460f0568e29c1"); !helpers.IsNotFound(err) {
		t.Errorf("a secret that Beta9 deleted: %v", err)
	}
	again, err := s.Put(ctx, github(t, "y", ""))
	if err != nil || again.Version != 2 {
		t.Errorf("version %d, %v", again.Version, err)
	}
}

func TestWorkspacesOfBeta9(t *testing.T) {
	t.Parallel()
	address, s := start(t)
	ctx := t.Context()
	nobody := github(t, "x", "")
	nobody.Workspace = "00000000-0000-4000-8000-000000000000"
	if _, err := s.Put(ctx, nobody); !helpers.IsNotFound(err) || !strings.Contains(err.Error(), nobody.Workspace) {
		t.Errorf("a workspace that is not there: %v", err)
	}
	nobody.Workspace = "acme"
	if _, err := s.Put(ctx, nobody); helpers.ReasonOf(err) != helpers.BadRequest {
		t.Errorf("a workspace without a UUID: %v", err)
	}
	upper := github(t, "x", "")
	upper.Workspace = strings.ToUpper(workspace)
	if _, err := s.Put(ctx, upper); err != nil {
		t.Errorf("a UUID in capitals: %v", err)
	}
	if _, err := s.Get(ctx, workspace, upper.Name); err != nil {
		t.Errorf("the same in small letters: %v", err)
	}
	for _, key := range []string{"NULL", "''", "'sk_AAEC'", "'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8='"} {
		execute(t, address, `UPDATE workspace SET signing_key = `+key)
		if _, err := s.Get(ctx, workspace, upper.Name); helpers.ReasonOf(err) != helpers.StoreFailed || strings.Contains(err.Error(), "AAEC") {
			t.Errorf("a workspace whose key is %s: %v", key, err)
		}
	}
}
