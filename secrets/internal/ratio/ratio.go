// Package ratio compares the time that two ways to do a thing take in benchmarks.
package ratio

import (
	"slices"
	"testing"
	"time"
)

// round is how often one way is run before the other one is: long enough for the clock not to count, and short enough
// for both to meet the same machine.
const round = 10

// Compare runs two calls by turns and reports the time of each, and how many times the first one's the second one takes.
// Times are lower quartiles: what else runs on a machine makes calls longer, and never shorter. Nothing fails when it is
// more than it should be: a machine under load would be to blame as often as the code.
func Compare(b *testing.B, base string, baseCall func() error, other string, otherCall func() error) {
	b.Helper()
	b.Run(other, func(b *testing.B) {
		var bases, others []time.Duration
		for b.Loop() {
			bases = append(bases, times(b, baseCall))
			others = append(others, times(b, otherCall))
		}
		first, second := quartile(bases), quartile(others)
		b.ReportMetric(0, "ns/op") // of both together, which means nothing
		b.ReportMetric(float64(first.Nanoseconds())/round, base+"-ns")
		b.ReportMetric(float64(second.Nanoseconds())/round, other+"-ns")
		b.ReportMetric(float64(second)/float64(first), "ratio")
	})
}

func times(b *testing.B, call func() error) time.Duration {
	begin := time.Now()
	for range round {
		if err := call(); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(begin)
}

func quartile(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/4]
}
