package report

import (
	"fmt"
	"slices"
)

// notable is how much of a ratio, a size or a number of calls is worth a word.
const notable = 0.03

// Changes says what is better or worse in a section than in the one that was recorded before, by more than the noise of
// both: of ours alone, and of what carries over from one run to the next, which times do not.
func Changes(before, now Section) []string {
	old := map[string]Cell{}
	for _, row := range before.Rows {
		for i, c := range row.Cells {
			old[row.Name+"\x00"+before.column(i)] = c
		}
	}
	var lines []string
	for _, row := range now.Rows {
		for i, c := range row.Cells {
			was, ok := old[row.Name+"\x00"+now.column(i)]
			if row.Who != Ours || !ok || was.Unit != c.Unit || c.Text != "" || was.Text != "" || c.Unit == Seconds {
				continue
			}
			if word := c.change(now, was, before); word != "" {
				lines = append(lines, fmt.Sprintf("%s than recorded: %s, %s, %s: %s before, %s now",
					word, now.ID, row.Name, now.column(i), was.bounds(), c.bounds()))
			}
		}
	}
	return lines
}

// change says how a result of a section stands to an earlier one, or nothing.
func (c Cell) change(of Section, was Cell, before Section) string {
	e, _ := c.sure(of.Noise)
	then, _ := was.sure(before.Noise)
	budget, _ := budgetOf(c.Budget)
	switch {
	case e.Low > then.High && c.Value > was.Value*(1+notable):
		if budget.Least {
			return "better"
		}
		return "worse"
	case e.High < then.Low && c.Value < was.Value*(1-notable):
		if budget.Least {
			return "worse"
		}
		return "better"
	}
	return ""
}

// column is the heading of a cell, behind the one before it where several columns have the same.
func (s Section) column(i int) string {
	if i+1 >= len(s.Columns) {
		return ""
	}
	name := s.Columns[i+1]
	if slices.Index(s.Columns, name) != i+1 || slices.Contains(s.Columns[i+2:], name) {
		name = s.Columns[i] + ", " + name
	}
	return name
}

// Quiet tells whether the machine was quiet enough to conclude from the section, or its results were counted.
func (s Section) Quiet() bool { return s.Noise == nil || s.Noise.Calm() }
