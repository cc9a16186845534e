// Package report holds the results of the benchmark, compares them with the budgets and writes them down: as JSON for
// programs, as Markdown for people, and as lists of what is to be drawn for charts.
package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/internal/bench/measure"
)

// Results are what the benchmark has found.
type Results struct {
	Machine Machine `json:"machine"`
	// Build stands for the programs that were measured last, see [Section.Build].
	Build    string    `json:"build"`
	Sections []Section `json:"sections"`
	Charts   []Chart   `json:"charts"`
}

// Machine is where it was found.
type Machine struct {
	System     string `json:"system"`
	Kernel     string `json:"kernel,omitempty"`
	Processor  string `json:"processor,omitempty"`
	Processors int    `json:"processors"`
	Go         string `json:"go"`
}

// A Section is a table of results that were found together.
type Section struct {
	// ID names the section on the command line.
	ID    string `json:"id"`
	Title string `json:"title"`
	// About says what was done, in sentences.
	About string `json:"about"`
	// Columns are the headings, of the names first.
	Columns []string `json:"columns"`
	Rows    []Row    `json:"rows"`
	// Noise says how quiet the machine was; it is nil where nothing was timed.
	Noise *measure.Noise `json:"noise,omitempty"`
	// Missing says what was not measured here, and why.
	Missing []string `json:"missing,omitempty"`
	// Build stands for the programs that were measured: what was built differently has another one.
	Build string `json:"build"`
	// When it was measured, in UTC, and how long that took, in seconds.
	When time.Time `json:"when"`
	Took float64   `json:"took"`
}

// Who a row is about.
type Who string

// The kinds of rows, and of bars in charts: ours, ours where a peer is better, a peer's, and the floor that all of them are
// compared with.
const (
	Ours   Who = "ours"
	Behind Who = "behind"
	Peer   Who = "peer"
	Floor  Who = "floor"
)

// A Row is about one subject.
type Row struct {
	Name  string `json:"name"`
	Who   Who    `json:"who"`
	Cells []Cell `json:"cells"`
}

// A Cell is one result.
type Cell struct {
	measure.Estimate
	// Unit says how the value is printed, see [Unit].
	Unit Unit `json:"unit,omitempty"`
	// Budget names the budget that the value has to keep, if any.
	Budget string `json:"budget,omitempty"`
	// Peer names whose value this one is a ratio to, if any: below 1 is better.
	Peer string `json:"peer,omitempty"`
	// IsApart is for a value that was measured apart from the rest of its section, see [Cell.Apart].
	IsApart bool `json:"apart,omitempty"`
	// Text takes the place of a value.
	Text string `json:"text,omitempty"`
}

// A Unit is what a value is in. Values are stored in the unit that the name says.
type Unit string

// The units.
const (
	Seconds Unit = "s"
	Bytes   Unit = "bytes"  // of a file, in powers of ten
	Memory  Unit = "memory" // in bytes, in powers of two
	Ratio   Unit = "ratio"
	Count   Unit = "count"
)

// Empty is a cell without a result.
var Empty = Cell{Text: "–"}

// Of makes a cell.
func Of(e measure.Estimate, u Unit) Cell { return Cell{Estimate: e, Unit: u} }

// Under returns the cell with a budget to keep.
func (c Cell) Under(budget string) Cell {
	c.Budget = budget
	return c
}

// To returns the cell as a comparison with a peer.
func (c Cell) To(peer string) Cell {
	c.Peer = peer
	return c
}

// Apart returns the cell as one that was measured by turns and repeats of its own: its bounds hold its noise, and that of
// the section says nothing of it.
func (c Cell) Apart() Cell {
	c.IsApart = true
	return c
}

// timed tells whether the value was measured with a clock, and so is as noisy as the section.
func (c Cell) timed() bool {
	return (c.Unit == Seconds || c.Unit == Ratio) && c.Low != c.High
}

// Put adds a section, or puts it in the place of the one with the same ID.
func (r *Results) Put(s Section) {
	if i := slices.IndexFunc(r.Sections, func(old Section) bool { return old.ID == s.ID }); i >= 0 {
		r.Sections[i] = s
		return
	}
	r.Sections = append(r.Sections, s)
}

// Section returns the section with an ID, or nil.
func (r *Results) Section(id string) *Section {
	for i := range r.Sections {
		if r.Sections[i].ID == id {
			return &r.Sections[i]
		}
	}
	return nil
}

// file is the name of the results in the folder of the report.
const file = "results.json"

// Read reads the results in a folder. There are none, and no error, when nothing was measured yet.
func Read(folder string) (*Results, error) {
	data, err := os.ReadFile(filepath.Join(folder, file))
	if errors.Is(err, fs.ErrNotExist) {
		return &Results{}, nil
	}
	if err != nil {
		return nil, err
	}
	r := &Results{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(folder, file), err)
	}
	return r, nil
}

// Write writes the results and the report to a folder.
func (r *Results) Write(folder string) error {
	data, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, file), append(data, '\n'), 0o644); err != nil {
		return err
	}
	page := filepath.Join(folder, "README.md")
	old, err := os.ReadFile(page)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.WriteFile(page, r.Markdown(old), 0o644)
}
