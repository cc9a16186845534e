package cases

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/bench/measure"
	"github.com/beam-cloud/docker-credential-beta9/internal/bench/report"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest"
)

const (
	// patience is how long anybody is waited for.
	patience = 30 * time.Second
	// deadline is the one that ours are given where a service hangs.
	deadline = time.Second
)

// silence is what a machine waits for that has no identity, and for a service that does not answer.
func silence(s *scene) report.Section {
	section := report.Section{
		Title: "No identity, and nobody answers",
		About: fmt.Sprintf("First, nothing is configured, in a network that swallows every packet: how long until that is known, and how long when\n"+
			"the same is asked again. The time to enter that network counts. Then, with an identity, a token service that takes the\n"+
			"request and never answers; ours has a deadline of %v, the vendors' have none. Nobody is waited for longer than %v.", deadline, patience),
		Columns: []string{"", "no identity", "asked again", "service hangs", "past the deadline"},
	}
	type one struct {
		name, program string
		who           report.Who
		cloud         *cloud
	}
	amazon, google, azure := amazon(s.stage), googles(s.stage), azures(s.stage, acrHost)
	enter, args := s.quiet()
	for _, c := range []*cloud{amazon, google, azure} {
		c.gate.Order(c.service, cloudtest.Hang())
	}
	for _, x := range []one{
		{"ours, ecr", helper("ecr"), report.Ours, amazon}, {"ours, gcr", helper("gcr"), report.Ours, google}, {"ours, acr", helper("acr"), report.Ours, azure},
		{"vendor's ECR helper", vendorECR, report.Peer, amazon}, {"vendor's GCR helper", vendorGCR, report.Peer, google},
	} {
		if !s.programs.Has(x.program) {
			continue
		}
		ask := func(env []string) time.Duration {
			return s.patiently(exec.Command(enter, append(append([]string{}, args...), s.programs.path(x.program), helpers.VerbGet)...), x.cloud.host, env)
		}
		_, home := s.home()
		rounds := repeats
		if x.who == report.Peer {
			rounds = 1 // it may take all the patience
		}
		var first, again []float64
		for range rounds {
			_, home = s.home()
			first = append(first, ask(home).Seconds())
		}
		for range rounds {
			again = append(again, ask(home).Seconds())
		}
		row := report.Row{Name: x.name, Who: x.who, Cells: []report.Cell{
			waited(first), waited(again), report.Empty, report.Empty,
		}}
		_, home = s.home()
		hung := s.patiently(exec.Command(s.programs.path(x.program), helpers.VerbGet), x.cloud.host,
			environ(home, x.cloud.all("BETA9_CREDENTIAL_TIMEOUT="+deadline.String())))
		row.Cells[2] = waited([]float64{hung.Seconds()})
		if x.who == report.Ours {
			row.Cells[0], row.Cells[1] = row.Cells[0].Under("silence"), row.Cells[1].Under("silence again")
			row.Cells[3] = report.Of(measure.Exactly((hung - deadline).Seconds()), report.Seconds).Under("deadline")
		}
		section.Rows = append(section.Rows, row)
	}
	return section
}

// waited makes a cell of how long somebody was waited for.
func waited(seconds []float64) report.Cell {
	e := measure.Summarize(seconds).Estimate()
	if e.High >= patience.Seconds() {
		return report.Cell{Text: "more than " + patience.String()}
	}
	return report.Of(e, report.Seconds)
}

// patiently runs a command that is not expected to have a credential, and returns how long it took.
func (s *scene) patiently(cmd *exec.Cmd, input string, env []string) time.Duration {
	ctx, cancel := context.WithTimeout(s.ctx, patience)
	defer cancel()
	limited := exec.CommandContext(ctx, cmd.Path, cmd.Args[1:]...)
	limited.Env, limited.Dir, limited.Stdin = env, s.dir, bytes.NewReader([]byte(input))
	limited.WaitDelay = time.Second
	began := time.Now()
	out, err := limited.Output()
	took := time.Since(began)
	if ctx.Err() != nil {
		return patience
	}
	if _, failed := errors.AsType[*exec.ExitError](err); !failed {
		s.Fatalf("%s has ended well, where nobody answers: %v: %s", cmd.Path, err, firstLine(out))
	}
	return took
}
