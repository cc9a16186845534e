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
			"counted as resident at the end of `list`. Sizes are of stripped binaries without cgo. What calls its cloud links net/http, and\n" +
			"is compared with an empty program that does so too: the kernel maps its pages and Go fills its tables before anything runs.",
		Columns: []string{
			"", "version", "version, × empty", "version, × net/http", "list", "list, × empty", "list, × net/http", "list, CPU", "list, peak", "size",
		},
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

	subjects = append(subjects, subject{name: networked, who: report.Floor, program: networked, command: s.command(networked, "", "", nil)})

	o := s.run(subjects)
	section.Noise = &o.Noise
	floor := o.Floor()

	both := [2]measure.Estimate{floor.Wall(), o.Of(networked).Wall()}
	// ratios are those of a time to the two floors, of which a budget belongs to one.
	ratios := func(wall measure.Estimate, budget string) []report.Cell {
		cells := []report.Cell{report.Of(wall, report.Seconds), report.Of(wall.Over(both[0]), report.Ratio), report.Of(wall.Over(both[1]), report.Ratio)}
		switch budget {
		case "start":
			cells[1] = cells[1].Under(budget)
		case "start networked":
			cells[1], cells[2] = cells[1].Under("start beyond"), cells[2].Under(budget)
		}
		return cells
	}
	for i, c := range []*measure.Command{s.empty(), subjects[len(subjects)-1].command} {
		program, name, series := empty, "an empty Go program", floor
		if i == 1 {
			program, name, series = networked, "an empty Go program with net/http", o.Of(networked)
		}
		cells := slices.Concat(ratios(both[i], ""), ratios(both[i], ""), []report.Cell{
			report.Of(series.CPU(), report.Seconds), report.Of(s.peak(subject{command: c}), report.Memory),
			report.Of(measure.Exactly(must(s.programs.size(program))(s.stage)), report.Bytes),
		})
		section.Rows = append(section.Rows, report.Row{Name: name, Who: report.Floor, Cells: cells})
	}
	for _, r := range rows {
		ours := r.who == report.Ours
		isCloud := ours && slices.ContainsFunc(cloudTypes, func(typ string) bool { return helper(typ) == r.program })
		budget := ""
		switch {
		case isCloud:
			budget = "start networked"
		case ours:
			budget = "start"
		}
		cells := make([]report.Cell, 9)
		for i := range cells {
			cells[i] = report.Empty
		}
		for i, x := range []*subject{r.version, r.list} {
			if x != nil {
				copy(cells[3*i:], ratios(o.Of(x.name).Wall(), budget))
			}
		}
		if r.list != nil {
			cells[6] = report.Of(o.Of(r.list.name).CPU(), report.Seconds)
			cells[7] = report.Of(s.peak(*r.list), report.Memory)
		}
		size := report.Of(measure.Exactly(must(s.programs.size(r.program))(s.stage)), report.Bytes)
		switch {
		case isCloud:
			size = size.Under("cloud size")
		case ours:
			size = size.Under("static size")
		}
		cells[8] = size
		section.Rows = append(section.Rows, report.Row{Name: r.program, Who: r.who, Cells: cells})
	}
	return section
}
