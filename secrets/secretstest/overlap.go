package secretstest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
)

// testOvertaken has two rotations end between any two steps of a reader, three times in a row.
func testOvertaken(t *testing.T, h Harness) {
	var keys ring
	keys.add(t)
	p := newPlace(t, h)
	ctx := t.Context()
	s := p.with(t, keys.load(t))
	secret := must(s.Put(ctx, login(t, workspace, "ghcr.io", "x")))(t)
	do(t, s.Attach(ctx, imageOf(t, workspace, image, "ghcr.io/a/b")))
	rotate := func() {
		keys.add(t)
		do(t, s.Rotate(ctx, nil))
		keys.retire()
	}
	overtake := 0
	slow := p.with(t, must(secrets.LoadKeyring(ctx, func(ctx context.Context) ([]byte, error) {
		if overtake == 0 {
			return keys.read(ctx)
		}
		overtake--
		rotate()
		document, err := keys.read(ctx)
		rotate()
		return document, err
	}, nil))(t))
	for what, read := range map[string]func() error{
		"get":  func() error { _, err := slow.Get(ctx, workspace, secret.Name); return err },
		"list": func() error { _, err := slow.List(ctx, workspace); return err },
		"find": func() error { _, err := slow.Find(ctx, workspace, image, registry(t, "ghcr.io/a/b")); return err },
	} {
		rotate()
		overtake = 3
		if err := read(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// testRotationsOverlap has a rotation begin and end, to a newer key, while another one is on its way, and at its end.
func testRotationsOverlap(t *testing.T, h Harness) {
	var keys ring
	keys.add(t)
	p := newPlace(t, h)
	ctx := t.Context()
	s := p.with(t, keys.load(t))
	const n = 250 // more than two batches
	for i := range n {
		must(s.Put(ctx, login(t, workspace, fmt.Sprintf("registry-%d.example", i), "x")))(t)
	}
	for _, at := range []int{0, 100, n} {
		keys.add(t)
		err := p.with(t, keys.load(t)).Rotate(ctx, func(done, _ int) {
			if done == at {
				keys.add(t)
				do(t, s.Rotate(ctx, nil))
				keys.retire()
			}
		})
		if !errors.Is(err, secrets.ErrConflict) {
			t.Errorf("a rotation that is overtaken after %d records: %v", at, err)
		}
		current, inUse, err := s.Keys(ctx)
		if want := keys.load(t).Current().ID(); err != nil || current != want || inUse[want] != n {
			t.Errorf("overtaken after %d records, everything is written with %s, and in use are %v: %v", at, current, inUse, err)
		}
		if list := must(p.with(t, keys.load(t)).List(ctx, workspace))(t); len(list) != n {
			t.Errorf("overtaken after %d records, %d of %d open with the key that is left", at, len(list), n)
		}
	}
}

// testStrangeKeyring has somebody rotate with the keyring of another store.
func testStrangeKeyring(t *testing.T, h Harness) {
	p := newPlace(t, h)
	s := p.open(t)
	ctx := t.Context()
	must(s.Put(ctx, login(t, workspace, "ghcr.io", "x")))(t)
	err := p.with(t, secrets.NewKeyring(newKey(t))).Rotate(ctx, nil)
	if !errors.Is(err, secrets.ErrNoKey) || errors.Is(err, secrets.ErrSealed) || helpers.HintOf(err) == "" {
		t.Errorf("a rotation with the keyring of another store: %v", err)
	}
	must(s.Put(ctx, login(t, workspace, "quay.io", "y")))(t)
	must(p.open(t).Put(ctx, login(t, workspace, "docker.io", "z")))(t)
	// Whoever has lost the keyring removes what does not open, and begins anew.
	anew := p.with(t, secrets.NewKeyring(newKey(t)))
	for _, host := range []string{"ghcr.io", "quay.io", "docker.io"} {
		found, err := anew.Get(ctx, workspace, secrets.Name(registry(t, host), ""))
		if !errors.Is(err, secrets.ErrNoKey) {
			t.Errorf("%s: %v", host, err)
		}
		do(t, anew.Delete(ctx, workspace, found.Name, found.Version))
	}
	do(t, anew.Rotate(ctx, nil))
	must(anew.Put(ctx, login(t, workspace, "ghcr.io", "x")))(t)
	if _, err := s.Put(ctx, login(t, workspace, "quay.io", "y")); !errors.Is(err, secrets.ErrNoKey) {
		t.Errorf("the keyring that was lost writes: %v", err)
	}
}

// testOldKeyring loses the new key while everything is being sealed with it again, and has the keyring from before.
func testOldKeyring(t *testing.T, h Harness) {
	var keys ring
	keys.add(t)
	p := newPlace(t, h)
	ctx := t.Context()
	old := secrets.NewKeyring(keys.load(t).Current())
	kept := must(p.with(t, old).Put(ctx, login(t, workspace, "ghcr.io", "x")))(t)
	keys.add(t)
	s := p.with(t, keys.load(t))
	stopped, stop := context.WithCancel(ctx)
	if err := s.Rotate(stopped, func(int, int) { stop() }); err == nil {
		t.Fatal("a rotation that was interrupted came to its end")
	}
	lost := must(s.Put(ctx, login(t, workspace, "quay.io", "y")))(t)

	back := p.with(t, old)
	if err := back.Rotate(ctx, nil); !errors.Is(err, secrets.ErrNoKey) || errors.Is(err, secrets.ErrSealed) {
		t.Errorf("a rotation as long as something is sealed with the key that was lost: %v", err)
	}
	do(t, back.Delete(ctx, workspace, lost.Name, lost.Version))
	do(t, back.Rotate(ctx, nil))
	must(back.Put(ctx, login(t, workspace, "docker.io", "z")))(t)
	if got := must(back.Get(ctx, workspace, kept.Name))(t); password(got) != "x" {
		t.Error("what the old keyring opens is another secret now")
	}
}

// testReadingClaimsNothing has somebody look at a new store with the keyring of another one.
func testReadingClaimsNothing(t *testing.T, h Harness) {
	p := newPlace(t, h)
	stranger := p.with(t, secrets.NewKeyring(newKey(t)))
	ctx := t.Context()
	if list := must(stranger.List(ctx, workspace))(t); len(list) != 0 {
		t.Errorf("%d secrets in a new store", len(list))
	}
	if _, err := stranger.Find(ctx, workspace, image, registry(t, "ghcr.io/a/b")); !errors.Is(err, secrets.ErrNotFound) {
		t.Errorf("looking for a secret in a new store: %v", err)
	}
	if current, inUse, err := stranger.Keys(ctx); current != "" || len(inUse) != 0 || err != nil {
		t.Errorf("a new store is written with %q, in use %v, %v", current, inUse, err)
	}
	// A claim that is taken back with what was to be written has to be made again.
	s := p.open(t)
	late := login(t, workspace, "ghcr.io", "x")
	late.Version = 1
	if err := s.Attach(ctx, imageOf(t, workspace, image, "ghcr.io/a/b"), late); !errors.Is(err, secrets.ErrConflict) {
		t.Errorf("a new version of what is not there: %v", err)
	}
	must(s.Put(ctx, login(t, workspace, "ghcr.io", "x")))(t)
	if _, err := stranger.Put(ctx, login(t, workspace, "quay.io", "y")); !errors.Is(err, secrets.ErrNoKey) {
		t.Errorf("the keyring of another store writes: %v", err)
	}
	if current, _, err := stranger.Keys(ctx); current != p.keyring.Current().ID() || err != nil {
		t.Errorf("it is written with %q, %v", current, err)
	}
}
