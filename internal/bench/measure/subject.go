// Package measure runs things that are to be compared in turns, round by round, so that what disturbs the machine disturbs
// all of them, and says how much of the outcome is noise.
//
//	outcome, err := measure.Plan{Rounds: 50, Least: 2, Most: 8}.Run(ctx, floor, twin, subjects)
//	ratio := outcome.Of("ghcr get").Wall().Over(outcome.Floor().Wall())
//	if !outcome.Noise.Calm() { ... }
package measure

import (
	"errors"
	"time"
)

// A Subject is one of the things that are compared.
type Subject struct {
	Name string
	// Before makes ready for one run, and is not measured. It may be nil.
	Before func() error
	// Run runs it once and measures it.
	Run func() (Sample, error)
	// Every lets it run in every n-th round only, for what takes long; 0 is every round.
	Every int
}

// A Sample is what one run cost. What was not measured is zero.
type Sample struct {
	Wall time.Duration
	CPU  time.Duration // of all processors, in the program and in the kernel on its behalf
}

// Timed measures the wall time of f, for what runs in this process.
func Timed(f func() error) func() (Sample, error) {
	return func() (Sample, error) {
		began := time.Now()
		err := f()
		return Sample{Wall: time.Since(began)}, err
	}
}

// Series are the samples of one subject.
type Series struct {
	Name    string
	Samples []Sample
}

// Wall describes the wall times, in seconds.
func (s Series) Wall() Estimate { return s.WallSummary().Estimate() }

// WallSummary describes the wall times, in seconds.
func (s Series) WallSummary() Summary {
	return s.summary(func(x Sample) float64 { return x.Wall.Seconds() })
}

// CPU describes the processor times, in seconds.
func (s Series) CPU() Estimate {
	return s.summary(func(x Sample) float64 { return x.CPU.Seconds() }).Estimate()
}

func (s Series) summary(of func(Sample) float64) Summary {
	values := make([]float64, len(s.Samples))
	for i, sample := range s.Samples {
		values[i] = of(sample)
	}
	return Summarize(values)
}

// errNoName is for a subject that could not be found again.
var errNoName = errors.New("a subject has no name of its own")
