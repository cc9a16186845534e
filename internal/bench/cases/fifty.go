package cases

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/beam-cloud/docker-credential-beta9/internal/bench/measure"
	"github.com/beam-cloud/docker-credential-beta9/internal/bench/report"
)

// registries is how many are asked for at once: what an organisation with an account for each team has.
const registries = 50

// fifty is whether a cache survives being filled by many at once.
func fifty(s *scene) report.Section {
	section := report.Section{
		Title: "Fifty registries at once",
		About: "One process for each of 50 registries, all at once, with nothing cached; then the same once more, one after the other. Kept is\n" +
			"how many of the second round were answered without asking upstream; the worst of three times counts. The registries of ECR are of 50 accounts in one region,\n" +
			"for which one token of Amazon's is good; those of Azure have a token each.",
		Columns: []string{"", "calls, at once", "kept of 50", "wall, at once"},
	}
	accounts, azured := make([]string, registries), make([]string, registries)
	for i := range registries {
		accounts[i] = fmt.Sprintf("1234567890%02d.dkr.ecr.us-east-1.amazonaws.com", i)
		azured[i] = fmt.Sprintf("registry%02d.azurecr.io", i)
	}
	type filler struct {
		name, program string
		who           report.Who
		cloud         *cloud
		hosts         []string
		cache         string // in the home
	}
	amazon, azure := amazon(s.stage), azures(s.stage, azured...)
	fillers := []filler{
		{"ours, ecr", helper("ecr"), report.Ours, amazon, accounts, ".cache"},
		{"ours, acr", helper("acr"), report.Ours, azure, azured, ".cache"},
		{"vendor's ECR helper", vendorECR, report.Peer, amazon, accounts, ".ecr"},
	}
	for _, f := range fillers {
		if !s.programs.Has(f.program) {
			continue
		}
		dir, home := s.home()
		commands := make([]*measure.Command, len(f.hosts))
		for i, host := range f.hosts {
			commands[i] = s.get(f.program, host, environ(home, f.cloud.all()))
		}
		var calls, kept, walls []float64
		for range repeats {
			s.do(os.RemoveAll(filepath.Join(dir, f.cache)))
			before := f.cloud.asked()
			took := must(together(commands))(s.stage)
			asked := f.cloud.asked() - before
			still := 0
			for _, c := range commands {
				before := f.cloud.asked()
				s.once(c)
				if f.cloud.asked() == before {
					still++
				}
			}
			calls, kept, walls = append(calls, float64(asked)), append(kept, float64(still)), append(walls, took.Seconds())
		}
		section.Rows = append(section.Rows, report.Row{Name: f.name, Who: f.who, Cells: []report.Cell{
			report.Of(measure.Exactly(slices.Max(calls)), report.Count), report.Of(measure.Exactly(slices.Min(kept)), report.Count),
			report.Of(measure.Summarize(walls).Estimate(), report.Seconds),
		}})
	}
	return section
}
