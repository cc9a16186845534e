package secretstest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
)

func testTampering(t *testing.T, h Harness) {
	p := newPlace(t, h)
	s := p.open(t)
	ctx := t.Context()
	victim := must(s.Put(ctx, login(t, workspace, "ghcr.io", "first")))(t)
	old := p.Load(t, p.address, workspace, victim.Name)
	next := login(t, workspace, "ghcr.io", "second")
	next.Version = victim.Version
	victim = must(s.Put(ctx, next))(t)
	neighbour := must(s.Put(ctx, login(t, workspace, "ghcr.io/acme", "x")))(t)
	elsewhere := must(s.Put(ctx, login(t, other, "ghcr.io", "y")))(t)
	do(t, s.Attach(ctx, imageOf(t, workspace, image, "ghcr.io/a/b")))

	good := p.Load(t, p.address, workspace, victim.Name)
	changes := map[string][]byte{
		"an older version":            old,
		"another secret's record":     p.Load(t, p.address, workspace, neighbour.Name),
		"another workspace's record":  p.Load(t, p.address, other, elsewhere.Name),
		"nothing":                     {},
		"one byte":                    good[:1],
		"text":                        []byte(`{"version":1,"registry":"ghcr.io","type":"ghcr","credentials":{"GITHUB_TOKEN":"z"}}`),
		"a longer record":             append(bytes.Clone(good), 'A'),
		"a format of the future":      append([]byte{good[0] + 1}, good[1:]...),
		"the record, and a line feed": append(bytes.Clone(good), '\n'),
	}
	for i := 0; i < len(good); i += 3 {
		flipped := bytes.Clone(good)
		flipped[i] ^= 1 << (i % 7)
		changes[fmt.Sprintf("byte %d flipped", i)] = flipped
		changes[fmt.Sprintf("cut to %d bytes", i)] = good[:i]
	}
	for name, value := range changes {
		p.Save(t, p.address, workspace, victim.Name, value)
		_, got := s.Get(ctx, workspace, victim.Name)
		_, found := s.Find(ctx, workspace, image, registry(t, "ghcr.io/a/b"))
		for _, err := range []error{got, found} {
			if !errors.Is(err, secrets.ErrSealed) || !strings.Contains(err.Error(), victim.Name) || !strings.Contains(err.Error(), workspace) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := secrets.NewSource(s, workspace, image).Material(ctx, registry(t, "ghcr.io")); helpers.ReasonOf(err) != helpers.StoreFailed {
			t.Errorf("%s: the source says %v", name, err)
		}
	}
	list, err := s.List(ctx, workspace)
	if !errors.Is(err, secrets.ErrSealed) || len(list) != 1 || list[0].Name != neighbour.Name {
		t.Errorf("with one broken record of two, %d are listed: %v", len(list), err)
	}
	p.Save(t, p.address, workspace, victim.Name, good)
	if got := must(s.Get(ctx, workspace, victim.Name))(t); password(got) != "second" {
		t.Error("the record that was put back opens to something else")
	}

	p.Save(t, p.address, workspace, victim.Name, changes["byte 30 flipped"])
	key := newKey(t)
	err = p.with(t, secrets.NewKeyring(key, p.keyring.Current())).Rotate(ctx, nil)
	if !errors.Is(err, secrets.ErrSealed) || !strings.Contains(err.Error(), victim.Name) {
		t.Errorf("a rotation over a broken record: %v", err)
	}
	if got := must(p.with(t, secrets.NewKeyring(key)).Get(ctx, workspace, neighbour.Name))(t); password(got) != "x" {
		t.Error("a broken record keeps another one from the new key")
	}
}

// testElsewhere changes what stands beside the records: neither is another secret used in the stead of the one that an
// image needs, nor none.
func testElsewhere(t *testing.T, h Harness) {
	p := newPlace(t, h)
	s := p.open(t)
	ctx := t.Context()
	asked := map[string]string{"ghcr.io/acme": "ghcr.io/acme/app", "quay.io": "quay.io/x/y"} // by what the secret is bound to
	held := make(map[string]secrets.Secret)
	for _, bound := range []string{"ghcr.io", "ghcr.io/acme", "quay.io"} {
		held[bound] = must(s.Put(ctx, login(t, workspace, bound, bound)))(t)
	}
	do(t, s.Attach(ctx, imageOf(t, workspace, image, asked["ghcr.io/acme"], asked["quay.io"])))
	beside := func(of secrets.Secret) string {
		place := of.Place()
		return fmt.Sprintf("registry = '%s', scope = '%s', version = %d", place.Registry, place.Scope, place.Version)
	}
	try := func(what string, victims ...string) {
		t.Helper()
		for _, bound := range victims {
			r, name := registry(t, asked[bound]), held[bound].Name
			_, got := s.Get(ctx, workspace, name)
			found, err := s.Find(ctx, workspace, image, r)
			for _, err := range []error{got, err} {
				if !errors.Is(err, secrets.ErrSealed) || !strings.Contains(err.Error(), name) {
					t.Errorf("%s of %s: %v, the secret of %q", what, bound, err, found.Registry())
				}
			}
			if _, err := secrets.NewSource(s, workspace, image).Material(ctx, r); helpers.ReasonOf(err) != helpers.StoreFailed {
				t.Errorf("%s of %s: the source says %v", what, bound, err)
			}
		}
	}
	for bound := range asked {
		for _, assignments := range []string{
			"registry = 'gcr.io'", "registry = ''", "registry = scope, scope = registry", "scope = 'acmd'", "scope = 'acme/app'",
			"scope = scope || '/'", "version = version + 1", "version = -1",
		} {
			p.Change(t, p.address, workspace, held[bound].Name, assignments)
			try(assignments, bound)
			p.Change(t, p.address, workspace, held[bound].Name, beside(held[bound]))
		}
	}
	swap := func(a, b secrets.Secret) {
		one, two := p.Load(t, p.address, workspace, a.Name), p.Load(t, p.address, workspace, b.Name)
		p.Save(t, p.address, workspace, a.Name, two)
		p.Save(t, p.address, workspace, b.Name, one)
	}
	first, second := held["ghcr.io/acme"], held["quay.io"]
	swap(first, second)
	p.Change(t, p.address, workspace, first.Name, beside(second))
	p.Change(t, p.address, workspace, second.Name, beside(first))
	try("swapped rows", "ghcr.io/acme", "quay.io")
	swap(first, second)
	p.Change(t, p.address, workspace, first.Name, beside(first))
	p.Change(t, p.address, workspace, second.Name, beside(second))
	for bound, repository := range asked {
		if got := must(s.Find(ctx, workspace, image, registry(t, repository)))(t); password(got) != bound {
			t.Errorf("put back, %s gets the secret of %q", repository, got.Registry())
		}
	}
}

// canary is a password that must be found nowhere.
const canary = "canary-Qm9vZ2ll-not-a-password"

func testCanary(t *testing.T, h Harness) {
	p := newPlace(t, h)
	s := p.open(t)
	ctx := t.Context()
	secret := must(s.Put(ctx, login(t, workspace, "quay.io/team", canary)))(t)
	if at := p.Load(t, p.address, workspace, secret.Name); bytes.Contains(at, []byte(canary)) || bytes.Contains(at, []byte("robot")) {
		t.Error("the secret lies in the store in clear")
	}
	var said []string
	say := func(v any) {
		said = append(said, fmt.Sprintf("%v %+v %#v %s %q %x %d", v, v, v, v, v, v, v))
		if out, err := json.Marshal(v); err == nil {
			said = append(said, string(out))
		}
		var b bytes.Buffer
		slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "v", v)
		slog.New(slog.NewTextHandler(&b, nil)).Info("x", "v", v)
		said = append(said, b.String())
	}
	say(secret)
	say(&secret)
	say([]secrets.Secret{secret})
	say(struct{ s secrets.Secret }{secret})
	say(must(s.Get(ctx, workspace, secret.Name))(t))
	_, conflict := s.Put(ctx, login(t, workspace, "quay.io/team", canary))
	say(conflict)
	wrong := secret
	wrong.Workspace = strings.Repeat("w", 300)
	_, refused := s.Put(ctx, wrong)
	say(refused)
	p.Save(t, p.address, workspace, secret.Name, []byte(canary))
	_, broken := s.Get(ctx, workspace, secret.Name)
	say(broken)
	do(t, s.Close())
	_, closed := s.Put(ctx, login(t, workspace, "quay.io/other", canary))
	say(closed)
	if conflict == nil || refused == nil || broken == nil || !errors.Is(closed, secrets.ErrUnavailable) {
		t.Fatalf("errors are missing: %v, %v, %v, %v", conflict, refused, broken, closed)
	}
	for _, text := range said {
		if strings.Contains(text, canary) || strings.Contains(text, fmt.Sprintf("%x", canary)) {
			t.Errorf("the secret is in %q", text)
		}
	}
}
