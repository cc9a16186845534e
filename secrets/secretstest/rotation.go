package secretstest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/secrets"
)

// ring is the document of a keyring, as a file would hold it.
type ring struct {
	mu   sync.Mutex
	keys []secrets.Key
}

// add puts a new key in front, which makes it the current one.
func (r *ring) add(t testing.TB) {
	k := newKey(t)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys = append([]secrets.Key{k}, r.keys...)
}

// retire leaves the current key alone.
func (r *ring) retire() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys = r.keys[:1]
}

func (r *ring) read(ctx context.Context) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return secrets.AppendKeys(ctx, nil, r.keys, nil)
}

// load is what each process does that reads the file.
func (r *ring) load(t testing.TB) *secrets.Keyring {
	t.Helper()
	return must(secrets.LoadKeyring(t.Context(), r.read, nil))(t)
}

func testRotation(t *testing.T, h Harness) {
	var keys ring
	keys.add(t)
	p := newPlace(t, h)
	s := p.with(t, keys.load(t))
	late := p.with(t, keys.load(t)) // a process that learns of nothing but what it finds
	ctx := t.Context()
	const n = 250 // more than one batch
	for i := range n {
		must(s.Put(ctx, login(t, workspace, fmt.Sprintf("registry-%d.example", i), "x")))(t)
	}
	do(t, s.Delete(ctx, workspace, must(s.List(ctx, workspace))(t)[0].Name, 1))

	keys.add(t)
	before, inUse, err := s.Keys(ctx)
	if err != nil || before == keys.load(t).Current().ID() || inUse[before] != n-1 {
		t.Errorf("with a new key in the keyring, before it is used: written with %s, in use %v, %v", before, inUse, err)
	}
	stopped, stop := context.WithCancel(ctx)
	err = p.with(t, keys.load(t)).Rotate(stopped, func(done, total int) {
		if done > 0 {
			stop()
		}
	})
	if err == nil || errors.Is(err, secrets.ErrNotFound) {
		t.Errorf("an interrupted rotation: %v", err)
	}
	var last, total int
	do(t, p.with(t, keys.load(t)).Rotate(ctx, func(d, n int) { last, total = d, n }))
	if last != total || total == 0 || total >= n-1 {
		t.Errorf("the second call did %d of %d: it has to go on where the first one stopped", last, total)
	}
	// What the late process writes is under the new key at once, though it has never heard of it.
	changed := must(late.Put(ctx, login(t, workspace, "late.example", "late")))(t)
	keys.retire()
	only := p.with(t, keys.load(t))
	if list := must(only.List(ctx, workspace))(t); len(list) != n {
		t.Errorf("%d records open with the new key alone, want %d", len(list), n)
	}
	if got := must(only.Get(ctx, workspace, changed.Name))(t); password(got) != "late" {
		t.Error("what was written after the rotation is not there")
	}
	if got := must(late.List(ctx, workspace))(t); len(got) != n {
		t.Errorf("a process with an old keyring lists %d of %d", len(got), n)
	}
	do(t, only.Rotate(ctx, func(_, total int) {
		if total != 0 {
			t.Errorf("%d records are left after the rotation", total)
		}
	}))
	current, inUse, err := late.Keys(ctx)
	if id := keys.load(t).Current().ID(); err != nil || current != id || len(inUse) != 1 || inUse[id] != n {
		t.Errorf("written with %s, in use %v, %v", current, inUse, err)
	}
	// A keyring that has nothing to do with the store.
	stranger, err := p.Open(ctx, p.address, secrets.NewKeyring(newKey(t)))
	do(t, err)
	defer stranger.Close()
	if _, err := stranger.Get(ctx, workspace, changed.Name); !errors.Is(err, secrets.ErrNoKey) || !errors.Is(err, secrets.ErrSealed) {
		t.Errorf("without the key: %v", err)
	}
	if _, err := stranger.Put(ctx, login(t, workspace, "stranger.example", "x")); err == nil {
		t.Error("a writer without the store's key wrote")
	}
}

// A rotation under load is repeated for this long, and this often at least on a slow machine.
const (
	underLoad = 30 * time.Second
	fewest    = 3
)

func testRotationUnderLoad(t *testing.T, h Harness) {
	const (
		records   = 200
		processes = 2 // each with a keyring and connections of its own
		writers   = 2 // in each; every one has the records to itself whose number it is, modulo all writers
		readers   = 2
	)
	var keys ring
	keys.add(t)
	p := newPlace(t, h)
	ctx := t.Context()
	first := p.with(t, keys.load(t))
	names := make([]string, records)
	registries := make([]string, records)
	for i := range names {
		registries[i] = fmt.Sprintf("registry-%d.example", i)
		names[i] = must(first.Put(ctx, login(t, workspace, registries[i], "0")))(t).Name
	}

	var stop atomic.Bool
	var reads, writes atomic.Int64
	var wg sync.WaitGroup
	acknowledged := make([]secrets.Secret, records) // each is touched by one writer
	for process := range processes {
		s := p.with(t, keys.load(t))
		for w := range writers {
			wg.Go(func() {
				all := processes * writers
				for n := process*writers + w; !stop.Load(); n += all {
					i := n % records
					if acknowledged[i].Version == 0 {
						acknowledged[i].Version = 1
					}
					next, err := makeLogin(workspace, registries[i], fmt.Sprint(n))
					if err != nil {
						t.Error(err)
						return
					}
					next.Version = acknowledged[i].Version
					if acknowledged[i], err = s.Put(ctx, next); err != nil {
						t.Errorf("write of record %d: %v", i, err)
						return
					}
					writes.Add(1)
				}
			})
		}
		for range readers {
			wg.Go(func() {
				for !stop.Load() {
					if _, err := s.Get(ctx, workspace, names[rand.N(records)]); err != nil {
						t.Errorf("read: %v", err)
						return
					}
					reads.Add(1)
				}
			})
		}
	}
	done := 0
	rotate := func() error {
		keys.add(t)
		if err := first.Rotate(ctx, nil); err != nil {
			return err
		}
		keys.retire()
		// With the one key that is left, everything opens.
		list, err := p.with(t, keys.load(t)).List(ctx, workspace)
		if err == nil && len(list) != records {
			err = fmt.Errorf("%d records of %d", len(list), records)
		}
		return err
	}
	end := time.Now().Add(underLoad)
	for ; done < fewest || time.Now().Before(end); done++ {
		if err := rotate(); err != nil {
			t.Errorf("rotation %d: %v", done, err)
			break
		}
	}
	stop.Store(true)
	wg.Wait()
	lost := 0
	for i, want := range acknowledged {
		if want.Version <= 1 {
			continue
		}
		got := must(first.Get(ctx, workspace, names[i]))(t)
		if got.Version != want.Version || password(got) != password(want) {
			lost++
		}
	}
	if lost > 0 {
		t.Errorf("%d writes were lost", lost)
	}
	t.Logf("%d rotations of %d records, beside %d reads and %d writes", done, records, reads.Load(), writes.Load())
}
