package execute

import (
	"context"
	"slices"
	"sync"
)

// turns hands out the turns of a folder, in each of which one helper runs.
//
// Tenants do not keep each other from their turns. Each has a queue of its own,
// and the queues are served in rotation. And whoever has some turns gets one
// more only while more than as many are free: one tenant has at most half of
// them, rounded up, however many calls it makes and however long its registries
// take to answer; a second one at most half of the rest, and so on.
type turns struct {
	mu   sync.Mutex
	free int
	// tenants are those that have a turn or wait for one.
	tenants map[any]*tenant
	// line are those of them that wait, the next one first.
	line []*tenant
}

type tenant struct {
	id      any
	taken   int
	waiting []chan struct{} // one for each call, closed when it is its turn
}

func newTurns(n int) *turns { return &turns{free: n, tenants: make(map[any]*tenant)} }

// take waits for a turn of the tenant. The caller gives it back with give. The
// error is that of ctx.
func (t *turns) take(ctx context.Context, id any) error {
	turn := t.ask(id)
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		t.leave(id, turn)
		return ctx.Err()
	}
}

// ask puts a call into the tenant's queue and returns what is closed when it is
// its turn.
func (t *turns) ask(id any) chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	who := t.tenants[id]
	if who == nil {
		who = &tenant{id: id}
		t.tenants[id] = who
	}
	turn := make(chan struct{})
	who.waiting = append(who.waiting, turn)
	if len(who.waiting) == 1 {
		t.line = append(t.line, who)
	}
	t.hand()
	return turn
}

// leave takes a call out of the line, or gives back the turn that it got at the
// same moment.
func (t *turns) leave(id any, turn chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	who := t.tenants[id]
	if i := slices.Index(who.waiting, turn); i >= 0 {
		who.waiting = slices.Delete(who.waiting, i, i+1)
	} else {
		who.taken--
		t.free++
	}
	if i := slices.Index(t.line, who); i >= 0 && len(who.waiting) == 0 {
		t.line = slices.Delete(t.line, i, i+1)
	}
	t.settle(who)
}

// give gives a turn of the tenant back.
func (t *turns) give(id any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	who := t.tenants[id]
	who.taken--
	t.free++
	t.settle(who)
}

// settle forgets a tenant that neither has a turn nor waits for one, and hands
// out what became free. It is called with mu held, as hand is.
func (t *turns) settle(who *tenant) {
	if who.taken == 0 && len(who.waiting) == 0 {
		delete(t.tenants, who.id)
	}
	t.hand()
}

// hand gives the free turns to those who wait and may have one.
func (t *turns) hand() {
	for t.free > 0 {
		i := slices.IndexFunc(t.line, func(who *tenant) bool { return who.id == nil || who.taken < t.free })
		if i < 0 {
			return
		}
		who := t.line[i]
		t.line = slices.Delete(t.line, i, i+1)
		close(who.waiting[0])
		who.waiting = slices.Delete(who.waiting, 0, 1)
		who.taken++
		t.free--
		if len(who.waiting) > 0 {
			t.line = append(t.line, who)
		}
	}
}
