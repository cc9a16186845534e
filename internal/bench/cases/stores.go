package cases

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/bench/measure"
	"github.com/beam-cloud/docker-credential-beta9/internal/bench/report"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
	"github.com/beam-cloud/docker-credential-beta9/secrets/postgres"
	"github.com/beam-cloud/docker-credential-beta9/secrets/secretstest"
	"github.com/beam-cloud/docker-credential-beta9/secrets/sqlite"
)

// comparisons is how often the stores' own benchmarks are run: with six or more there are bounds to a median.
const comparisons = 15

// comparedStores are the packages whose own benchmarks are run, as programs of their tests.
var comparedStores = []string{"./secrets/sqlite", "./secrets/beta9"}

// tested is the name of the program of a package's tests.
func tested(pkg string) string { return filepath.Base(pkg) + ".test" }

// stores is what the stores of secrets cost.
func stores(s *scene) report.Section {
	section := report.Section{
		Title: "The stores of secrets",
		About: "One secret written, read by its name, and found for an image. SQLite waits for the disk at each write; PostgreSQL is a server of\n" +
			"its own on this machine, over its socket, which waits for no disk. Below, from the packages' own benchmarks, of which the\n" +
			"noise is no part: what is read to what the driver needs for the bytes alone, and how many times faster Beta9's join is than\n" +
			"the three queries that it replaces, over TCP. These run on one processor: on several, a round trip takes as long again or\n" +
			"not, by where the kernel has put server and client.",
		Columns: []string{"", "write", "read", "find", "ratio"},
	}
	named := map[string]func() secretstest.Store{
		"SQLite": func() secretstest.Store {
			return must(sqlite.Open(s.ctx, filepath.Join(s.TempDir(), "secrets.db"), s.ring()))(s.stage)
		},
		"PostgreSQL": func() secretstest.Store {
			cluster := secretstest.NewCluster(s.stage)
			address := cluster.Database(s.stage)
			s.do(postgres.Migrate(s.ctx, address))
			return must(postgres.Open(s.ctx, address, s.ring()))(s.stage)
		},
	}
	for _, name := range []string{"SQLite", "PostgreSQL"} {
		var open secretstest.Store
		if err := s.part(func() { open = named[name]() }); err != nil {
			section.Missing = append(section.Missing, name+" ("+err.Error()+")")
			continue
		}
		s.Cleanup(func() { open.Close() })
		row, noise := s.work(open)
		row.Name = name
		section.Rows = append(section.Rows, row)
		if section.Noise != nil {
			noise = measure.Worst(noise, *section.Noise)
		}
		section.Noise = &noise
	}
	for _, b := range []struct{ pkg, name, what, budget string }{
		{"./secrets/sqlite", "BenchmarkRead/get", "SQLite, read, to the driver's point read", "sqlite"},
		{"./secrets/sqlite", "BenchmarkRead/find", "SQLite, find, to the driver's point read", ""},
		{"./secrets/beta9", "BenchmarkFind/three", "Beta9's three queries to our join", "join"},
	} {
		ratio, err := s.ratio(b.pkg, b.name)
		if err != nil {
			section.Missing = append(section.Missing, fmt.Sprintf("%s (%v)", b.what, err))
			continue
		}
		section.Rows = append(section.Rows, report.Row{Name: b.what, Who: report.Ours, Cells: []report.Cell{
			report.Empty, report.Empty, report.Empty, report.Of(ratio, report.Ratio).Under(b.budget).Apart(),
		}})
	}
	return section
}

func (s *scene) ring() *secrets.Keyring {
	return secrets.NewKeyring(must(secrets.NewKey())(s.stage))
}

// work measures a store with a thousand secrets.
func (s *scene) work(open secretstest.Store) (report.Row, measure.Noise) {
	const others, times = 1000, 20
	secret := func(host string) secrets.Secret {
		m := must(helpers.ParseMaterial([]byte(`{"version":1,"registry":"` + host + `","type":"generic","credentials":{"REGISTRY_USERNAME":"somebody","REGISTRY_PASSWORD":"not-a-secret"}}`)))(s.stage)
		return must(secrets.New("w", m))(s.stage)
	}
	for i := range others {
		_ = must(open.Put(s.ctx, secret(fmt.Sprintf("registry%d.example.com", i))))(s.stage)
	}
	kept := must(open.Put(s.ctx, secret("registry.example.com")))(s.stage)
	ref := must(helpers.ParseReference("registry.example.com/acme/app:1"))(s.stage)
	s.do(open.Attach(s.ctx, secrets.Image{Workspace: "w", ID: "i", References: []helpers.Reference{ref}}))
	timed := func(name string, f func() error) measure.Subject {
		return measure.Subject{Name: name, Run: measure.Timed(func() error { return repeat(f, times, 1) })}
	}
	plan := s.plan
	plan.Load = measure.Unwatched{} // the server of PostgreSQL is no child that is waited for
	plan.Fresh = nil                // no program is run
	read := timed("read", func() error {
		_, err := open.Get(s.ctx, "w", kept.Name)
		return err
	})
	o := must(plan.Run(s.ctx, read, read, []measure.Subject{
		timed("write", func() (err error) {
			kept, err = open.Put(s.ctx, kept)
			return err
		}),
		timed("find", func() error {
			_, err := open.Find(s.ctx, "w", "i", ref.Registry())
			return err
		}),
	}))(s.stage)
	row := report.Row{Who: report.Ours}
	for _, name := range []string{"write", "read", "find"} {
		row.Cells = append(row.Cells, report.Of(o.Of(name).Wall().Scaled(1.0/times), report.Seconds))
	}
	row.Cells = append(row.Cells, report.Empty)
	return row, o.Noise
}

// ratio runs a benchmark of a package and returns the ratio that it reports.
func (s *scene) ratio(pkg, name string) (measure.Estimate, error) {
	parts := strings.Split(name, "/")
	cmd := exec.CommandContext(s.ctx, s.programs.path(tested(pkg)), "-test.run", "^$", "-test.bench", "^"+strings.Join(parts, "$/^")+"$",
		"-test.benchtime", "500ms", "-test.count", strconv.Itoa(comparisons))
	cmd.Dir, cmd.Env = filepath.Join(s.programs.tree, pkg), os.Environ()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := startOnOneProcessor(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		return measure.Estimate{}, fmt.Errorf("%s of %s: %w: %s", name, pkg, err, firstLine(out.Bytes()))
	}
	values := ratios(out.Bytes())
	if len(values) == 0 {
		return measure.Estimate{}, fmt.Errorf("%s in %s was skipped: run make deps", name, pkg)
	}
	return measure.Summarize(values).Estimate(), nil
}

// ratios reads what benchmarks have reported under this name.
func ratios(out []byte) (values []float64) {
	for line := range bytes.Lines(out) {
		fields := strings.Fields(string(line))
		for i, f := range fields {
			if f != "ratio" || i == 0 || !strings.HasPrefix(fields[0], "Benchmark") {
				continue
			}
			if v, err := strconv.ParseFloat(fields[i-1], 64); err == nil {
				values = append(values, v)
			}
		}
	}
	return values
}
