package measure

import (
	"time"
)

// A Meter tells how busy others keep the machine.
type Meter interface {
	// Start begins to watch.
	Start()
	// Stop returns the part of the machine that others have used since Start, and whether that can be told.
	Stop() (others float64, known bool)
}

// NewLoad returns the meter of this system: what the kernel says all processors did, without what this process and its
// children did. Children count when they were waited for.
func NewLoad() Meter { return &load{} }

// Unwatched is a meter that cannot tell, for a plan under which servers run that are no children to be waited for.
type Unwatched struct{}

// Start does nothing.
func (Unwatched) Start() {}

// Stop says that nothing is known.
func (Unwatched) Stop() (float64, bool) { return 0, false }

// usage is a state of the processors.
type usage struct {
	all, busy, own time.Duration
}

type load struct {
	began usage
	known bool
}

func (l *load) Start() { l.began, l.known = processors() }

func (l *load) Stop() (float64, bool) {
	now, known := processors()
	if !known || !l.known {
		return 0, false
	}
	return l.began.others(now), true
}

// others is the part of all processors' time that went to others between two states.
func (u usage) others(later usage) float64 {
	all := later.all - u.all
	if all <= 0 {
		return 0
	}
	others := (later.busy - u.busy) - (later.own - u.own)
	return min(1, max(0, others.Seconds()/all.Seconds()))
}
