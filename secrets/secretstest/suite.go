package secretstest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
)

func testRoundTrip(t *testing.T, h Harness) {
	p := newPlace(t, h)
	writer, reader := p.open(t), p.open(t)
	ctx := t.Context()
	if _, err := reader.Get(ctx, workspace, "oci-creds-0fd460f0568e29c1"); !errors.Is(err, secrets.ErrNotFound) {
		t.Errorf("an empty store: %v", err)
	}
	before := time.Now().Add(-time.Second)
	want := must(writer.Put(ctx, login(t, workspace, "ghcr.io", "not-a-token")))(t)
	got := must(reader.Get(ctx, workspace, "oci-creds-0fd460f0568e29c1"))(t)
	if got.Material.Fingerprint() != want.Material.Fingerprint() || password(got) != "not-a-token" ||
		got.Registry().String() != "ghcr.io" || got.Workspace != workspace || got.Version != 1 {
		t.Errorf("read %s version %d of %s, with another material than was written", got.Name, got.Version, got.Workspace)
	}
	if !got.Created.Equal(want.Created) || !got.Updated.Equal(want.Updated) || got.Created.Before(before) || got.Created.Location() != time.UTC {
		t.Errorf("times %v %v, written %v %v", got.Created, got.Updated, want.Created, want.Updated)
	}
	must(writer.Put(ctx, login(t, workspace, "registry.example:5000/team", "not-a-password")))(t)
	list := must(reader.List(ctx, workspace))(t)
	var names []string
	for _, s := range list {
		names = append(names, s.Registry().String())
	}
	slices.Sort(names)
	if !slices.Equal(names, []string{"ghcr.io", "registry.example:5000/team"}) {
		t.Errorf("listed %v", names)
	}
	if !slices.IsSortedFunc(list, func(a, b secrets.Secret) int { return slices.Compare([]string{a.Name}, []string{b.Name}) }) {
		t.Error("the list is not in the order of the names")
	}
	if list := must(reader.List(ctx, other))(t); len(list) > 0 {
		t.Errorf("%d secrets in the other workspace", len(list))
	}
}

func testVersions(t *testing.T, h Harness) {
	p := newPlace(t, h)
	a, b := p.open(t), p.open(t)
	ctx := t.Context()
	first := must(a.Put(ctx, login(t, workspace, "ghcr.io", "first")))(t)
	if _, err := b.Put(ctx, login(t, workspace, "ghcr.io", "second")); !errors.Is(err, secrets.ErrConflict) {
		t.Errorf("a second one where there was to be none: %v", err)
	}
	next := login(t, workspace, "ghcr.io", "second")
	next.Version = first.Version
	second := must(b.Put(ctx, next))(t)
	if second.Version <= first.Version || !second.Created.Equal(first.Created) || second.Updated.Before(first.Updated) {
		t.Errorf("version %d after %d, created %v and %v", second.Version, first.Version, second.Created, first.Created)
	}
	if _, err := a.Put(ctx, next); !errors.Is(err, secrets.ErrConflict) {
		t.Errorf("a writer that saw the first version: %v", err)
	}
	if err := a.Delete(ctx, workspace, first.Name, first.Version); !errors.Is(err, secrets.ErrConflict) {
		t.Errorf("deleting what was seen in the first version: %v", err)
	}
	do(t, a.Delete(ctx, workspace, first.Name, second.Version))
	if _, err := b.Get(ctx, workspace, first.Name); !errors.Is(err, secrets.ErrNotFound) {
		t.Errorf("after deletion: %v", err)
	}
	if err := a.Delete(ctx, workspace, first.Name, second.Version); !errors.Is(err, secrets.ErrNotFound) {
		t.Errorf("deleting again: %v", err)
	}
	if list := must(b.List(ctx, workspace))(t); len(list) > 0 {
		t.Errorf("%d secrets are listed after deletion", len(list))
	}
	for _, version := range []int64{second.Version, second.Version + 1} {
		next.Version = version
		if _, err := a.Put(ctx, next); !errors.Is(err, secrets.ErrConflict) {
			t.Errorf("a writer that thinks to see version %d, after the deletion of %d: %v", version, second.Version, err)
		}
	}
	again := must(b.Put(ctx, login(t, workspace, "ghcr.io", "again")))(t)
	if again.Version <= second.Version {
		t.Errorf("version %d was used before: it is %d now", second.Version, again.Version)
	}
	if got := must(a.Get(ctx, workspace, first.Name))(t); password(got) != "again" || got.Version != again.Version {
		t.Errorf("read version %d, written %d", got.Version, again.Version)
	}
}

func testRefusals(t *testing.T, h Harness) {
	p := newPlace(t, h)
	s := p.open(t)
	ctx := t.Context()
	good := login(t, workspace, "ghcr.io", "x")
	for name, change := range map[string]func(*secrets.Secret){
		"no workspace":     func(s *secrets.Secret) { s.Workspace = "" },
		"a name of others": func(s *secrets.Secret) { s.Name = "oci-creds-3530c4415dd857fb" },
		"no material":      func(s *secrets.Secret) { s.Material = helpers.Material{} },
		"another registry": func(s *secrets.Secret) { s.Material = s.Material.WithScope("org") },
		"negative version": func(s *secrets.Secret) { s.Version = -1 },
	} {
		bad := good
		change(&bad)
		if _, err := s.Put(ctx, bad); err == nil || errors.Is(err, secrets.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	bad := login(t, other, "ghcr.io", "x")
	if err := s.Attach(ctx, imageOf(t, workspace, image, "ghcr.io/a/b"), bad); err == nil {
		t.Error("a secret of another workspace was attached")
	}
	if err := s.Attach(ctx, imageOf(t, workspace, "", "ghcr.io/a/b")); err == nil {
		t.Error("an image without a name was attached")
	}
	for _, w := range []string{workspace, other} {
		if list := must(s.List(ctx, w))(t); len(list) > 0 {
			t.Errorf("%d secrets are kept after all", len(list))
		}
	}
}

// testNames asks for things whose names nothing can have: whoever asks is told so, and not that the store is out of order,
// for which it would be asked again and again.
func testNames(t *testing.T, h Harness) {
	p := newPlace(t, h)
	s := p.open(t)
	ctx := t.Context()
	good := login(t, workspace, "ghcr.io", "x")
	do(t, s.Attach(ctx, imageOf(t, workspace, image, "ghcr.io/a/b"), good))
	app := registry(t, "ghcr.io/a/b")
	for _, odd := range []string{"", "\x00", "\xff\xfe", "\x00" + image, image + "\x00", "a\nb", "\u202e", strings.Repeat("w", 256), "%", "' OR ''='", "../" + image} {
		for what, ask := range map[string]func() error{
			"get, workspace":    func() error { _, err := s.Get(ctx, odd, good.Name); return err },
			"get, name":         func() error { _, err := s.Get(ctx, workspace, odd); return err },
			"get, longer name":  func() error { _, err := s.Get(ctx, workspace, good.Name+odd+"x"); return err },
			"put, workspace":    func() error { bad := good; bad.Workspace = odd; bad.Version = 7; _, err := s.Put(ctx, bad); return err },
			"delete, workspace": func() error { return s.Delete(ctx, odd, good.Name, 1) },
			"delete, name":      func() error { return s.Delete(ctx, workspace, odd, 1) },
			"image, workspace":  func() error { _, err := s.Image(ctx, odd, image); return err },
			"image, id":         func() error { _, err := s.Image(ctx, workspace, odd); return err },
			"find, workspace":   func() error { _, err := s.Find(ctx, odd, image, app); return err },
			"find, id":          func() error { _, err := s.Find(ctx, workspace, odd, app); return err },
			"find, no registry": func() error { _, err := s.Find(ctx, workspace, image, helpers.Registry{}); return err },
		} {
			err := ask()
			if err == nil || !helpers.IsNotFound(err) && !errors.Is(err, helpers.BadRequest) && !errors.Is(err, secrets.ErrConflict) {
				t.Errorf("%s %q: %v", what, odd, err)
			}
		}
		if list, err := s.List(ctx, odd); len(list) > 0 || err != nil && !errors.Is(err, helpers.BadRequest) {
			t.Errorf("list of %q: %d, %v", odd, len(list), err)
		}
	}
	if got := must(s.Find(ctx, workspace, image, app))(t); password(got) != "x" || got.Version != 1 {
		t.Error("asking changed the secret")
	}
}

func testScopes(t *testing.T, h Harness) {
	p := newPlace(t, h)
	s := p.open(t)
	ctx := t.Context()
	for _, scope := range []string{"ghcr.io", "ghcr.io/acme", "ghcr.io/acme/app", "ghcr.io/acme/ap", "ghcr.io/ac_e", "quay.io/acme"} {
		must(s.Put(ctx, login(t, workspace, scope, scope)))(t)
	}
	do(t, s.Attach(ctx, imageOf(t, workspace, image,
		"ghcr.io/acme/app/web:1", "ghcr.io/acme/tool", "ghcr.io/other/x", "quay.io/acme/y", "quay.io/else/z", "registry.k8s.io/pause")))
	const none, several = "", "several"
	for asked, want := range map[string]string{
		"ghcr.io/acme/app/web":   "ghcr.io/acme/app",
		"ghcr.io/acme/tool":      "ghcr.io/acme",
		"ghcr.io/other/x":        "ghcr.io",
		"ghcr.io/acme/app":       "ghcr.io/acme/app",
		"ghcr.io/other":          "ghcr.io",
		"ghcr.io":                several,
		"ghcr.io/acme":           "ghcr.io/acme",
		"ghcr.io/third/x":        none, // not attached
		"ghcr.io/acme/app/web/x": none,
		"quay.io":                "quay.io/acme",
		"quay.io/acme/y":         "quay.io/acme",
		"quay.io/else/z":         none,
		"registry.k8s.io/pause":  none,
		"docker.io/acme/app":     none,
		"ghcr.io:5000/acme/tool": none,
	} {
		got, err := s.Find(ctx, workspace, image, registry(t, asked))
		switch want {
		case none:
			if !errors.Is(err, secrets.ErrNotFound) {
				t.Errorf("%s: %v, want none", asked, err)
			}
		case several:
			if !errors.Is(err, helpers.BadRequest) {
				t.Errorf("%s: %v, want a question back", asked, err)
			}
		default:
			if err != nil || password(got) != want {
				t.Errorf("%s: the secret of %q, %v, want that of %q", asked, got.Registry(), err, want)
			}
		}
	}
	// A secret that is stored later and matches longer counts from then on.
	must(s.Put(ctx, login(t, workspace, "ghcr.io/other/x", "late")))(t)
	if got := must(s.Find(ctx, workspace, image, registry(t, "ghcr.io/other/x")))(t); password(got) != "late" {
		t.Errorf("the secret of %s is older than the one for the repository itself", got.Registry())
	}
}

func testAttach(t *testing.T, h Harness) {
	p := newPlace(t, h)
	s := p.open(t)
	ctx := t.Context()
	if _, err := s.Image(ctx, workspace, image); !errors.Is(err, secrets.ErrNotFound) {
		t.Errorf("an image that nobody attached: %v", err)
	}
	do(t, s.Exists(ctx, workspace, image))
	if err := s.Exists(ctx, workspace, ""); !errors.Is(err, helpers.BadRequest) {
		t.Errorf("an image without a name: %v", err)
	}
	seen := must(s.Put(ctx, login(t, workspace, "quay.io", "old")))(t)
	stale := login(t, workspace, "quay.io", "new")
	both := imageOf(t, workspace, image, "ghcr.io/a/b:1", "quay.io/c/d", "ghcr.io/a/b:1")
	if err := s.Attach(ctx, both, login(t, workspace, "ghcr.io", "g"), stale); !errors.Is(err, secrets.ErrConflict) {
		t.Errorf("with a secret that is there already: %v", err)
	}
	if _, err := s.Get(ctx, workspace, secrets.Name(registry(t, "ghcr.io"), "")); !errors.Is(err, secrets.ErrNotFound) {
		t.Errorf("half of what failed was written: %v", err)
	}
	if _, err := s.Image(ctx, workspace, image); !errors.Is(err, secrets.ErrNotFound) {
		t.Errorf("half of what failed was attached: %v", err)
	}
	stale.Version = seen.Version
	do(t, s.Attach(ctx, both, login(t, workspace, "ghcr.io", "g"), stale))
	if got := references(must(s.Image(ctx, workspace, image))(t)); !slices.Equal(got, []string{"ghcr.io/a/b:1", "quay.io/c/d:latest"}) {
		t.Errorf("attached %v", got)
	}
	for asked, want := range map[string]string{"ghcr.io": "g", "quay.io/c/d": "new"} {
		if got := must(s.Find(ctx, workspace, image, registry(t, asked)))(t); password(got) != want {
			t.Errorf("%s: another secret than was attached", asked)
		}
	}
	// What is not to be written has to be as it was seen.
	now := must(s.Get(ctx, workspace, seen.Name))(t)
	kept := secrets.Secret{Workspace: workspace, Name: now.Name, Version: now.Version}
	gone := must(s.Put(ctx, login(t, workspace, "ghcr.io/gone", "x")))(t)
	do(t, s.Delete(ctx, workspace, gone.Name, gone.Version))
	none := secrets.Secret{Workspace: workspace, Name: gone.Name}
	for what, wrong := range map[string]secrets.Secret{
		"replaced": {Workspace: workspace, Name: kept.Name, Version: seen.Version},
		"made":     {Workspace: workspace, Name: kept.Name},
		"removed":  {Workspace: workspace, Name: gone.Name, Version: gone.Version},
	} {
		err := s.Attach(ctx, imageOf(t, workspace, image, "docker.io/e/f"), login(t, workspace, "docker.io", "h"), kept, none, wrong)
		if !errors.Is(err, secrets.ErrConflict) {
			t.Errorf("with a secret that was %s meanwhile: %v", what, err)
		}
	}
	if _, err := s.Get(ctx, workspace, secrets.Name(registry(t, "docker.io"), "")); !errors.Is(err, secrets.ErrNotFound) {
		t.Errorf("with what was changed meanwhile, half was written: %v", err)
	}
	do(t, s.Attach(ctx, imageOf(t, workspace, image, "quay.io/c/d"), none, kept))
	if got := must(s.Get(ctx, workspace, seen.Name))(t); got.Version != kept.Version || password(got) != "new" {
		t.Errorf("what was to be kept is in version %d", got.Version)
	}
	if _, err := s.Find(ctx, workspace, image, registry(t, "ghcr.io")); !errors.Is(err, secrets.ErrNotFound) {
		t.Errorf("a reference that was taken away: %v", err)
	}
	do(t, s.Attach(ctx, imageOf(t, workspace, image)))
	if _, err := s.Image(ctx, workspace, image); !errors.Is(err, secrets.ErrNotFound) {
		t.Errorf("a detached image: %v", err)
	}
}

// testAttachers has several builds attach different references to one image, in opposite orders, at the same time: what
// stays is what one of them attached, and nobody fails.
func testAttachers(t *testing.T, h Harness) {
	p := newPlace(t, h)
	ctx := t.Context()
	const builds, times = 4, 15
	want := map[string]bool{}
	stores := make([]Store, builds)
	images := make([]secrets.Image, builds)
	for b := range builds {
		stores[b] = p.open(t)
		refs := []string{fmt.Sprintf("ghcr.io/build/b%d:latest", b), "ghcr.io/shared/x:latest", "quay.io/shared/y:latest"}
		images[b] = imageOf(t, workspace, image, refs...)
		want[fmt.Sprint(refs)] = true
		if b%2 == 1 {
			slices.Reverse(images[b].References)
		}
	}
	for range times {
		var wg sync.WaitGroup
		for b := range builds {
			wg.Go(func() {
				if err := stores[b].Attach(ctx, images[b]); err != nil {
					t.Errorf("build %d: %v", b, err)
				}
			})
		}
		wg.Wait()
		if got := references(must(stores[0].Image(ctx, workspace, image))(t)); !want[fmt.Sprint(got)] {
			t.Fatalf("attached is %v, which no build attached", got)
		}
	}
}

func references(i secrets.Image) []string {
	var all []string
	for _, ref := range i.References {
		all = append(all, ref.String())
	}
	return all
}
