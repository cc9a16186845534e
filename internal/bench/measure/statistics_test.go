package measure

import (
	"math"
	"testing"
)

func TestSummarize(t *testing.T) {
	t.Parallel()
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[len(hundred)-1-i] = float64(i + 1)
	}
	for _, test := range []struct {
		name   string
		values []float64
		want   Summary
	}{
		{"nothing", nil, Summary{}},
		{"one", []float64{4}, Summary{N: 1, Median: 4, Low: 4, High: 4, Q1: 4, Q3: 4}},
		{"two", []float64{4, 2}, Summary{N: 2, Median: 3, Low: 2, High: 4, Q1: 2.5, Q3: 3.5}},
		{"few: the extremes", []float64{9, 1, 5, 3, 7}, Summary{N: 5, Median: 5, Low: 1, High: 9, Q1: 3, Q3: 7}},
		// The 39th and the 62nd of 100 are 1.96 × 5 from the middle, rounded outwards.
		{"a hundred", hundred, Summary{N: 100, Median: 50.5, Low: 40, High: 61, Q1: 25.75, Q3: 75.25}},
		{"one stray value", []float64{1, 1, 1, 1, 1, 1, 1, 1, 1, 1000}, Summary{N: 10, Median: 1, Low: 1, High: 1, Q1: 1, Q3: 1}},
	} {
		if got := Summarize(test.values); got != test.want {
			t.Errorf("%s: got %+v, want %+v", test.name, got, test.want)
		}
	}
	if hundred[0] != 100 {
		t.Error("the values were put in order for the caller, too")
	}
}

func TestEstimates(t *testing.T) {
	t.Parallel()
	ours, floor := Estimate{3, 2.7, 3.6}, Estimate{2, 1.8, 2.4}
	near := func(got, want Estimate) bool {
		return math.Abs(got.Value-want.Value)+math.Abs(got.Low-want.Low)+math.Abs(got.High-want.High) < 1e-9
	}
	if got, want := ours.Over(floor), (Estimate{1.5, 1.125, 2}); !near(got, want) {
		t.Errorf("the ratio is %v, want %v", got, want)
	}
	if got := ours.Over(Estimate{}); got != (Estimate{}) {
		t.Errorf("the ratio to nothing is %v", got)
	}
	if got, want := ours.Doubt(), 0.2; math.Abs(got-want) > 1e-9 {
		t.Errorf("the doubt is %v, want %v", got, want)
	}
	if got, want := ours.Widened(0.1), (Estimate{3, 2.4, 3.9}); !near(got, want) {
		t.Errorf("widened it is %v, want %v", got, want)
	}
	if got, want := ours.Scaled(10), (Estimate{30, 27, 36}); !near(got, want) {
		t.Errorf("scaled it is %v, want %v", got, want)
	}
	if Exactly(7).Doubt() != 0 || (Estimate{}).Doubt() != 0 {
		t.Error("there is doubt about what was counted, or about nothing")
	}
}
