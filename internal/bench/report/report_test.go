package report

import (
	"strings"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/internal/bench/measure"
)

var (
	quiet = &measure.Noise{Twin: 0.01, Spread: 0.1}
	noisy = &measure.Noise{Twin: 0.10, Spread: 0.6}
)

// ratio is a cell with bounds.
func ratio(low, value, high float64) Cell {
	return Of(measure.Estimate{Value: value, Low: low, High: high}, Ratio)
}

func TestJudge(t *testing.T) {
	t.Parallel()
	most, least := Budget{Limit: 1.4, Unit: Ratio}, Budget{Limit: 1.4, Unit: Ratio, Least: true}
	for _, test := range []struct {
		name   string
		budget Budget
		cell   Cell
		noise  *measure.Noise
		want   Verdict
	}{
		{"clear", most, ratio(1.1, 1.2, 1.3), quiet, Kept},
		{"clearly over", most, ratio(1.5, 1.6, 1.7), quiet, Broken},
		{"on both sides, quiet", most, ratio(1.37, 1.39, 1.42), quiet, Kept},
		{"on both sides, quiet, over", most, ratio(1.37, 1.41, 1.42), quiet, AtLimit},
		{"clear of noise as well", most, ratio(0.8, 0.9, 1.0), noisy, Kept},
		{"within the noise", most, ratio(1.1, 1.2, 1.3), noisy, Undecided},
		{"counted, so that noise is no matter", most, Of(measure.Exactly(1.3), Count), noisy, Kept},
		{"at least, reached", least, ratio(1.5, 1.6, 1.7), quiet, Kept},
		{"at least, missed", least, ratio(1.1, 1.2, 1.3), quiet, Broken},
		{"apart, clear, whatever the section's noise", least, ratio(1.5, 1.6, 1.7).Apart(), noisy, Kept},
		{"apart, in doubt", least, ratio(1.15, 2.02, 4.34).Apart(), quiet, Undecided},
		{"apart, near", least, ratio(1.38, 1.41, 1.44).Apart(), noisy, Kept},
	} {
		if got := test.budget.judge(test.cell, test.noise); got != test.want {
			t.Errorf("%s: it is %q, want %q", test.name, got, test.want)
		}
	}
}

func TestStanding(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		cell  Cell
		noise *measure.Noise
		want  string
	}{
		{"better", ratio(0.6, 0.7, 0.8), quiet, ahead},
		{"worse", ratio(1.1, 1.2, 1.3), quiet, behind},
		{"the same", ratio(0.9, 0.98, 1.1), quiet, even},
		{"better by less than the noise", ratio(0.7, 0.8, 0.9), noisy, unclear},
		{"worse by less than the noise", ratio(1.1, 1.2, 1.3), noisy, unclear},
		{"better by more than the noise", ratio(0.2, 0.3, 0.4), noisy, ahead},
	} {
		if got := (comparison{cell: test.cell, noise: test.noise}).standing(); got != test.want {
			t.Errorf("%s: we are %q, want %q", test.name, got, test.want)
		}
	}
}

// full has a result for each budget that has to be measured, all of them good.
func full() *Results {
	s := Section{ID: "all", Title: "All", Columns: []string{""}, Noise: quiet, Build: "new"}
	for _, b := range Budgets {
		value := b.Limit / 2
		if b.Least {
			value = b.Limit * 2
		}
		s.Rows = append(s.Rows, Row{Name: b.ID, Who: Ours, Cells: []Cell{Of(measure.Exactly(value), b.Unit).Under(b.ID)}})
	}
	return &Results{Build: "new", Sections: []Section{s}}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	all := 0
	for _, b := range Budgets {
		if !b.Beyond {
			all++
		}
	}
	if table, n := full().Check(); table != "" || n != (Counts{All: all}) {
		t.Errorf("all is well: %+v\n%s", n, table)
	}
	// edit changes the result under a budget.
	edit := func(id string, change func(*Cell)) *Results {
		r := full()
		for _, row := range r.Sections[0].Rows {
			if row.Name == id {
				change(&row.Cells[0])
			}
		}
		return r
	}
	over := func(c *Cell) { c.Estimate = measure.Exactly(1e12) }
	table, n := edit("static", over).Check()
	if n != (Counts{All: all, Over: 1}) || n.Pass() || !strings.Contains(table, "over") || !strings.Contains(table, "static") {
		t.Errorf("one is over: %+v\n%s", n, table)
	}
	near := func(c *Cell) { c.Value, c.High, c.Low = 1.61, 1.7, 1.5 }
	if table, n := edit("static", near).Check(); n != (Counts{All: all, AtLimit: 1}) || !strings.Contains(table, "at the limit") || !n.Pass() {
		t.Errorf("one is at the limit: %+v\n%s", n, table)
	}
	if table, n := edit("start beyond", over).Check(); table != "" || n != (Counts{All: all, Beyond: 1}) {
		t.Errorf("one is over a limit that is not counted: %+v\n%s", n, table)
	}
	if _, n := edit("miss", func(c *Cell) { c.Budget = "" }).Check(); n != (Counts{All: all, Unknown: 1}) {
		t.Errorf("one was not measured: %+v", n)
	}
	if _, n := edit("join", func(c *Cell) { c.Budget = "" }).Check(); n != (Counts{All: all - 1}) {
		t.Errorf("one cannot be measured everywhere: %+v", n)
	}
}

// What a reader has to know is on the page, losses as well.
func TestMarkdown(t *testing.T) {
	t.Parallel()
	r := full()
	s := &r.Sections[0]
	s.Rows = append(s.Rows, Row{Name: "slow", Who: Ours, Cells: []Cell{ratio(2, 2, 2).To("somebody")}})
	r.Sections = append(r.Sections, Section{ID: "old", Title: "Old", Columns: []string{""}, Build: "old", Missing: []string{"a peer (install it)"}})
	page := string(r.Markdown([]byte("# Before\n\n" + byHand + "\n\nWritten by hand.\n")))
	for _, want := range []string{
		"results keep their budgets**", "behind in 1,", "| slow | somebody | 2.00 × | **behind** |",
		"Not here, and so not compared with: a peer (install it).", "**of another build than the last one**",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if !strings.HasSuffix(page, byHand+"\n\nWritten by hand.\n") {
		t.Error("what was written by hand is not kept")
	}
	if !strings.Contains(page, "**1 of 2 sections are of another build than the last one**") || strings.Count(page, "of another build") != 2 {
		t.Error("a section of this build is said to be of another one")
	}
}

func TestChanges(t *testing.T) {
	t.Parallel()
	section := func(noise *measure.Noise, cells ...Cell) Section {
		rows := []Row{{Name: "a peer", Who: Peer, Cells: cells}, {Name: "one", Who: Ours, Cells: cells}}
		return Section{ID: "get", Columns: []string{"", "to empty", "more"}, Rows: rows, Noise: noise}
	}
	twice := func(of, other Cell) Section {
		s := section(quiet, Empty, of, Empty, other)
		s.Columns = []string{"", "index", "to theirs", "mount", "to theirs"}
		return s
	}
	for _, test := range []struct {
		name        string
		before, now Section
		want        string
	}{
		{"slower", section(quiet, ratio(1.4, 1.5, 1.6)), section(quiet, ratio(1.9, 2.0, 2.1)),
			"worse than recorded: get, one, to empty: 1.50 × (1.40 × to 1.60 ×) before, 2.00 × (1.90 × to 2.10 ×) now"},
		{"faster", section(quiet, ratio(1.9, 2.0, 2.1)), section(quiet, ratio(1.4, 1.5, 1.6)), "better than recorded: get, one"},
		{"within the bounds", section(quiet, ratio(1.4, 1.5, 1.6)), section(quiet, ratio(1.5, 1.6, 1.7)), ""},
		{"within the noise", section(quiet, ratio(1.4, 1.5, 1.6)), section(noisy, ratio(1.7, 1.8, 1.9)), ""},
		{"hardly", section(quiet, ratio(1.5, 1.5, 1.5)), section(quiet, ratio(1.52, 1.52, 1.52)), ""},
		{"at least", section(quiet, ratio(1.5, 1.6, 1.7).Under("join")), section(quiet, ratio(1.1, 1.2, 1.3).Under("join")), "worse than recorded"},
		{"more calls", section(noisy, Of(measure.Exactly(1), Count)), section(noisy, Of(measure.Exactly(2), Count)), "worse than recorded"},
		{"columns of one name", twice(ratio(1.5, 1.5, 1.5), ratio(1.2, 1.2, 1.2)), twice(ratio(1.5, 1.5, 1.5), ratio(1.8, 1.8, 1.8)),
			"worse than recorded: get, one, mount, to theirs: 1.20 × before"},
		{"times do not carry over", section(quiet, Of(measure.Exactly(1), Seconds)), section(quiet, Of(measure.Exactly(2), Seconds)), ""},
		{"a new column", section(quiet, ratio(1, 1, 1)), section(quiet, ratio(1, 1, 1), ratio(9, 9, 9)), ""},
	} {
		got := strings.Join(Changes(test.before, test.now), "\n")
		if test.want == "" && got != "" || !strings.HasPrefix(got, test.want) || strings.Contains(got, "peer") {
			t.Errorf("%s: it says %q", test.name, got)
		}
	}
}
