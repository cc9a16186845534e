package report

import (
	"slices"
)

// A Chart is what is to be drawn, apart from how.
type Chart struct {
	// File is the name of the picture, in the folder of the report.
	File string `json:"file"`
	// Section is where it is shown; empty for the head of the report.
	Section string `json:"section"`
	Title   string `json:"title"`
	// Axis says what the values are.
	Axis string `json:"axis"`
	// Bars lie below one another, the first on top, in groups that stand apart.
	Bars []Bar `json:"bars,omitempty"`
	// Lines run over Across.
	Lines  []Line `json:"lines,omitempty"`
	Across string `json:"across,omitempty"`
	// Limits are lines to be kept.
	Limits []Limit `json:"limits,omitempty"`
	// Logarithmic is how the values are set out, and bars begin at 1 then; what lines run over always is.
	Logarithmic bool `json:"logarithmic,omitempty"`
}

// A Bar is one value.
type Bar struct {
	Name  string  `json:"name"`
	Who   Who     `json:"who"`
	Value float64 `json:"value"`
	// Label is the value in words.
	Label string `json:"label"`
}

// A Line is a value that grows with something.
type Line struct {
	Name   string       `json:"name"`
	Who    Who          `json:"who"`
	Points [][2]float64 `json:"points"`
}

// A Limit is a value with a name.
type Limit struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
}

// Draw makes the charts that the sections are good for.
func (r *Results) Draw() {
	r.Charts = nil
	r.peers()
	r.bars("start", "start.svg", "version: times an empty Go program", "version, × empty", false, "start")
	r.bars("get", "get.svg", "get: times an empty Go program", "× empty", true, "static", "cached")
	r.stampede()
	r.growth()
}

// peers is one bar for each comparison.
func (r *Results) peers() {
	c := Chart{File: "peers.svg", Title: "Ours to the peer's: left of the line we are ahead", Axis: "ours / the peer's", Logarithmic: true,
		Limits: []Limit{{"the peer", 1}}}
	for _, x := range r.comparisons() {
		who := Ours
		if x.standing() == behind {
			who = Behind
		}
		if x.cell.Value > 0 {
			c.Bars = append(c.Bars, Bar{x.row + " / " + x.cell.Peer, who, x.cell.Value, x.cell.String()})
		}
	}
	r.add(c)
}

// bars is one bar for each row, of the values in a column.
func (r *Results) bars(section, file, title, column string, logarithmic bool, budgets ...string) {
	s := r.Section(section)
	if s == nil {
		return
	}
	c := Chart{File: file, Section: section, Title: title, Axis: "× empty Go program", Logarithmic: logarithmic}
	at := slices.Index(s.Columns, column) - 1
	for _, row := range s.Rows {
		if at < 0 || at >= len(row.Cells) || row.Cells[at].Text != "" {
			continue
		}
		c.Bars = append(c.Bars, Bar{row.Name, row.Who, row.Cells[at].Value, row.Cells[at].String()})
	}
	for _, id := range budgets {
		if b, ok := budgetOf(id); ok {
			c.Limits = append(c.Limits, Limit{"budget " + b.limit(), b.Limit})
		}
	}
	r.add(c)
}

// stampede is one bar for each row: the calls upstream.
func (r *Results) stampede() {
	s := r.Section("stampede")
	if s == nil {
		return
	}
	c := Chart{File: "stampede.svg", Section: s.ID, Title: "Calls upstream of 64 at once, 100 ms away: 1 is enough", Axis: "calls",
		Limits: []Limit{{"budget", 1}}}
	at := slices.Index(s.Columns, "calls, 100 ms") - 1
	for _, row := range s.Rows {
		if at >= 0 && at < len(row.Cells) && row.Cells[at].Text == "" {
			c.Bars = append(c.Bars, Bar{row.Name, row.Who, row.Cells[at].Value, row.Cells[at].String()})
		}
	}
	r.add(c)
}

// growth is one line for each row, over the numbers that head the columns.
func (r *Results) growth() {
	s := r.Section("entries")
	if s == nil {
		return
	}
	c := Chart{File: "entries.svg", Section: s.ID, Title: "Cost against stored entries", Axis: "milliseconds", Across: "entries", Logarithmic: true}
	for _, row := range s.Rows {
		line := Line{Name: row.Name, Who: row.Who}
		for i, cell := range row.Cells {
			if n, ok := entries[s.Columns[i+1]]; ok && cell.Text == "" && cell.Unit == Seconds {
				line.Points = append(line.Points, [2]float64{n, cell.Value * 1e3})
			}
		}
		if len(line.Points) > 1 {
			c.Lines = append(c.Lines, line)
		}
	}
	r.add(c)
}

// entries are the columns that stand for a number of entries.
var entries = map[string]float64{"1": 1, "100": 100, "10 000": 10000}

// add keeps a chart that shows something.
func (r *Results) add(c Chart) {
	if len(c.Bars)+len(c.Lines) > 0 {
		r.Charts = append(r.Charts, c)
	}
}
