package report

import (
	"fmt"
	"slices"

	"github.com/beam-cloud/docker-credential-beta9/internal/bench/measure"
)

// A Budget is a limit that results have to keep. Results name their budget by its ID.
type Budget struct {
	ID    string
	What  string
	Limit float64
	Unit  Unit
	// Least turns the limit round: it is the least that has to be reached.
	Least bool
	// Optional is a budget that cannot be measured everywhere.
	Optional bool
	// Beyond is a limit that is told and not counted; the last section of the report says why.
	Beyond bool
}

// Budgets are all there are. The reasons for the numbers: an empty Go program that reads its standard input and JSON takes
// 1.27 times as long as one that does not, one that opens a sealed file 1.5 times, and one that links net/http 2.1 times; a
// file that is mapped costs a millisecond for each megabyte when it has to come from the disk. A program that links
// net/http and does nothing takes longer than 1.4 times an empty one, which is why there are two floors to start from. Times
// of processes are told as multiples of an empty program, which took one millisecond where the limits come from, and those of
// look-ups in memory as multiples of a look at the clock, which was three quarters of the 60 nanoseconds that the quickest
// one took there, where 150 were the limit.
var Budgets = []Budget{
	{ID: "start", What: "`version`, and `list` of an empty store, without network code, to an empty Go program", Limit: 1.4, Unit: Ratio},
	{ID: "start networked", What: "the same in ecr, gcr, acr, to an empty Go program that links net/http", Limit: 1.4, Unit: Ratio},
	{ID: "start beyond", What: "the same in ecr, gcr, acr, to an empty Go program that does not", Limit: 1.4, Unit: Ratio, Beyond: true},
	{ID: "static", What: "`get` of a helper without network code, to an empty Go program", Limit: 1.6, Unit: Ratio},
	{ID: "cached", What: "`get` from the cache in ecr, gcr, acr, to an empty Go program", Limit: 2.2, Unit: Ratio},
	{ID: "vendor", What: "`get` from the cache in ecr, gcr, acr, to the vendor's ECR helper", Limit: 0.65, Unit: Ratio},
	{ID: "miss", What: "`get` from upstream over TLS, processor time, to that of an empty Go program", Limit: 7, Unit: Ratio},
	{ID: "static peak", What: "peak memory of a hit, static types", Limit: 4 << 20, Unit: Memory},
	{ID: "cloud peak", What: "peak memory of a hit, cloud types", Limit: 6 << 20, Unit: Memory},
	{ID: "static size", What: "size of a static type's helper", Limit: 3e6, Unit: Bytes},
	{ID: "cloud size", What: "size of a cloud type's helper", Limit: 8e6, Unit: Bytes},
	{ID: "memory", What: "provider, from memory, to a look at the clock", Limit: 3.3, Unit: Ratio},
	{ID: "memory beyond", What: "the same, in nanoseconds", Limit: 150e-9, Unit: Seconds, Beyond: true},
	{ID: "allocations", What: "provider, from memory, allocations", Limit: 1, Unit: Count},
	{ID: "two cores", What: "provider, from memory, on two cores to one", Limit: 1, Unit: Ratio},
	{ID: "exec", What: "provider, exec'd trivial helper, to os/exec of it", Limit: 1.15, Unit: Ratio},
	{ID: "stampede", What: "calls upstream for 64 processes or goroutines", Limit: 1, Unit: Count},
	{ID: "silence", What: "no identity, silent network", Limit: 1.5, Unit: Seconds},
	{ID: "silence again", What: "the same, asked again within a minute", Limit: 0.010, Unit: Seconds},
	{ID: "deadline", What: "an endpoint that hangs, past the deadline", Limit: 0.250, Unit: Seconds},
	{ID: "sqlite", What: "one secret from SQLite, to the driver's own point read", Limit: 1.5, Unit: Ratio},
	{ID: "join", What: "Beta9's join, how much faster than its three queries", Limit: 1.4, Unit: Ratio, Least: true, Optional: true},
}

// A Verdict is how a result stands to its budget.
type Verdict string

// The verdicts. What cannot be told is no result, and neither is what was not measured.
const (
	Kept      Verdict = "kept"
	AtLimit   Verdict = "at the limit"
	Broken    Verdict = "over"
	Undecided Verdict = "undecided"
	Unknown   Verdict = "not measured"
)

// A Finding is a result under a budget.
type Finding struct {
	Budget  Budget
	Section string // its ID
	Row     string
	Cell    Cell
	Verdict Verdict
}

// calmDoubt is how far a result that was measured apart from its section may be off, in parts of it, for its value to
// decide. Budgets are given in steps of a twentieth.
const calmDoubt = 0.05

// sure returns the bounds of a result with what the noise of its section adds to them, and whether the value itself may
// decide on which side of a limit it is when the bounds are on both. What was not timed knows no noise, and what was
// measured apart has shown it in its bounds.
func (c Cell) sure(noise *measure.Noise) (e measure.Estimate, decides bool) {
	switch {
	case c.IsApart:
		return c.Estimate, c.Doubt() <= calmDoubt
	case noise == nil || !c.timed():
		return c.Estimate, true
	}
	return c.Widened(noise.Margin()), noise.Calm()
}

// judge compares a result with a budget. When its bounds are on both sides, its value tells whether it keeps the budget or is
// at the limit, which another run may take to the other side, if the machine was quiet; and nothing tells if it was not.
func (b Budget) judge(c Cell, noise *measure.Noise) Verdict {
	e, decides := c.sure(noise)
	limit := b.Limit
	if b.Least {
		limit, e = -limit, measure.Estimate{Value: -e.Value, Low: -e.High, High: -e.Low}
	}
	switch {
	case e.High <= limit:
		return Kept
	case e.Low > limit:
		return Broken
	case !decides:
		return Undecided
	case e.Value <= limit:
		return Kept
	}
	return AtLimit
}

// Findings returns the results under a budget, and for each budget without one that there is none, in the order of the
// budgets.
func (r *Results) Findings() []Finding {
	var all []Finding
	for _, b := range Budgets {
		n := len(all)
		for _, s := range r.Sections {
			for _, row := range s.Rows {
				for _, c := range row.Cells {
					if c.Budget == b.ID {
						all = append(all, Finding{b, s.ID, row.Name, c, b.judge(c, s.Noise)})
					}
				}
			}
		}
		if len(all) == n && !b.Optional && !b.Beyond {
			all = append(all, Finding{Budget: b, Verdict: Unknown})
		}
	}
	return all
}

// worst returns the finding that is furthest on the wrong side of its budget.
func worst(of []Finding) Finding {
	rank := []Verdict{Kept, AtLimit, Undecided, Unknown, Broken}
	return slices.MaxFunc(of, func(a, b Finding) int {
		if d := slices.Index(rank, a.Verdict) - slices.Index(rank, b.Verdict); d != 0 {
			return d
		}
		less := a.Cell.Value < b.Cell.Value
		switch {
		case a.Cell.Value == b.Cell.Value:
			return 0
		case less != a.Budget.Least:
			return -1
		}
		return 1
	})
}

// Counts is how many results there are of each kind, those apart that are over a limit beyond reach.
type Counts struct{ All, AtLimit, Over, Undecided, Unknown, Beyond int }

// Kept is how many keep their budgets.
func (c Counts) Kept() int { return c.All - c.AtLimit - c.Over - c.Undecided - c.Unknown }

// Pass tells whether nothing is over its budget, and that of everything.
func (c Counts) Pass() bool { return c.Over+c.Undecided+c.Unknown == 0 }

// Check returns a table of what does not keep its budget, and how many results there are.
func (r *Results) Check() (table string, counts Counts) {
	rows := [][]string{}
	for _, f := range r.Findings() {
		if f.Budget.Beyond {
			if f.Verdict != Kept {
				counts.Beyond++
			}
			continue
		}
		counts.All++
		switch f.Verdict {
		case Kept:
			continue
		case AtLimit:
			counts.AtLimit++
		case Broken:
			counts.Over++
		case Undecided:
			counts.Undecided++
		default:
			counts.Unknown++
		}
		value := "–"
		if f.Verdict != Unknown {
			value = f.Cell.bounds()
		}
		rows = append(rows, []string{string(f.Verdict), f.Budget.What, f.Row, value, f.Budget.limit()})
	}
	if len(rows) == 0 {
		return "", counts
	}
	return plainTable([]string{"", "what", "who", "measured", "budget"}, rows), counts
}

// limit prints the limit.
func (b Budget) limit() string {
	sign := "≤"
	if b.Least {
		sign = "≥"
	}
	return fmt.Sprintf("%s %s", sign, Cell{Estimate: measure.Exactly(b.Limit), Unit: b.Unit})
}
