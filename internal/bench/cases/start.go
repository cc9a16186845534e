package cases

import (
	"slices"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/bench/measure"
	"github.com/beam-cloud/docker-credential-beta9/internal/bench/report"
)

// start is what a program costs before it does anything.
func start(s *scene) report.Section {
	section := report.Section{
		Title: "To start and to do nothing",
		About: "`version`, and `list` of an empty store, which some clients run at every start of their own. Peak memory is what the kernel\n" +
			"counted as resident at the end of `list`. Sizes are of stripped binaries without cgo.",
		Columns: []string{"", "version", "version, × empty", "list", "list, × empty", "list, CPU", "list, peak", "size"},
		Missing: s.programs.Missing,
	}
	type row struct {
		program       string
		who           report.Who
		version, list *subject
	}
	_, home := s.home()
	var rows []row
	var subjects []subject
	add := func(program string, who report.Who, version, list string, accept func([]byte, int) error, env ...string) {
		if !s.programs.Has(program) {
			return
		}
		r := row{program: program, who: who}
		for verb, at := range map[string]**subject{version: &r.version, list: &r.list} {
			if verb == "" {
				continue
			}
			c := s.command(program, verb, "unused", environ(home, env))
			c.Accept = accept
			subjects = append(subjects, subject{name: program + " " + verb, who: who, program: program, command: c})
			*at = &subjects[len(subjects)-1]
		}
		rows = append(rows, r)
	}
	subjects = slices.Grow(subjects, 64) // rows point into it
	for _, typ := range slices.Concat(staticTypes, cloudTypes) {
		add(helper(typ), report.Ours, helpers.VerbVersion, helpers.VerbList, nil)
	}
	add(dispatcher, report.Ours, helpers.VerbVersion, helpers.VerbList, nil)
	add(reference, report.Peer, helpers.VerbVersion, helpers.VerbList, nil)
	// With keys, since without it would look for the machine's own for seconds.
	add(vendorECR, report.Peer, "version", "list", nil, "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY=not-a-secret", "AWS_REGION=us-east-1")
	add(vendorGCR, report.Peer, "version", "", nil) // its list says that there is none
	add(pass, report.Peer, helpers.VerbVersion, "", nil)

	o := s.run(subjects)
	section.Noise = &o.Noise
	floor := o.Floor()

	emptySize := must(s.programs.size(empty))(s.stage)
	section.Rows = []report.Row{{Name: "an empty Go program", Who: report.Floor, Cells: []report.Cell{
		report.Of(floor.Wall(), report.Seconds), report.Of(measure.Exactly(1), report.Ratio),
		report.Of(floor.Wall(), report.Seconds), report.Of(measure.Exactly(1), report.Ratio),
		report.Of(floor.CPU(), report.Seconds), report.Of(s.peak(subject{command: s.empty()}), report.Memory),
		report.Of(measure.Exactly(emptySize), report.Bytes),
	}}}
	for _, r := range rows {
		ours := r.who == report.Ours
		cells := []report.Cell{report.Empty, report.Empty, report.Empty, report.Empty, report.Empty, report.Empty, report.Empty}
		for i, x := range []*subject{r.version, r.list} {
			if x == nil {
				continue
			}
			wall := o.Of(x.name).Wall()
			cells[2*i] = report.Of(wall, report.Seconds)
			cells[2*i+1] = report.Of(wall.Over(floor.Wall()), report.Ratio)
			if ours {
				cells[2*i+1] = cells[2*i+1].Under("start")
			}
		}
		if r.list != nil {
			cells[4] = report.Of(o.Of(r.list.name).CPU(), report.Seconds)
			cells[5] = report.Of(s.peak(*r.list), report.Memory)
		}
		size := report.Of(measure.Exactly(must(s.programs.size(r.program))(s.stage)), report.Bytes)
		switch {
		case ours && slices.ContainsFunc(cloudTypes, func(typ string) bool { return helper(typ) == r.program }):
			size = size.Under("cloud size")
		case ours:
			size = size.Under("static size")
		}
		cells[6] = size
		section.Rows = append(section.Rows, report.Row{Name: r.program, Who: r.who, Cells: cells})
	}
	return section
}
