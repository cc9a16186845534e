package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/internal/bench/measure"
)

// byHand is the heading from which on the page is written by hand and kept as it is.
const byHand = "## What was tried"

// Markdown returns the page. Of the old one it keeps what was written by hand.
func (r *Results) Markdown(old []byte) []byte {
	var b strings.Builder
	b.WriteString("# How fast it is\n\n")
	r.head(&b)
	r.standing(&b)
	r.comparison(&b)
	for _, s := range r.Sections {
		r.section(&b, s)
	}
	if _, kept, ok := strings.Cut("\n"+string(old), "\n"+byHand); ok {
		b.WriteString(byHand + kept)
	} else {
		b.WriteString(byHand + "\n")
	}
	return []byte(b.String())
}

// String tells about the machine.
func (m Machine) String() string {
	parts := []string{fmt.Sprintf("%d processors", m.Processors)}
	for _, part := range []string{m.Processor, m.System, m.Kernel, m.Go} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ", ")
}

// head says in a few lines where this stands, and how it was found out.
func (r *Results) head(b *strings.Builder) {
	_, n := r.Check()
	fmt.Fprintf(b, "**%d of %d results keep their budgets**", n.Kept(), n.All)
	for _, kind := range []struct {
		n    int
		what string
	}{{n.AtLimit, "at the limit"}, {n.Over, "over"}, {n.Undecided, "undecided"}, {n.Unknown, "not measured"}} {
		if kind.n > 0 {
			fmt.Fprintf(b, ", %d %s", kind.n, kind.what)
		}
	}
	if n.Beyond > 0 {
		fmt.Fprintf(b, ". %d more are over a limit that is told and not counted: the last section says why", n.Beyond)
	}
	sides := map[string]int{}
	for _, c := range r.comparisons() {
		sides[c.standing()]++
	}
	fmt.Fprintf(b, ".\n**Against the peers** we are ahead in %d comparisons, behind in %d, and even in %d", sides[ahead], sides[behind], sides[even])
	if n := sides[unclear]; n > 0 {
		fmt.Fprintf(b, "; in %d it was too noisy to tell", n)
	}
	b.WriteString(".\n\n")
	if n := r.otherBuilds(); n > 0 {
		fmt.Fprintf(b, "**%d of %d sections are of another build than the last one**, and say so.\n\n", n, len(r.Sections))
	}
	r.charts(b, "")
	if missing := r.missing(); len(missing) > 0 {
		fmt.Fprintf(b, "Not here, and so not compared with: %s.\n\n", strings.Join(missing, "; "))
	}
	b.WriteString("Made by `make bench`, all but the last section. `make bench ONLY=get` measures one section anew, `make bench-check` compares\n" +
		"with the budgets. The same numbers for programs: [results.json](results.json).\n\n" +
		"After a change, `make bench` says what is better or worse than recorded by more than the noise of both, and writes the\n" +
		"report anew; `make bench-check` says the same of the sections that have budgets and changes nothing. On another machine,\n" +
		"run `make bench` before the change as well.\n\n")
	fmt.Fprintf(b, "Measured on %s.\n"+
		"Times of processes are medians of rounds in which everything was run in turns. Bounds in brackets hold the true median with\n"+
		"95 %% confidence where there were six rounds or more; of fewer they are the least and the most. What is over a limit with its\n"+
		"value, and not with both bounds, is at the limit. Ratios carry over to other machines, times do not. Ours, the empty programs\n"+
		"and the trivial helper are built alike, with the collector of Go 1.25 (see the last section); the peers are built as Go builds\n"+
		"by default. What runs in the process of the benchmark has its memory collected between the rounds.\n\n", r.Machine)
}

// otherBuilds is how many sections are of another build than the last one.
func (r *Results) otherBuilds() int {
	n := 0
	for _, s := range r.Sections {
		if s.Build != r.Build {
			n++
		}
	}
	return n
}

// missing says once what any section lacks.
func (r *Results) missing() []string {
	var all []string
	for _, s := range r.Sections {
		for _, m := range s.Missing {
			if !slices.Contains(all, m) {
				all = append(all, m)
			}
		}
	}
	return all
}

// standing is the table of the budgets, each with the worst result of ours.
func (r *Results) standing(b *strings.Builder) {
	b.WriteString("## Where this stands\n\n")
	found := map[string][]Finding{}
	for _, f := range r.Findings() {
		found[f.Budget.ID] = append(found[f.Budget.ID], f)
	}
	rows := [][]string{}
	for _, budget := range Budgets {
		if len(found[budget.ID]) == 0 {
			continue
		}
		f := worst(found[budget.ID])
		measured, verdict := f.Cell.bounds(), string(f.Verdict)
		switch f.Verdict {
		case Unknown:
			measured = "–"
		case Broken:
			verdict = "**over**"
			if budget.Beyond {
				verdict = "**over**, not counted"
			}
		}
		name := f.Row
		if n := len(found[budget.ID]); n > 1 {
			name += fmt.Sprintf(", the worst of %d", n)
		}
		rows = append(rows, []string{budget.What, budget.limit(), measured, verdict, name})
	}
	b.WriteString(markdownTable([]string{"budget", "limit", "measured", "", "who"}, rows))
	b.WriteString("\n")
	if noise, ok := r.noise(); ok {
		fmt.Fprintf(b, "The noisiest section of the run was %v.\n\n", noise)
	}
}

// noise returns the noise of the noisiest section.
func (r *Results) noise() (measure.Noise, bool) {
	all := []measure.Noise{}
	for _, s := range r.Sections {
		if s.Noise != nil {
			all = append(all, *s.Noise)
		}
	}
	if len(all) == 0 {
		return measure.Noise{}, false
	}
	return slices.MaxFunc(all, func(a, b measure.Noise) int {
		if a.Calm() != b.Calm() {
			if a.Calm() {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.Margin(), b.Margin())
	}), true
}

// A comparison is a result of ours against a peer.
type comparison struct {
	section, row string
	cell         Cell
	noise        *measure.Noise // of the section
}

// comparisons returns all there are, the best for us first.
func (r *Results) comparisons() []comparison {
	var all []comparison
	for _, s := range r.Sections {
		for _, row := range s.Rows {
			for _, c := range row.Cells {
				if c.Peer != "" && c.Text == "" {
					all = append(all, comparison{s.ID, row.Name, c, s.Noise})
				}
			}
		}
	}
	slices.SortStableFunc(all, func(a, b comparison) int { return cmp.Compare(a.cell.Value, b.cell.Value) })
	return all
}

// How a comparison can stand.
const (
	ahead   = "ahead"
	even    = "even"
	behind  = "behind"
	unclear = "undecided"
)

// standing says who is better. When the bounds are on both sides it is neither, or cannot be told for noise.
func (c comparison) standing() string {
	e, decides := c.cell.sure(c.noise)
	switch {
	case e.High < 1:
		return ahead
	case e.Low > 1:
		return behind
	case decides:
		return even
	}
	return unclear
}

// comparison is the table of everything that was compared with a peer.
func (r *Results) comparison(b *strings.Builder) {
	all := r.comparisons()
	if len(all) == 0 {
		return
	}
	b.WriteString("### Against the peers\n\nOurs as a multiple of the peer's: below 1 is less time, memory, size or calls.\n\n")
	rows := [][]string{}
	for _, c := range all {
		word := c.standing()
		if word == behind {
			word = "**behind**"
		}
		rows = append(rows, []string{c.row, c.cell.Peer, c.cell.bounds(), word})
	}
	b.WriteString(markdownTable([]string{"ours", "peer", "ours to the peer's", ""}, rows))
	b.WriteString("\n")
}

// section writes one section.
func (r *Results) section(b *strings.Builder, s Section) {
	fmt.Fprintf(b, "## %s\n\n%s\n\n", s.Title, strings.TrimSpace(s.About))
	if len(s.Rows) > 0 {
		rows := [][]string{}
		for _, row := range s.Rows {
			line := []string{row.Name}
			if row.Who == Ours {
				line[0] = "**" + row.Name + "**"
			}
			for _, c := range row.Cells {
				text := c.String()
				if budget, ok := budgetOf(c.Budget); ok {
					switch budget.judge(c, s.Noise) {
					case Broken:
						text = "**" + text + ", over**"
					case AtLimit, Undecided:
						text += ", " + string(budget.judge(c, s.Noise))
					}
				}
				line = append(line, text)
			}
			for len(line) < len(s.Columns) {
				line = append(line, "")
			}
			rows = append(rows, line)
		}
		b.WriteString(markdownTable(s.Columns, rows))
		b.WriteString("\n")
	}
	r.charts(b, s.ID)
	for _, m := range s.Missing {
		fmt.Fprintf(b, "Not measured: %s.\n\n", m)
	}
	fmt.Fprintf(b, "`make bench ONLY=%s`, %s, %s", s.ID, s.When.UTC().Format(time.DateOnly), Seconds.print(s.Took))
	if s.Build != r.Build {
		b.WriteString(", **of another build than the last one**")
	}
	if s.Noise != nil {
		fmt.Fprintf(b, "; %d rounds", s.Noise.Rounds)
		if s.Noise.Thrown > 0 {
			fmt.Fprintf(b, " and %d that were thrown away for noise", s.Noise.Thrown)
		}
		fmt.Fprintf(b, "; %v", *s.Noise)
	}
	b.WriteString(".\n\n")
}

// charts shows the charts of a section, or those of the head with an empty ID.
func (r *Results) charts(b *strings.Builder, section string) {
	for _, c := range r.Charts {
		if c.Section == section {
			fmt.Fprintf(b, "![%s](%s)\n\n", c.Title, c.File)
		}
	}
}

func budgetOf(id string) (Budget, bool) {
	i := slices.IndexFunc(Budgets, func(b Budget) bool { return b.ID == id })
	if i < 0 {
		return Budget{}, false
	}
	return Budgets[i], true
}

// names returns the IDs of the budgets that the section's cells name, for the check that each is one.
func (s Section) budgets() []string {
	ids := map[string]bool{}
	for _, row := range s.Rows {
		for _, c := range row.Cells {
			if c.Budget != "" {
				ids[c.Budget] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(ids))
}
