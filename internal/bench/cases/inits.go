package cases

import (
	"bytes"
	"cmp"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/bench/measure"
	"github.com/beam-cloud/docker-credential-beta9/internal/bench/report"
)

// traces is how often a start is traced. The median of each package counts.
const traces = 21

// inits is what each package costs before main begins.
func inits(s *scene) report.Section {
	section := report.Section{
		Title: "What a start is made of",
		About: "The initialisation of packages, as `GODEBUG=inittrace=1` tells it, of `version`: all of them together, and the three that take\n" +
			"longest. It is paid by every call, a hit from the cache as well.",
		Columns: []string{"", "all packages", "packages", "allocated", "the longest"},
	}
	programs := []struct {
		name string
		who  report.Who
	}{{empty, report.Floor}}
	for _, typ := range slices.Concat(staticTypes, cloudTypes) {
		programs = append(programs, struct {
			name string
			who  report.Who
		}{helper(typ), report.Ours})
	}
	for _, peer := range []string{reference, vendorECR, vendorGCR} {
		programs = append(programs, struct {
			name string
			who  report.Who
		}{peer, report.Peer})
	}
	for _, p := range programs {
		if !s.programs.Has(p.name) {
			continue
		}
		all := map[string][]traced{}
		var sums []float64
		for range traces {
			cmd := exec.Command(s.programs.path(p.name), helpers.VerbVersion)
			cmd.Env = []string{"GODEBUG=inittrace=1", "HOME=" + s.dir}
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
				s.do(err)
			}
			sum := 0.0
			for _, t := range parseTrace(stderr.String()) {
				all[t.pkg] = append(all[t.pkg], t)
				sum += t.clock.Seconds()
			}
			sums = append(sums, sum)
		}
		section.Rows = append(section.Rows, report.Row{Name: p.name, Who: p.who, Cells: []report.Cell{
			report.Of(measure.Summarize(sums).Estimate(), report.Seconds), report.Of(measure.Exactly(float64(len(all))), report.Count),
			report.Of(measure.Exactly(allocated(all)), report.Bytes), {Text: longest(all)},
		}})
	}
	return section
}

// traced is what the runtime tells of the initialisation of one package.
type traced struct {
	pkg   string
	clock time.Duration
	bytes float64
}

// parseTrace reads lines such as
//
//	init internal/bytealg @0.008 ms, 0 ms clock, 0 bytes, 0 allocs
func parseTrace(text string) []traced {
	var all []traced
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) != 11 || f[0] != "init" || f[6] != "clock," {
			continue
		}
		ms, err := strconv.ParseFloat(f[4], 64)
		if err != nil {
			continue
		}
		size, err := strconv.ParseFloat(f[7], 64)
		if err != nil {
			continue
		}
		all = append(all, traced{f[1], time.Duration(ms * 1e6), size})
	}
	return all
}

// median of a package's initialisations.
func median(of []traced) float64 {
	values := []float64{}
	for _, t := range of {
		values = append(values, t.clock.Seconds())
	}
	return measure.Summarize(values).Median
}

func allocated(all map[string][]traced) (sum float64) {
	for _, of := range all {
		sum += of[0].bytes
	}
	return sum
}

// longest names the three packages that take longest.
func longest(all map[string][]traced) string {
	var packages []string
	for pkg, of := range all {
		if median(of) > 0 {
			packages = append(packages, pkg)
		}
	}
	slices.SortFunc(packages, func(a, b string) int {
		return cmp.Or(cmp.Compare(median(all[b]), median(all[a])), cmp.Compare(a, b))
	})
	var texts []string
	for _, pkg := range packages[:min(3, len(packages))] {
		texts = append(texts, fmt.Sprintf("%s %.0f µs", pkg, median(all[pkg])*1e6))
	}
	return strings.Join(texts, ", ")
}
