//go:build unix

package execute

import (
	"context"
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// caller is one call of a tenant, with what is closed when it is its turn.
type caller struct {
	id   any
	name string
	turn chan struct{}
}

// queue is turns with the callers that have one or wait for one, as they came.
type queue struct {
	*turns
	waiting, held []caller
	got           []string // the names of those who got a turn
}

func newQueue(n int) *queue { return &queue{turns: newTurns(n)} }

// call has a tenant ask for a turn.
func (q *queue) call(id any, name string) {
	q.waiting = append(q.waiting, caller{id, name, q.ask(id)})
	q.look()
}

// look moves those who got a turn from the one list to the other.
func (q *queue) look() {
	q.waiting = slices.DeleteFunc(q.waiting, func(c caller) bool {
		select {
		case <-c.turn:
			q.got = append(q.got, c.name)
			q.held = append(q.held, c)
			return true
		default:
			return false
		}
	})
}

// end has the one with the oldest turn give it back.
func (q *queue) end() {
	q.give(q.held[0].id)
	q.held = q.held[1:]
	q.look()
}

// giveUp has one who waits leave.
func (q *queue) giveUp(i int) {
	q.leave(q.waiting[i].id, q.waiting[i].turn)
	q.waiting = slices.Delete(q.waiting, i, i+1)
	q.look()
}

// finish has everybody end, and checks that nothing is left of them.
func (q *queue) finish(t interface{ Errorf(string, ...any) }, total int) {
	for len(q.held) > 0 {
		q.end()
	}
	if q.free != total || len(q.waiting) != 0 || len(q.tenants) != 0 || len(q.line) != 0 {
		t.Errorf("%d of %d turns are free in the end, %d calls wait, %d tenants are known, %d are in the line",
			q.free, total, len(q.waiting), len(q.tenants), len(q.line))
	}
}

func TestTurnsGoRound(t *testing.T) {
	t.Parallel()
	q := newQueue(1)
	for _, name := range []string{"a0", "a1", "a2", "b0", "b1", "c0", "a3"} {
		q.call(name[:1], name)
	}
	q.finish(t, 1)
	if want := []string{"a0", "a1", "b0", "c0", "a2", "b1", "a3"}; !slices.Equal(q.got, want) {
		t.Errorf("turns went to %q, want %q", q.got, want)
	}
}

func TestTurnsAreShared(t *testing.T) {
	t.Parallel()
	q := newQueue(8)
	for _, name := range []string{"a0", "a1", "a2", "a3", "a4", "a5", "b0", "b1", "b2", "b3", "c0", "c1"} {
		q.call(name[:1], name)
	}
	// Half for the first, half of the rest for the second, and so on.
	if want := []string{"a0", "a1", "a2", "a3", "b0", "b1", "c0"}; !slices.Equal(q.got, want) {
		t.Fatalf("at first turns are for %q, want %q", q.got, want)
	}
	q.call("d", "d0")
	q.finish(t, 8)
	// As one of a's four turns after the other ends, c with its one turn is the first who may have a second.
	if want := []string{"d0", "c1", "a4", "a5", "b2", "b3"}; !slices.Equal(q.got[7:], want) {
		t.Errorf("the others follow as %q, want %q", q.got[7:], want)
	}
}

// Calls for nobody have all turns to themselves.
func TestTurnsOfNobody(t *testing.T) {
	t.Parallel()
	q := newQueue(8)
	for range 10 {
		q.call(nil, "nobody")
	}
	if len(q.held) != 8 {
		t.Errorf("%d of 8 turns are taken", len(q.held))
	}
	q.finish(t, 8)
}

func TestWhoGivesUpLeavesTheLine(t *testing.T) {
	t.Parallel()
	q := newQueue(1)
	for _, name := range []string{"a0", "b0", "c0"} {
		q.call(name[:1], name)
	}
	q.giveUp(0)
	if len(q.tenants) != 2 || len(q.line) != 1 {
		t.Errorf("%d tenants are known, %d are in the line", len(q.tenants), len(q.line))
	}
	q.finish(t, 1)
	if want := []string{"a0", "c0"}; !slices.Equal(q.got, want) {
		t.Errorf("turns went to %q, want %q", q.got, want)
	}
}

// A turn that comes at the moment at which its caller gives up goes on to the
// next.
func TestTurnGivenToWhoLeaves(t *testing.T) {
	t.Parallel()
	q := newQueue(1)
	unseen := q.ask("a")
	q.call("b", "b0")
	q.leave("a", unseen)
	q.look()
	if len(q.held) != 1 {
		t.Error("it does not go on")
	}
	q.finish(t, 1)

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for range 100 { // the one or the other, as it happens
		if q.take(ctx, "a") == nil {
			q.give("a")
		}
	}
	q.finish(t, 1)
}

// TestTurnsAreNeverLost: whoever comes, goes and gives up in whatever order, no
// more turns are taken than there are, and a tenant that has none never waits
// while one is free.
func TestTurnsAreNeverLost(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.IntRange(1, 9).Draw(t, "turns")
		q := newQueue(total)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch step := rapid.IntRange(0, 4).Draw(t, "step"); {
			case step == 0 && len(q.held) > 0:
				q.end()
			case step == 1 && len(q.waiting) > 0:
				q.giveUp(rapid.IntRange(0, len(q.waiting)-1).Draw(t, "who"))
			default:
				var id any
				if n := rapid.IntRange(0, 4).Draw(t, "tenant"); n > 0 {
					id = n
				}
				q.call(id, "")
			}
			if q.free < 0 || q.free != total-len(q.held) {
				t.Fatalf("%d of %d turns are free, %d are held", q.free, total, len(q.held))
			}
			for _, who := range q.line {
				if q.free > 0 && who.taken == 0 {
					t.Fatalf("a tenant without a turn waits, and %d are free", q.free)
				}
			}
		}
		q.finish(t, total)
	})
}

// TestHungTenant has the helpers of one tenant hang. Another's go on, one after
// the other, and so do several of them at once.
func TestHungTenant(t *testing.T) {
	t.Parallel()
	w := newWitness(t)
	folder := behaving(t, Options{})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var hung []<-chan outcome
	for range 3 * DefaultConcurrent {
		hung = append(hung, begin(ctx, folder, Call{Type: "hang", Verb: "get", Env: w.env(), Tenant: "hung"}))
	}
	var seen []*seen
	for range DefaultConcurrent / 2 {
		seen = append(seen, w.next())
	}
	for i := range 2 * DefaultConcurrent {
		got, err := folder.Run(context.Background(), Call{Type: "answer", Verb: "get", Tenant: i / 4})
		if err != nil || string(got.Stdout) != "get " {
			t.Fatalf("another tenant: %q, %v", got.Stdout, err)
		}
	}
	w.nobody()
	cancel()
	for _, done := range hung {
		if got := <-done; !errors.Is(got.err, ErrCanceled) {
			t.Errorf("got %q, %v", got.Stdout, got.err)
		}
	}
	for _, s := range seen {
		s.gone()
	}
}
