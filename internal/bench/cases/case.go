// Package cases is what the benchmark measures: each case sets up what it needs, runs ours and the peers in turns on the same
// work against the same stand-ins, and makes one section of the report.
package cases

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/bench/measure"
	"github.com/beam-cloud/docker-credential-beta9/internal/bench/report"
)

// A Case makes one section.
type Case struct {
	ID string
	// Budgeted is whether results of it are under a budget.
	Budgeted bool
	run      func(*scene) report.Section
}

// All are the cases, in the order of the report.
func All() []Case {
	return []Case{
		{"start", true, start},
		{"get", true, get},
		{"miss", true, miss},
		{"stampede", true, stampede},
		{"fifty", false, fifty},
		{"silence", true, silence},
		{"memory", true, memory},
		{"exec", true, execs},
		{"mount", false, mount},
		{"secrets", true, stores},
		{"entries", false, entries},
		{"init", false, inits},
	}
}

// Run runs the case. Say is told what happens meanwhile.
func (c Case) Run(ctx context.Context, p *Programs, plan measure.Plan, say func(string, ...any)) (report.Section, error) {
	var section report.Section
	began := time.Now()
	plan.Say, plan.Fresh = say, p.Install
	err := perform(ctx, c.ID, func(s *stage) {
		section = c.run(&scene{stage: s, programs: p, plan: plan})
	})
	if errors.Is(err, errMissing) {
		section.Missing, err = append(section.Missing, err.Error()), nil
	}
	if err != nil {
		return section, err
	}
	section.ID = c.ID
	section.When, section.Took = began.UTC().Truncate(time.Second), time.Since(began).Round(time.Second).Seconds()
	section.Build, err = p.Fingerprint()
	return section, err
}

// A scene is what a case plays in.
type scene struct {
	*stage
	programs *Programs
	plan     measure.Plan
}

// home makes a folder for one person, and returns the environment that makes it their home. It is the whole environment of
// whoever is measured, but for what a case adds to it.
func (s *scene) home() (dir string, environ []string) {
	dir = s.TempDir()
	return dir, []string{"HOME=" + dir, "PATH=/usr/bin:/bin"}
}

// command makes a command of a program in the folder.
func (s *scene) command(program, verb, stdin string, environ []string) *measure.Command {
	return s.commandAt(s.programs.path(program), verb, stdin, environ)
}

func (s *scene) commandAt(path, verb, stdin string, environ []string) *measure.Command {
	args := []string{}
	if verb != "" {
		args = strings.Fields(verb)
	}
	c := must(measure.NewCommand(s.dir, path, args, environ, stdin))(s.stage)
	s.Cleanup(func() { c.Close() }) // the folder goes as well
	return c
}

// get makes a command that asks for a credential, and insists on getting one.
func (s *scene) get(program, host string, environ []string) *measure.Command {
	c := s.command(program, helpers.VerbGet, host, environ)
	c.Accept = credentialOf(host)
	return c
}

// credentialOf accepts an answer with a credential in it.
func credentialOf(host string) func([]byte, int) error {
	return func(out []byte, code int) error {
		if code != 0 || !bytes.Contains(out, []byte(`"Secret":"`)) || bytes.Contains(out, []byte(`"Secret":""`)) {
			return fmt.Errorf("no credential for %s: exit code %d: %s", host, code, firstLine(out))
		}
		return nil
	}
}

// firstLine is what is told of an output: that of somebody who failed.
func firstLine(out []byte) []byte {
	line, _, _ := bytes.Cut(bytes.TrimSpace(out), []byte("\n"))
	return line[:min(len(line), 200)]
}

// empty is the command that everything is compared with.
func (s *scene) empty() *measure.Command { return s.command(empty, "", "", nil) }

// against runs subjects in turns with the empty program.
func (s *scene) against(subjects []measure.Subject) measure.Outcome {
	twin := s.command(emptyTwin, "", "", nil)
	return must(s.plan.Run(s.ctx, s.empty().Subject(empty), twin.Subject(empty), subjects))(s.stage)
}

// store stores a login in a home.
func (s *scene) store(program, host string, environ []string) {
	s.once(s.command(program, helpers.VerbStore, login(host), environ))
}

// login is the request of somebody who logs in.
func login(host string) string {
	return `{"ServerURL":"` + host + `","Username":"somebody","Secret":"not-a-secret-0123456789abcdef0123456789"}`
}

// once runs a command that only makes something ready.
func (s *scene) once(c *measure.Command) {
	_, err := c.Run()
	s.do(err)
}

// ready has a command run once, so that what it caches is there.
func (s *scene) ready(c *measure.Command) *measure.Command {
	s.once(c)
	return c
}

// A subject is a command with what is said of it.
type subject struct {
	name    string
	who     report.Who
	program string
	command *measure.Command
	before  func() error
	// every lets it run in every n-th round only.
	every int
}

// run runs subjects in turns with the empty program.
func (s *scene) run(subjects []subject) measure.Outcome {
	all := []measure.Subject{}
	for _, x := range subjects {
		all = append(all, measure.Subject{Name: x.name, Before: x.before, Run: x.command.Run, Every: x.every})
	}
	return s.against(all)
}

// peak is the most memory that a command has in a few runs: what a collector gets done differs from run to run.
func (s *scene) peak(x subject) measure.Estimate {
	var values []float64
	for range 5 {
		if x.before != nil {
			s.do(x.before())
		}
		values = append(values, float64(must(x.command.Peak())(s.stage)))
	}
	return measure.Summarize(values).Estimate()
}

// tokens is where a home with no runtime folder keeps tokens.
func tokens(home string) string {
	return filepath.Join(home, ".cache", "beta9-credentials", "tokens")
}

// environ puts lists together.
func environ(lists ...[]string) []string {
	all := []string{}
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}
