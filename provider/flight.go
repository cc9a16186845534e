package provider

import (
	"context"
	"maps"
	"sync"
)

// flights lets any number of callers share one call for a key. The call runs in a goroutine of its own and so outlives
// the caller that caused it: others may be waiting, and its result is kept for those to come. The zero value is ready.
type flights[K comparable, V any] struct {
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
	var zero V
	current := f.join(key, launch, fly)
	if current == nil {
		return zero, errClosed
	}
	select {
	case <-current.done:
		return current.value, nil
	case <-ctx.Done():
		return zero, ctx.Err()
	}
}

func (f *flights[K, V]) join(key K, launch func(func()) bool, fly func() V) *flight[V] {
	f.mu.Lock()
	defer f.mu.Unlock()
	if current, ok := f.running[key]; ok {
		return current
	}
	current := &flight[V]{done: make(chan struct{})}
	if !launch(func() {
		current.value = fly()
		f.mu.Lock()
		if f.running[key] == current {
			delete(f.running, key)
		}
		f.mu.Unlock()
		close(current.done)
	}) {
		return nil
	}
	if f.running == nil {
		f.running = make(map[K]*flight[V])
	}
	f.running[key] = current
	return current
}

// forget lets the next caller for such a key start a call of its own. Those who wait for one that is under way get its
// result all the same.
func (f *flights[K, V]) forget(which func(K) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	maps.DeleteFunc(f.running, func(key K, _ *flight[V]) bool { return which(key) })
}
