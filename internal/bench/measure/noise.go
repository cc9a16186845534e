package measure

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// What a batch of rounds may look like to count.
const (
	// calmTwin is how far the floor may differ from itself, in parts of it, beyond what chance explains. Budgets are given
	// in steps of a twentieth.
	calmTwin = 0.05
	// calmOthers is how much of the machine others may use, in parts of it: a fifth of one of two processors. The rest of a
	// quiet system, with what the kernel does for the harness, is below a twentieth.
	calmOthers = 0.10
	// calmSpread is how far apart the quartiles of the floor may lie, in parts of its median. On a quiet machine it is a
	// tenth to a fifth; with two busy processes on two processors it is one half and more.
	calmSpread = 0.35
)

// twinMark is added to the name of the floor's second run.
const twinMark = " (again)"

// Noise says how quiet the machine was.
type Noise struct {
	// Twin is how far the floor's two runs in each round differ, in parts of the floor: what a difference between two
	// subjects means that is none.
	Twin float64 `json:"twin"`
	// Chance tells that the difference is explained by the number of rounds: each lies in the bounds of the other.
	Chance bool `json:"chance"`
	// Spread is how far apart the quartiles of the floor lie, in parts of its median.
	Spread float64 `json:"spread"`
	// Others is how much of the machine was used by whoever else was on it, in parts of it. It is zero, and Counted is
	// false, where that cannot be told.
	Others  float64 `json:"others"`
	Counted bool    `json:"counted"`
	// Rounds is how many rounds the outcome is made of, and Thrown how many were thrown away for noise.
	Rounds int `json:"rounds"`
	Thrown int `json:"thrown"`
}

// Calm tells whether something can be concluded.
func (n Noise) Calm() bool {
	return (n.Twin <= calmTwin || n.Chance) && n.Others <= calmOthers && n.Spread <= calmSpread
}

// Margin is by how much, in parts of a ratio, it has to clear a limit for that to mean something: what the same thing
// differs from itself, and, when others were on the machine, half of what their presence made of the floor.
func (n Noise) Margin() float64 {
	if n.Calm() {
		return n.Twin
	}
	return n.Twin + n.Spread/2
}

// String tells it to a person.
func (n Noise) String() string {
	others := ""
	if n.Counted {
		others = fmt.Sprintf(", others used %.0f %% of the machine", n.Others*100)
	}
	verdict := "quiet"
	if !n.Calm() {
		verdict = "too noisy to conclude"
	}
	return fmt.Sprintf("%s: the same program against itself differs by %.1f %%, its quartiles are %.0f %% apart%s",
		verdict, n.Twin*100, n.Spread*100, others)
}

// Worst returns the noisier of two, for what is said of a whole run.
func Worst(a, b Noise) Noise {
	return Noise{
		Twin: max(a.Twin, b.Twin), Chance: a.Chance && b.Chance, Spread: max(a.Spread, b.Spread), Others: max(a.Others, b.Others), Counted: a.Counted || b.Counted,
		Rounds: a.Rounds + b.Rounds, Thrown: a.Thrown + b.Thrown,
	}
}

// judge looks at the two series of the floor.
func judge(one, two Series, others float64, counted bool) Noise {
	a, b := one.WallSummary(), two.WallSummary()
	n := Noise{Others: others, Counted: counted, Rounds: a.N}
	if a.Median > 0 {
		n.Twin = math.Abs(b.Median/a.Median - 1)
		n.Chance = a.Low <= b.High && b.Low <= a.High
		n.Spread = max(a.Spread(), b.Spread())
	}
	return n
}

// A batch is some rounds, and how quiet it was meanwhile.
type batch struct {
	series map[string]Series
	noise  Noise
}

// pooled puts batches together.
func pooled(batches []batch) map[string]Series {
	all := map[string]Series{}
	for _, b := range batches {
		for name, s := range b.series {
			have := all[name]
			have.Name = name
			have.Samples = append(have.Samples, s.Samples...)
			all[name] = have
		}
	}
	return all
}

// settled tells whether no median is in doubt any more.
func settled(batches []batch, doubt float64) bool {
	for _, s := range pooled(batches) {
		if s.Wall().Doubt() > doubt {
			return false
		}
	}
	return true
}

// calmest adds to what was calm the least noisy of the rest, so that there are enough batches, and returns what is left.
func calmest(kept, thrown []batch, least int) (used, left []batch) {
	slices.SortStableFunc(thrown, func(a, b batch) int {
		return cmp.Compare(a.noise.Twin+a.noise.Spread+a.noise.Others, b.noise.Twin+b.noise.Spread+b.noise.Others)
	})
	missing := min(max(0, least-len(kept)), len(thrown))
	return append(slices.Clone(kept), thrown[:missing]...), thrown[missing:]
}

// outcome makes one of the batches that count. The others are those that were thrown away.
func outcome(batches, thrown []batch, floor string) Outcome {
	all := pooled(batches)
	others, counted := 0.0, false
	for _, b := range batches {
		others, counted = max(others, b.noise.Others), counted || b.noise.Counted
	}
	o := Outcome{Noise: judge(all[floor], all[floor+twinMark], others, counted), series: all, floor: floor}
	for _, b := range thrown {
		o.Noise.Thrown += b.noise.Rounds
	}
	twins := all[floor]
	twins.Samples = append(slices.Clone(twins.Samples), all[floor+twinMark].Samples...)
	all[floor] = twins
	return o
}
