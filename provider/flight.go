package provider

import (
	"context"
	"maps"
	"sync"
)

// flights lets any number of callers share one call for a key. The call outlives the caller that caused it: others may be
// waiting, and its result is kept for those to come.
type flights[K comparable, V any] struct {
	lost    V // the result of a call that did not return
	mu      sync.Mutex
	running map[K]*flight[V]
}

// flight is one call. Its value may be read once done is closed.
type flight[V any] struct {
	done  chan struct{}
	value V
}

// do returns the result of the call that is under way for the key, or of fly, which it starts by way of launch. The
// error is that of ctx when it ends first.
func (f *flights[K, V]) do(ctx context.Context, key K, launch func(func()) bool, fly func() V) (V, error) {
	current := f.join(key, launch, fly)
	if current == nil {
		var zero V
		return zero, errClosed
	}
	return current.wait(ctx)
}

// doHere is do for a goroutine that nobody else counts on: fly runs in it, whatever becomes of ctx meanwhile. To start
// another one for a program that runs for a millisecond makes that a fortieth longer.
func (f *flights[K, V]) doHere(ctx context.Context, key K, fly func() V) (V, error) {
	f.mu.Lock()
	current, ok := f.running[key]
	if ok {
		f.mu.Unlock()
		return current.wait(ctx)
	}
	current = f.add(key)
	f.mu.Unlock()
	f.carryOut(key, current, fly)
	return current.value, nil
}

// join returns the call that is under way for the key, or launches one, or returns nil when there is no launching any more.
func (f *flights[K, V]) join(key K, launch func(func()) bool, fly func() V) *flight[V] {
	f.mu.Lock()
	defer f.mu.Unlock()
	if current, ok := f.running[key]; ok {
		return current
	}
	current := f.add(key)
	if !launch(func() { f.carryOut(key, current, fly) }) {
		delete(f.running, key)
		return nil
	}
	return current
}

// add makes a call for a key that has none. It is called with mu held.
func (f *flights[K, V]) add(key K) *flight[V] {
	if f.running == nil {
		f.running = make(map[K]*flight[V])
	}
	current := &flight[V]{done: make(chan struct{})}
	f.running[key] = current
	return current
}

// carryOut runs a call and hands its result to all who wait for it. A panic in there, of a [Trace] for instance, is a
// failure of the call alone: it happens in a goroutine of this package, where no caller could recover from it, and in a
// process that serves other tenants too. What it says may be secret.
func (f *flights[K, V]) carryOut(key K, current *flight[V], fly func() V) {
	current.value = f.lost
	defer func() {
		_ = recover()
		f.mu.Lock()
		if f.running[key] == current {
			delete(f.running, key)
		}
		f.mu.Unlock()
		close(current.done)
	}()
	current.value = fly()
}

func (c *flight[V]) wait(ctx context.Context) (V, error) {
	select {
	case <-c.done:
		return c.value, nil
	case <-ctx.Done():
		var zero V
		return zero, ctx.Err()
	}
}

// forget lets the next caller for such a key start a call of its own. Those who wait for one that is under way get its
// result all the same.
func (f *flights[K, V]) forget(which func(K) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	maps.DeleteFunc(f.running, func(key K, _ *flight[V]) bool { return which(key) })
}
