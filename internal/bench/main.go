// Command bench measures the helpers, the provider and the stores against their peers and against an empty Go program, and
// writes a report. With -check it compares with the budgets instead.
//
//	go run -trimpath ./internal/bench [-only start,get] [-check] [-rounds 10]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"

	"github.com/beam-cloud/docker-credential-beta9/internal/bench/cases"
	"github.com/beam-cloud/docker-credential-beta9/internal/bench/measure"
	"github.com/beam-cloud/docker-credential-beta9/internal/bench/report"
)

func main() {
	only := flag.String("only", "", "measure these sections alone, with commas between them: "+sections())
	check := flag.Bool("check", false, "compare with the budgets, and measure only what the recorded results do not tell")
	rounds := flag.Int("rounds", 0, "how many rounds make a batch, from 1 on; for a look that is printed and not kept")
	flag.Parse()
	b := bench{folder: "bench", plan: measure.Plan{Rounds: *rounds}}
	if *only != "" {
		b.only = strings.Split(*only, ",")
	}
	if err := b.refuse(*check); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	code, err := b.run(ctx, *check)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		code = 1
	}
	os.Exit(code)
}

// sections names all there are.
func sections() string {
	var names []string
	for _, c := range cases.All() {
		names = append(names, c.ID)
	}
	return strings.Join(names, ",")
}

// refuse says what is wrong with what was asked for: everything would be measured in place of it.
func (b bench) refuse(check bool) error {
	rounds := false
	flag.Visit(func(f *flag.Flag) { rounds = rounds || f.Name == "rounds" })
	switch {
	case flag.NArg() > 0:
		return fmt.Errorf("%q belongs to no flag: name sections with -only, and with commas between them", flag.Arg(0))
	case rounds && b.plan.Rounds < 1:
		return errors.New("a batch has one round at least")
	case check && (b.only != nil || rounds):
		return errors.New("-check finds out by itself what is to be measured, and how often")
	}
	for _, id := range b.only {
		if !slices.Contains(strings.Split(sections(), ","), id) {
			return fmt.Errorf("there is no section %q, but %s", id, sections())
		}
	}
	return nil
}

// bench is one run of the command.
type bench struct {
	folder string // of the report
	only   []string
	plan   measure.Plan
}

func (b bench) run(ctx context.Context, check bool) (code int, err error) {
	known := cases.All()
	results, err := report.Read(b.folder)
	if err != nil {
		return 1, err
	}
	here := machine()
	if len(results.Sections) > 0 && results.Machine != here {
		if b.only != nil {
			return 1, errors.New("the results are of another machine or another Go: measure all of them anew with make bench")
		}
		results = &report.Results{}
	}
	results.Machine = here
	look := b.plan.Rounds > 0
	if look {
		results = &report.Results{Machine: here}
	}
	dir, err := os.MkdirTemp("", "bench-programs-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	tree, err := filepath.Abs(".")
	if err != nil {
		return 1, err
	}
	say("building what is measured")
	programs, err := cases.Build(ctx, tree, dir)
	if err != nil {
		return 1, err
	}
	build, err := programs.Fingerprint()
	if err != nil {
		return 1, err
	}
	results.Build = build
	var changes []string
	for _, c := range known {
		if b.only != nil && !slices.Contains(b.only, c.ID) {
			continue
		}
		if old := results.Section(c.ID); check && (!c.Budgeted || old != nil && old.Build == build) {
			continue
		}
		say("%s", c.ID)
		s, err := c.Run(ctx, programs, b.plan, say)
		if err != nil {
			return 1, err
		}
		if old := results.Section(c.ID); old != nil {
			if old.Build == build && old.Quiet() && !s.Quiet() {
				say("%s stays as it is recorded, which was measured on a quiet machine", c.ID)
				continue
			}
			changes = append(changes, report.Changes(*old, s)...)
		}
		results.Put(s)
	}
	for _, line := range changes {
		fmt.Println(line)
	}
	if check {
		return compare(results), nil
	}
	order := func(id string) int { return slices.IndexFunc(known, func(c cases.Case) bool { return c.ID == id }) }
	slices.SortStableFunc(results.Sections, func(a, b report.Section) int { return order(a.ID) - order(b.ID) })
	if look {
		fmt.Printf("%s", results.Markdown(nil))
		return 0, nil
	}
	results.Draw()
	return 0, results.Write(b.folder)
}

// compare prints what does not keep its budget, and returns the exit code.
func compare(r *report.Results) int {
	table, n := r.Check()
	if table != "" {
		fmt.Println(table)
	}
	if !n.Pass() {
		fmt.Printf("%d over budget, %d at the limit, %d undecided, %d not measured, of %d.\n", n.Over, n.AtLimit, n.Undecided, n.Unknown, n.All)
		return 1
	}
	fmt.Printf("%d results keep their budgets, and %d are at the limit.\n", n.Kept(), n.AtLimit)
	return 0
}

func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
