package cases

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/bench/measure"
	"github.com/beam-cloud/docker-credential-beta9/internal/bench/report"
)

// heap is how much memory a worker may hold, in bytes.
const heap = 1 << 30

// execs is what a look-up costs for which a helper is run.
func execs(s *scene) report.Section {
	section := report.Section{
		Title: "The provider, with a helper",
		About: "One look-up for which the provider runs a helper: a trivial one, which prints a constant, and ours. Beside it, the same program run\n" +
			"by os/exec and nothing else. Then both once more while this process holds 1 GiB.",
		Columns: []string{"", "wall", "to os/exec", "wall, 1 GiB held", "to os/exec, 1 GiB held"},
	}
	kinds := []struct{ name, folder, path string }{
		{"a trivial helper", s.programs.trivialFolder(), s.programs.trivial()},
		{"ours, ghcr", s.programs.dir, s.programs.path(helper("ghcr"))},
	}
	// A round takes hundredths of a second, and what is compared differs by less than the usual doubt about a median.
	s.plan.Doubt, s.plan.Most = 0.01, 24
	var subjects []measure.Subject
	for _, k := range kinds {
		subjects = append(subjects,
			measure.Subject{Name: "provider, " + k.name, Run: s.lookup(k.folder)},
			measure.Subject{Name: "os/exec, " + k.name, Run: plainly(k.path)})
	}
	bare := s.against(subjects)
	held := make([]byte, heap)
	for i := 0; i < len(held); i += 4096 {
		held[i] = 1 // a page that was never written takes no memory
	}
	full := s.against(subjects)
	held[0]++ // so that it is held until here
	noise := measure.Worst(bare.Noise, full.Noise)
	section.Noise = &noise
	for i, k := range kinds {
		for _, way := range []string{"provider, ", "os/exec, "} {
			row := report.Row{Name: way + k.name, Who: report.Peer}
			for _, o := range []measure.Outcome{bare, full} {
				wall := o.Of(way + k.name).Wall()
				versus := report.Empty
				if way == "provider, " {
					row.Who = report.Ours
					versus = report.Of(wall.Over(o.Of("os/exec, "+k.name).Wall()), report.Ratio)
					if i == 0 {
						versus = versus.Under("exec").To("os/exec of it")
					}
				}
				row.Cells = append(row.Cells, report.Of(wall, report.Seconds), versus)
			}
			section.Rows = append(section.Rows, row)
		}
	}
	return section
}

// lookup makes a look-up that nothing is known about yet.
func (s *scene) lookup(folder string) func() (measure.Sample, error) {
	p := s.provider(folder)
	ask := func() error {
		c, err := p.GetCredentials(context.Background(), "ghcr.io", "")
		if err == nil && c.Password == "" {
			err = fmt.Errorf("no credential by a helper in %s", folder)
		}
		return err
	}
	return func() (measure.Sample, error) {
		p.Invalidate("ghcr.io")
		return measure.Timed(ask)()
	}
}

// plainly runs a helper by os/exec, with the material of its environment.
func plainly(path string) func() (measure.Sample, error) {
	return measure.Timed(func() error {
		cmd := exec.Command(path, helpers.VerbGet)
		cmd.Env = []string{"GOMAXPROCS=2", "BETA9_CREDENTIAL_AMBIENT=off", "GITHUB_TOKEN=not-a-secret"}
		cmd.Stdin = bytes.NewReader([]byte("ghcr.io"))
		out, err := cmd.Output()
		if err == nil {
			err = credentialOf("ghcr.io")(out, 0)
		}
		return err
	})
}
