package beta9_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
	"github.com/beam-cloud/docker-credential-beta9/secrets/beta9"
	"github.com/beam-cloud/docker-credential-beta9/secrets/secretstest"
)

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
}

// TestMigrationGivesWay migrates while a long transaction has read the images. Beta9 reads them afterwards, which it could
// not as long as the migration waited for its lock.
func TestMigrationGivesWay(t *testing.T) {
	t.Parallel()
	address := fresh(t)
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	for _, q := range []string{"BEGIN", "SELECT count(*) FROM image"} {
		if _, err := conn.Exec(ctx, q); err != nil {
			t.Fatal(err)
		}
	}
	if err := beta9.Migrate(ctx, address); helpers.ReasonOf(err) != helpers.Unavailable || !strings.Contains(helpers.HintOf(err), "pg_stat_activity") {
		t.Errorf("%v, hint %q", err, helpers.HintOf(err))
	}
	const made = `SELECT count(*) FROM pg_attribute WHERE attrelid = 'image'::regclass AND attname LIKE 'credential%'`
	if n := ask[int](t, address, made); n != 0 {
		t.Errorf("%d columns were made", n)
	}
	if _, err := conn.Exec(ctx, "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if err := beta9.Migrate(ctx, address); err != nil {
		t.Error(err)
	}
	if n := ask[int](t, address, made); n != 2 {
		t.Errorf("%d columns were made", n)
	}
}

func TestDatabaseThatIsNotBeta9s(t *testing.T) {
	t.Parallel()
	for _, tables := range []string{"", "CREATE TABLE image (id integer)"} {
		address := secretstest.Postgres(t)
		secretstest.Execute(t, address, tables)
		if err := beta9.Migrate(t.Context(), address); helpers.ReasonOf(err) != helpers.BadRequest || helpers.HintOf(err) == "" {
			t.Errorf("%q: %v", tables, err)
		}
		if n := ask[int](t, address, `SELECT count(*) FROM pg_class WHERE relname LIKE 'cred\_%'`); n != 0 {
			t.Errorf("%q: %d tables and indexes are left", tables, n)
		}
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
	for _, c := range []struct{ workspace, image, want string }{
		{workspace, image, ""}, {strings.ToUpper(other), image, ""},
		{workspace, missing.ID, missing.String() + ": there is none"},
		{"00000000-0000-4000-8000-000000000000", image, "workspace 00000000-0000-4000-8000-000000000000: there is none"},
	} {
		err := s.Exists(ctx, c.workspace, c.image)
		if c.want == "" && err != nil || c.want != "" && (!helpers.IsNotFound(err) || err.Error() != c.want) {
			t.Errorf("%s of %s: %v, want %q", c.image, c.workspace, err, c.want)
		}
	}
	for _, odd := range []string{"", "\x00", "acme"} {
		if err := s.Exists(ctx, odd, image); helpers.ReasonOf(err) != helpers.BadRequest {
			t.Errorf("workspace %q: %v", odd, err)
		}
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

// TestNotesAreNotForOthers has two workspaces with a secret each for the registry of an image that they share. The note
// on the image names either, and counts for neither: what a workspace attached does.
func TestNotesAreNotForOthers(t *testing.T) {
	t.Parallel()
	address, s := start(t)
	ctx := t.Context()
	const note = `SELECT coalesce(credential_secret_name, '-') FROM image`
	none := func(what string) {
		t.Helper()
		if got, err := s.Find(ctx, workspace, image, registry(t, "ghcr.io/acme/app")); !helpers.IsNotFound(err) {
			t.Errorf("%s, it has the secret of %q, %v", what, got.Registry(), err)
		}
	}
	own, err := s.Put(ctx, github(t, "x", ""))
	if err != nil {
		t.Fatal(err)
	}
	theirs := own
	theirs.Workspace, theirs.Version = other, 0
	i := secrets.Image{Workspace: other, ID: image}
	ref, err := helpers.ParseReference("ghcr.io/acme/app")
	if err != nil {
		t.Fatal(err)
	}
	i.References = append(i.References, ref)
	if err := s.Attach(ctx, i, theirs); err != nil {
		t.Fatal(err)
	}
	none("without having attached the image")
	attach(t, s, nil, "ghcr.io/acme/app")
	if got, err := s.Find(ctx, workspace, image, ref.Registry()); err != nil || got.Workspace != workspace {
		t.Errorf("attached, it has the secret of workspace %q, %v", got.Workspace, err)
	}
	// Removed and stored again, a secret has another id than the note on the image.
	if err := s.Delete(ctx, workspace, own.Name, own.Version); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(ctx, github(t, "y", "")); err != nil {
		t.Fatal(err)
	}
	attach(t, s, nil)
	none("detached")
	if got := ask[string](t, address, note); got != own.Name {
		t.Errorf("the image names %q, which still serves the other workspace", got)
	}
	attach(t, s, nil, "ghcr.io/acme/app")
	if !ask[bool](t, address, `SELECT EXISTS (SELECT 1 FROM image i JOIN workspace_secret s ON s.external_id::text = i.credential_secret_id)`) {
		t.Error("attached again, the image has an id that no secret has")
	}
	i.References = nil
	if err := s.Attach(ctx, i); err != nil {
		t.Fatal(err)
	}
	execute(t, address, `UPDATE workspace_secret SET external_id = uuid_generate_v4()`)
	attach(t, s, nil)
	if got := ask[string](t, address, note); got != "-" {
		t.Errorf("the image still names %q, which serves nobody", got)
	}
}

// TestColumnsAreReplaced has another release of Beta9 take over while stores are open.
func TestColumnsAreReplaced(t *testing.T) {
	t.Parallel()
	address, s := start(t)
	finding := reopen(t, address)
	ctx := t.Context()
	find := func() (secrets.Secret, error) { return finding.Find(ctx, workspace, image, registry(t, "ghcr.io/a/b")) }
	fill(t, address, "GITHUB_TOKEN", beta9Seals(t, "t"))
	if _, err := find(); !helpers.IsNotFound(err) {
		t.Fatal(err)
	}
	attach(t, s, nil, "quay.io/a/b")
	attach(t, s, nil)
	execute(t, address, `ALTER TABLE image DROP COLUMN credential_secret_name, DROP COLUMN credential_secret_id, ADD COLUMN credential_secret_names text[]`)
	execute(t, address, `UPDATE image SET credential_secret_names = '{GITHUB_TOKEN}'`)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if got, err := find(); err != nil || got.Material.Value("GITHUB_TOKEN") != "t" {
				t.Errorf("%v, %v", got.Material.Keys(), err)
			}
		})
	}
	wg.Wait()
	attach(t, s, []secrets.Secret{github(t, "x", "")}, "ghcr.io/a/b")
	if got, err := find(); err != nil || got.Material.Value("GITHUB_TOKEN") != "x" {
		t.Errorf("attached: %v, %v", got.Material.Keys(), err)
	}
	execute(t, address, `ALTER TABLE image DROP COLUMN credential_secret_names`)
	attach(t, s, nil)
	if _, err := find(); !errors.Is(err, secrets.ErrUnavailable) {
		t.Errorf("without any of the columns: %v", err)
	}
}

// TestColumnsAreAdded has another release of Beta9 take over, by whose side the columns of this one stay, while a store is
// open that has looked for the secret of the image before.
func TestColumnsAreAdded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ before, add, set string }{
		"the array": {"", `ADD COLUMN credential_secret_names text[]`, `credential_secret_names = '{GITHUB_TOKEN}'`},
		"the older two": {
			`ALTER TABLE image ADD COLUMN credential_secret_names text[]`,
			`ADD COLUMN credential_secret_name varchar(255), ADD COLUMN credential_secret_id varchar(36)`,
			`credential_secret_name = 'oci-registry-ghcr-io'`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address, s := start(t, c.before)
			fill(t, address, "GITHUB_TOKEN", beta9Seals(t, "t"))
			fill(t, address, "oci-registry-ghcr-io", knownAnswer)
			find := func() (secrets.Secret, error) {
				return s.Find(t.Context(), workspace, image, registry(t, "ghcr.io/acme/app"))
			}
			if _, err := find(); !helpers.IsNotFound(err) {
				t.Fatal(err)
			}
			execute(t, address, `ALTER TABLE image `+c.add)
			execute(t, address, `UPDATE image SET `+c.set)
			if got, err := find(); err != nil || got.Material.Value("GITHUB_TOKEN") != "t" {
				t.Errorf("%v, %v", got.Material.Keys(), err)
			}
			attach(t, s, []secrets.Secret{github(t, "x", "")}, "ghcr.io/acme/app")
			if got, want := ask[string](t, address, `SELECT credential_secret_name FROM image`), github(t, "x", "").Name; got != want {
				t.Errorf("attached, the image names %q, want %q", got, want)
			}
		})
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
	// The same where there was a secret once: it can be removed as what it was read as.
	if err := s.Delete(ctx, workspace, "oci-creds-0fd460f0568e29c1", 1); err != nil {
		t.Fatal(err)
	}
	fill(t, address, "oci-creds-0fd460f0568e29c1", knownAnswer)
	planted, err := s.Get(ctx, workspace, "oci-creds-0fd460f0568e29c1")
	if !errors.Is(err, secrets.ErrSealed) {
		t.Errorf("a secret in the place of one that was deleted: %v", err)
	}
	if err := s.Delete(ctx, workspace, planted.Name, planted.Version); err != nil {
		t.Errorf("removing it: %v", err)
	}
	if _, err := s.Put(ctx, github(t, "x", "")); err != nil {
		t.Errorf("storing it anew: %v", err)
	}
	// Beta9 deletes a secret behind the store's back.
	execute(t, address, `DELETE FROM workspace_secret`)
	if _, err := s.Get(ctx, workspace, "oci-creds-0fd460f0568e29c1"); !helpers.IsNotFound(err) {
		t.Errorf("a secret that Beta9 deleted: %v", err)
	}
	again, err := s.Put(ctx, github(t, "y", ""))
	if err != nil || again.Version != 5 {
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
	if list, err := s.List(ctx, nobody.Workspace); len(list) > 0 || !helpers.IsNotFound(err) || !strings.Contains(err.Error(), nobody.Workspace) {
		t.Errorf("the list of a workspace that is not there: %d, %v", len(list), err)
	}
	if list, err := s.List(ctx, other); len(list) > 0 || err != nil {
		t.Errorf("the list of a workspace without secrets: %d, %v", len(list), err)
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
	i := secrets.Image{Workspace: upper.Workspace, ID: image}
	ref, err := helpers.ParseReference("ghcr.io/acme/app")
	if err != nil {
		t.Fatal(err)
	}
	i.References = append(i.References, ref)
	next, err := s.Get(ctx, upper.Workspace, upper.Name)
	if err != nil || next.Workspace != upper.Workspace {
		t.Errorf("asked for in capitals, it is of workspace %s, %v", next.Workspace, err)
	}
	if err := s.Attach(ctx, i, next); err != nil {
		t.Errorf("attaching in capitals: %v", err)
	}
	if m, err := secrets.NewSource(s, upper.Workspace, image).Material(ctx, ref.Registry()); err != nil || m.Value("GITHUB_TOKEN") != "x" {
		t.Errorf("the source of a workspace in capitals: %v", err)
	}
	for _, key := range []string{"NULL", "''", "'sk_AAEC'", "'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8='"} {
		execute(t, address, `UPDATE workspace SET signing_key = `+key)
		found, err := s.Get(ctx, workspace, upper.Name)
		list, all := s.List(ctx, workspace)
		for what, err := range map[string]error{"get": err, "list": all} {
			if !errors.Is(err, secrets.ErrSealed) || strings.Contains(err.Error(), "AAEC") || helpers.HintOf(err) == "" ||
				!strings.Contains(err.Error(), "secret "+upper.Name+" of workspace "+workspace) {
				t.Errorf("%s in a workspace whose key is %s: %v, hint %q", what, key, err, helpers.HintOf(err))
			}
		}
		if len(list) != 0 || found.Version != next.Version+1 {
			t.Errorf("a workspace whose key is %s: %d secrets listed, the version got is %d", key, len(list), found.Version)
		}
	}
}

// TestRemovingWhatIsWrittenMeanwhile has somebody remove a row that nothing vouches for while another one writes the secret
// in its place.
func TestRemovingWhatIsWrittenMeanwhile(t *testing.T) {
	t.Parallel()
	address, s := start(t)
	ctx := t.Context()
	secret := github(t, "x", "")
	fill(t, address, secret.Name, knownAnswer)
	holder := secretstest.Begin(t, address, `LOCK TABLE workspace_secret IN SHARE MODE`)
	written, removed := make(chan error, 1), make(chan error, 1)
	go func() { _, err := s.Put(ctx, secret); written <- err }()
	secretstest.Waiting(t, address, 1, written)
	go func() { removed <- s.Delete(ctx, workspace, secret.Name, 0) }()
	secretstest.Waiting(t, address, 2, removed)
	if err := holder.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	if err := <-removed; !errors.Is(err, secrets.ErrConflict) {
		t.Errorf("removing what was there before: %v", err)
	}
	if got, err := s.Get(ctx, workspace, secret.Name); err != nil || got.Version != 1 {
		t.Errorf("what was written is in version %d, %v", got.Version, err)
	}
}

// TestUnvouchedSecretStaysTheOne takes the MAC of the secret with the longer scope away: the other one does not take its
// place, whichever was written first.
func TestUnvouchedSecretStaysTheOne(t *testing.T) {
	t.Parallel()
	for name, order := range map[string][]string{"the whole registry first": {"", "acme"}, "the scope first": {"acme", ""}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address, s := start(t)
			for _, scope := range order {
				if _, err := s.Put(t.Context(), github(t, "x", scope)); err != nil {
					t.Fatal(err)
				}
			}
			attach(t, s, nil, "ghcr.io/acme/app")
			victim := github(t, "x", "acme").Name
			change(t, address, workspace, victim, "mac = NULL")
			if got, err := s.Find(t.Context(), workspace, image, registry(t, "ghcr.io/acme/app")); !errors.Is(err, secrets.ErrSealed) || !strings.Contains(err.Error(), victim) {
				t.Errorf("the secret of %q, %v", got.Registry(), err)
			}
		})
	}
}

// TestValueHoldsWhatItsPlaceSays has somebody with the keyring vouch, at a secret's place, for material that is bound
// elsewhere.
func TestValueHoldsWhatItsPlaceSays(t *testing.T) {
	t.Parallel()
	address, s := start(t)
	kept, err := s.Put(t.Context(), github(t, "x", ""))
	if err != nil {
		t.Fatal(err)
	}
	for name, plain := range map[string]string{
		"registry": `{"version":1,"registry":"quay.io","type":"generic","credentials":{"USERNAME":"u","PASSWORD":"p"}}`,
		"scope":    `{"version":1,"registry":"ghcr.io","type":"ghcr","scope":"acme","credentials":{"GITHUB_TOKEN":"t"}}`,
	} {
		value := beta9Seals(t, plain)
		k := ring(t)
		mac, err := k.MAC(k.Current().ID(), kept.Place(), []byte(value))
		if err != nil {
			t.Fatal(err)
		}
		save(t, address, workspace, kept.Name, []byte(value))
		execute(t, address, `UPDATE cred_beta9_secret SET mac = $1`, mac)
		if _, err := s.Get(t.Context(), workspace, kept.Name); !errors.Is(err, secrets.ErrSealed) {
			t.Errorf("material of another %s: %v", name, err)
		}
	}
}
