package cases

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/internal/bench/measure"
	"github.com/beam-cloud/docker-credential-beta9/internal/bench/report"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest"
)

const (
	// crowd is how many ask at once: what a build with many layers, or a worker that mounts many images, comes to.
	crowd = 64
	// repeats is how often each stampede is made. The most calls of any count.
	repeats = 3
)

// delays are how far upstream is away. One that answers at once hides callers that do not wait for each other.
var delays = []time.Duration{0, 10 * time.Millisecond, 100 * time.Millisecond}

// A herd is who asks at once.
type herd struct {
	name string
	who  report.Who
	peer string // whose wall time ours is compared with
	// cloud is asked, with nothing cached after forget.
	cloud  *cloud
	forget func() error
	// charge has all of them ask, and returns when the last one has an answer.
	charge func() (time.Duration, error)
}

// stampede is what many callers cost upstream.
func stampede(s *scene) report.Section {
	section := report.Section{
		Title: "Stampedes",
		About: fmt.Sprintf("%d processes, or goroutines of one, ask for the same credential at once, with nothing cached, while upstream is 0, 10 or\n"+
			"100 ms away. Calls are the most that any one service had in %d stampedes: Azure has two services, which are asked one after\n"+
			"the other. Wall is the median time until the last one has its answer. Goroutines go\n"+
			"through our provider, through CLIP's own provider for ECR, and through go-containerregistry's keychain with the vendor's\n"+
			"helper.", crowd, repeats),
		Columns: []string{"", "calls, 0 ms", "wall, 0 ms", "calls, 10 ms", "wall, 10 ms", "calls, 100 ms", "wall, 100 ms", "to the peer"},
	}
	walls := map[string]measure.Estimate{}
	for _, h := range s.herds() {
		row := report.Row{Name: h.name, Who: h.who}
		for _, delay := range delays {
			calls, wall := s.stampede(h, delay)
			c := report.Of(calls, report.Count)
			if h.who == report.Ours {
				c = c.Under("stampede")
			}
			row.Cells = append(row.Cells, c, report.Of(wall, report.Seconds))
			walls[h.name] = wall // the furthest away counts
		}
		versus := report.Empty
		if peer, ok := walls[h.peer]; ok {
			versus = report.Of(walls[h.name].Over(peer), report.Ratio).To(h.peer + ", 100 ms away")
		}
		row.Cells = append(row.Cells, versus)
		section.Rows = append(section.Rows, row)
	}
	return section
}

// stampede makes a few, and returns the most calls of any and the time that they took.
func (s *scene) stampede(h herd, delay time.Duration) (calls, wall measure.Estimate) {
	h.cloud.gate.Order(h.cloud.service, cloudtest.Delay(delay))
	defer h.cloud.gate.Order(h.cloud.service, nil)
	most := 0
	var walls []float64
	for range repeats {
		s.do(h.forget())
		before := h.cloud.gate.Counts()
		took := must(h.charge())(s.stage)
		for service, calls := range h.cloud.gate.Counts() {
			most = max(most, calls-before[service])
		}
		walls = append(walls, took.Seconds())
	}
	return measure.Exactly(float64(most)), measure.Summarize(walls).Estimate()
}

// herds are the peers, and then ours.
func (s *scene) herds() []herd {
	amazon, google, azure := amazon(s.stage), googles(s.stage), azures(s.stage, acrHost)
	var all []herd
	if s.programs.Has(vendorECR) {
		dir, home := s.home()
		cache := filepath.Join(dir, ".ecr")
		all = append(all,
			s.processes("vendor's ECR helper, processes", report.Peer, "", vendorECR, amazon, cache, home),
			s.keychain("go-containerregistry's keychain, goroutines", amazon, cache, home))
	}
	if s.programs.Has(vendorGCR) {
		_, home := s.home()
		all = append(all, s.processes("vendor's GCR helper, processes", report.Peer, "", vendorGCR, google, "", home))
	}
	_, home := s.home()
	all = append(all, s.goroutines("CLIP's ECR provider, goroutines", report.Peer, "", amazon, nil, "clip", "", home))
	for _, c := range []*cloud{amazon, google, azure} {
		dir, home := s.home()
		peer := map[string]string{"ecr": "vendor's ECR helper, processes", "gcr": "vendor's GCR helper, processes"}[c.typ]
		all = append(all, s.processes("ours, "+c.typ+", processes", report.Ours, peer, helper(c.typ), c, tokens(dir), home))
	}
	material := `{"version":1,"registry":"` + ecrHost + `","type":"aws","credentials":{` + keysJSON(amazon) + `,"AWS_REGION":"us-east-1"}}`
	return append(all, s.goroutines("ours, ecr, goroutines", report.Ours, "CLIP's ECR provider, goroutines", amazon, []byte(material), "ours", s.programs.dir, home))
}

// keysJSON are the keys of an environment as fields of JSON. They hold nothing that has to be quoted.
func keysJSON(c *cloud) string {
	var fields []string
	for _, entry := range c.keys {
		if name, value, _ := strings.Cut(entry, "="); strings.HasSuffix(name, "KEY_ID") || strings.HasSuffix(name, "ACCESS_KEY") {
			fields = append(fields, `"`+name+`":"`+value+`"`)
		}
	}
	return strings.Join(fields, ",")
}

// processes is a herd of processes of a helper.
func (s *scene) processes(name string, who report.Who, peer, program string, c *cloud, cache string, home []string) herd {
	commands := make([]*measure.Command, crowd)
	for i := range commands {
		commands[i] = s.get(program, c.host, environ(home, c.all()))
	}
	return herd{name, who, peer, c, forgetting(cache), func() (time.Duration, error) { return together(commands) }}
}

// together runs commands at once and returns how long it takes until all have ended.
func together(commands []*measure.Command) (time.Duration, error) {
	var all sync.WaitGroup
	errs := make(chan error, len(commands))
	began := time.Now()
	for _, c := range commands {
		all.Go(func() {
			_, err := c.Run()
			errs <- err
		})
	}
	all.Wait()
	took := time.Since(began)
	close(errs)
	for err := range errs {
		if err != nil {
			return 0, err
		}
	}
	return took, nil
}

// goroutines is a herd of goroutines in one process.
func (s *scene) goroutines(name string, who report.Who, peer string, c *cloud, material []byte, provider, folder string, home []string, more ...string) herd {
	command := s.command("crowd", fmt.Sprintf("%s %s %d 1 %s", provider, c.host, crowd, folder), string(material), environ(home, c.all(more...)))
	return herd{name, who, peer, c, forgetting(""), func() (time.Duration, error) { return told(command) }}
}

// told runs a crowd and returns the time that it tells.
func told(crowd *measure.Command) (time.Duration, error) {
	if _, err := crowd.Run(); err != nil {
		return 0, err
	}
	out, err := crowd.Output()
	if err != nil {
		return 0, err
	}
	ns, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	return time.Duration(ns), err
}

// keychain is a herd of goroutines that ask go-containerregistry's keychain, which runs the vendor's helper.
func (s *scene) keychain(name string, c *cloud, cache string, home []string) herd {
	config := s.TempDir()
	s.do(os.WriteFile(filepath.Join(config, "config.json"), []byte(`{"credHelpers":{"`+c.host+`":"ecr-login"}}`), 0o600))
	h := s.goroutines(name, report.Peer, "", c, nil, "keychain", "", home, "DOCKER_CONFIG="+config, "PATH="+s.programs.dir)
	h.forget = forgetting(cache)
	return h
}

// forgetting removes a cache.
func forgetting(cache string) func() error {
	return func() error {
		if cache == "" {
			return nil
		}
		return os.RemoveAll(cache)
	}
}
