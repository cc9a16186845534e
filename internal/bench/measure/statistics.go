package measure

import (
	"math"
	"slices"
)

// A Summary describes repeated measurements of one thing without assuming how they are distributed: times of processes have
// a long tail, which a mean would follow.
type Summary struct {
	N      int     `json:"n"`
	Median float64 `json:"median"`
	// Low and High bound the true median with 95 % confidence. With fewer than six values they are the extremes, which say
	// less.
	Low  float64 `json:"low"`
	High float64 `json:"high"`
	// Q1 and Q3 are the quartiles: half of the values lie between them.
	Q1 float64 `json:"q1"`
	Q3 float64 `json:"q3"`
}

// Summarize describes the values. It is the zero Summary when there are none.
func Summarize(values []float64) Summary {
	n := len(values)
	if n == 0 {
		return Summary{}
	}
	sorted := slices.Sorted(slices.Values(values))
	// The number of values below the median is binomial with p = 1/2, so the interval's ends are order statistics 1.96
	// standard deviations, half a root of n each, from the middle.
	reach := 1.96 * math.Sqrt(float64(n)) / 2
	low := max(0, int(math.Round(float64(n)/2-reach))-1)
	return Summary{
		N: n, Median: quantile(sorted, 0.5), Low: sorted[low], High: sorted[n-1-low],
		Q1: quantile(sorted, 0.25), Q3: quantile(sorted, 0.75),
	}
}

// Spread is the distance of the quartiles in parts of the median.
func (s Summary) Spread() float64 {
	if s.Median == 0 {
		return 0
	}
	return (s.Q3 - s.Q1) / s.Median
}

// An Estimate is a number that was derived from measurements, with the bounds in which it lies with 95 % confidence.
type Estimate struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// Exactly is the estimate of what was counted.
func Exactly(v float64) Estimate { return Estimate{v, v, v} }

// Estimate returns the median with its bounds.
func (s Summary) Estimate() Estimate { return Estimate{s.Median, s.Low, s.High} }

// Scaled returns the estimate in another unit.
func (e Estimate) Scaled(factor float64) Estimate {
	return Estimate{e.Value * factor, e.Low * factor, e.High * factor}
}

// Over returns the ratio of two estimates. Its bounds are those of the worst cases, since both were measured in the same
// rounds and a disturbance of one is seldom one of the other.
func (e Estimate) Over(f Estimate) Estimate {
	if f.Value == 0 || f.Low <= 0 {
		return Estimate{}
	}
	return Estimate{e.Value / f.Value, e.Low / f.High, e.High / f.Low}
}

// Doubt is how far the value may be off, in parts of it.
func (e Estimate) Doubt() float64 {
	if e.Value == 0 {
		return 0
	}
	return max(e.High-e.Value, e.Value-e.Low) / e.Value
}

// Widened returns the estimate with bounds that are wider by a part of the value.
func (e Estimate) Widened(by float64) Estimate {
	return Estimate{e.Value, e.Low - by*e.Value, e.High + by*e.Value}
}

// quantile interpolates between the neighbours.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 == len(sorted) {
		return sorted[i]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}
