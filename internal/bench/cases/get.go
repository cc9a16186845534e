package cases

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/bench/measure"
	"github.com/beam-cloud/docker-credential-beta9/internal/bench/report"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest/google"
)

// staticHosts are registries of the static types.
var staticHosts = map[string]string{
	"dockerhub": "https://index.docker.io/v1/", "ghcr": "ghcr.io", "ngc": "nvcr.io", "generic": "registry.example.com",
}

// What the peers are called.
const (
	constant  = "the reference, a constant"
	passGet   = "pass, get"
	passStore = "pass, store"
)

// rivals are whom ours are compared with: the reference does nothing but to speak the protocol, pass keeps logins.
var rivals = map[string]string{
	"dockerhub, stored": constant, "ghcr, stored": constant, "ngc, stored": constant, "ghcr, from the environment": constant,
	"ghcr, another's host": constant, "generic, stored": passGet, "ghcr, store": passStore,
}

// get is what a pull waits for when nothing has to be asked of anybody.
func get(s *scene) report.Section {
	section := report.Section{
		Title: "`get` and `store`, without the network",
		About: "`get` of what was stored by `docker login`, of what is in the environment, of what is in the cache of tokens, and of a host that\n" +
			"is not the helper's; `store` over what is stored, which waits for the disk. The vendor's GCR helper caches nothing: it signs\n" +
			"a token of its own with the key of a service account here, the one of its ways that asks nobody.",
		Columns: []string{"", "wall", "× empty", "CPU", "peak", "to the peer"},
	}
	_, home := s.home()
	var subjects []subject
	add := func(name string, who report.Who, program string, c *measure.Command) {
		if s.programs.Has(program) {
			s.once(c)
			subjects = append(subjects, subject{name: name, who: who, program: program, command: c})
		}
	}
	for _, typ := range staticTypes {
		s.store(helper(typ), staticHosts[typ], home)
		add(typ+", stored", report.Ours, helper(typ), s.get(helper(typ), staticHosts[typ], home))
	}
	add("through the dispatcher, stored", report.Ours, dispatcher, s.get(dispatcher, staticHosts["ghcr"], home))
	_, bare := s.home()
	add("ghcr, from the environment", report.Ours, helper("ghcr"), s.get(helper("ghcr"), "ghcr.io", environ(bare, []string{"GITHUB_TOKEN=not-a-secret"})))
	other := s.command(helper("ghcr"), helpers.VerbGet, "registry.example.com", home)
	other.Accept = notFound
	add("ghcr, another's host", report.Ours, helper("ghcr"), other)

	clouds := []*cloud{amazon(s.stage), googles(s.stage), azures(s.stage, acrHost)}
	for _, c := range clouds {
		add(c.typ+", cached", report.Ours, helper(c.typ), s.get(helper(c.typ), c.host, environ(home, c.all())))
	}
	add("ghcr, store", report.Ours, helper("ghcr"), s.command(helper("ghcr"), helpers.VerbStore, login("ghcr.io"), home))

	add(constant, report.Peer, reference, s.get(reference, "ghcr.io", home))
	add("vendor's ECR helper, cached", report.Peer, vendorECR, s.get(vendorECR, ecrHost, environ(home, clouds[0].all())))
	add("vendor's GCR helper, signed by itself", report.Peer, vendorGCR, s.get(vendorGCR, gcrHost, environ(home, []string{"GOOGLE_APPLICATION_CREDENTIALS=" + s.serviceAccount()})))

	if s.programs.Has(pass) {
		keeping := s.passHome()
		add(passStore, report.Peer, pass, s.command(pass, helpers.VerbStore, login("ghcr.io"), keeping))
		add(passGet, report.Peer, pass, s.get(pass, "ghcr.io", keeping))
		for i := range subjects[len(subjects)-2:] {
			subjects[len(subjects)-1-i].every = 5 // it takes as long as thirty others
		}
	}

	calls := 0
	for _, c := range clouds {
		calls -= c.gate.Total()
	}
	o := s.run(subjects)
	for _, c := range clouds {
		calls += c.gate.Total()
	}
	if calls != 0 {
		s.Fatalf("%d calls upstream: what was measured is no hit", calls)
	}
	section.Noise = &o.Noise
	floor := o.Floor()
	section.Rows = []report.Row{{Name: "an empty Go program", Who: report.Floor, Cells: []report.Cell{
		report.Of(floor.Wall(), report.Seconds), report.Of(measure.Exactly(1), report.Ratio), report.Of(floor.CPU(), report.Seconds),
		report.Of(s.peak(subject{command: s.empty()}), report.Memory), report.Empty,
	}}}
	for _, x := range subjects {
		wall := o.Of(x.name).Wall()
		cells := []report.Cell{
			report.Of(wall, report.Seconds), report.Of(wall.Over(floor.Wall()), report.Ratio),
			report.Of(o.Of(x.name).CPU(), report.Seconds), report.Empty, report.Empty,
		}
		if x.program != pass { // most of its memory is that of the programs which it runs
			cells[3] = report.Of(s.peak(x), report.Memory)
		}
		hit := x.who == report.Ours && x.program != dispatcher && x.name != "ghcr, store"
		isCloud := hit && (x.program == helper("ecr") || x.program == helper("gcr") || x.program == helper("acr"))
		switch {
		case isCloud:
			cells[1], cells[3] = cells[1].Under("cached"), cells[3].Under("cloud peak")
			if peer := "vendor's ECR helper, cached"; s.programs.Has(vendorECR) {
				cells[4] = report.Of(wall.Over(o.Of(peer).Wall()), report.Ratio).To(peer).Under("vendor")
			}
		case hit:
			cells[1], cells[3] = cells[1].Under("static"), cells[3].Under("static peak")
		}
		if peer := rivals[x.name]; peer != "" && len(o.Of(peer).Samples) > 0 {
			cells[4] = report.Of(wall.Over(o.Of(peer).Wall()), report.Ratio).To(peer)
		}
		section.Rows = append(section.Rows, report.Row{Name: x.name, Who: x.who, Cells: cells})
	}
	return section
}

// notFound accepts the answer that a client takes for "go on without".
func notFound(out []byte, code int) error {
	if code == 1 && string(firstLine(out)) == "credentials not found in native keychain" {
		return nil
	}
	return errNotRefused
}

// serviceAccount makes the file of a service account's key.
func (s *scene) serviceAccount() string {
	path := filepath.Join(s.TempDir(), "key.json")
	s.do(os.WriteFile(path, []byte(google.New(s.stage).ServiceAccount(s.stage, "puller@project.iam.gserviceaccount.com", 0)), 0o600))
	return path
}

var errNotRefused = errors.New("the host of another was not refused")
