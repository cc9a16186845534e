package report

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// String prints the value, or the text.
func (c Cell) String() string {
	if c.Text != "" {
		return c.Text
	}
	return c.Unit.print(c.Value)
}

// bounds prints the value with its bounds, where they differ from it.
func (c Cell) bounds() string {
	s := c.String()
	low, high := c.Unit.print(c.Low), c.Unit.print(c.High)
	if c.Text != "" || low == s && high == s {
		return s
	}
	return s + " (" + low + " to " + high + ")"
}

func (u Unit) print(v float64) string {
	switch u {
	case Seconds:
		for _, s := range []struct {
			size float64
			name string
		}{{1, "s"}, {1e-3, "ms"}, {1e-6, "µs"}} {
			if math.Abs(v) >= s.size {
				return digits(v/s.size) + " " + s.name
			}
		}
		return digits(v*1e9) + " ns"
	case Bytes:
		if v >= 1e6 {
			return fmt.Sprintf("%.2f MB", v/1e6)
		}
		return fmt.Sprintf("%.0f kB", v/1e3)
	case Memory:
		return fmt.Sprintf("%.2f MiB", v/(1<<20))
	case Ratio:
		return fmt.Sprintf("%.2f ×", v)
	case Count:
		if v == math.Trunc(v) {
			return fmt.Sprintf("%.0f", v)
		}
		return fmt.Sprintf("%.1f", v)
	}
	return digits(v)
}

// digits prints three that count.
func digits(v float64) string {
	switch a := math.Abs(v); {
	case a >= 100:
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// plainTable sets columns in line, for a terminal.
func plainTable(head []string, rows [][]string) string {
	widths := make([]int, len(head))
	all := append([][]string{head}, rows...)
	for _, row := range all {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, row := range all {
		line := ""
		for i, cell := range row {
			line += cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2)
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}

// markdownTable sets a table of Markdown. Columns but the first are set to the right.
func markdownTable(head []string, rows [][]string) string {
	var b strings.Builder
	line := func(cells []string) {
		for i, cell := range cells {
			cells[i] = strings.ReplaceAll(cell, "|", `\|`)
		}
		b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
	}
	line(append([]string{}, head...))
	b.WriteString("|---|" + strings.Repeat("---:|", len(head)-1) + "\n")
	for _, row := range rows {
		line(append([]string{}, row...))
	}
	return b.String()
}
