package cases

import (
	"errors"
	"path/filepath"

	"github.com/beam-cloud/docker-credential-beta9/internal/bench/measure"
	"github.com/beam-cloud/docker-credential-beta9/internal/bench/report"
)

// miss is what the first pull of the hour waits for.
func miss(s *scene) report.Section {
	section := report.Section{
		Title: "`get` that has to ask upstream",
		About: "Nothing is cached. Over TLS the services stand behind a proxy on this machine under their real names; whoever trusts them reads\n" +
			"the machine's whole bundle of certificates. Over http it is the metadata server of a machine in Google's cloud. Azure takes two\n" +
			"calls, of which the second waits for the first. CPU is what the helper itself has used; the rest of the wall time is the\n" +
			"stand-in's, on the other processor.",
		Columns: []string{"", "wall", "× empty", "CPU", "CPU, × empty", "peak", "to the peer"},
	}
	var subjects []subject
	peers := map[string]string{}
	add := func(name string, c *cloud, vendor, vendorCache string) {
		dir, home := s.home()
		ours := s.get(helper(c.typ), c.host, environ(home, c.all()))
		before := c.asking(ours, forgetting(tokens(dir)))
		subjects = append(subjects, subject{name: "ours, " + name, who: report.Ours, program: helper(c.typ), command: ours, before: before})
		if vendor == "" || !s.programs.Has(vendor) {
			return
		}
		theirDir, theirHome := s.home()
		theirs := s.get(vendor, c.host, environ(theirHome, c.all()))
		if vendorCache != "" {
			vendorCache = filepath.Join(theirDir, vendorCache)
		}
		before = c.asking(theirs, forgetting(vendorCache))
		peers["ours, "+name] = "vendor's, " + name
		subjects = append(subjects, subject{name: "vendor's, " + name, who: report.Peer, program: vendor, command: theirs, before: before})
	}
	clouds := map[string]*cloud{"ecr, TLS": amazon(s.stage), "gcr, TLS": googles(s.stage), "gcr, http": googleMachine(s.stage), "acr, TLS": azures(s.stage, acrHost)}
	add("ecr, TLS", clouds["ecr, TLS"], vendorECR, ".ecr")
	add("gcr, TLS", clouds["gcr, TLS"], vendorGCR, "")
	add("gcr, http", clouds["gcr, http"], vendorGCR, "")
	add("acr, TLS", clouds["acr, TLS"], "", "")

	o := s.run(subjects)
	section.Noise = &o.Noise
	floor := o.Floor()
	section.Rows = []report.Row{{Name: "an empty Go program", Who: report.Floor, Cells: []report.Cell{
		report.Of(floor.Wall(), report.Seconds), report.Of(measure.Exactly(1), report.Ratio), report.Of(floor.CPU(), report.Seconds),
		report.Of(measure.Exactly(1), report.Ratio), report.Of(s.peak(subject{command: s.empty()}), report.Memory), report.Empty,
	}}}
	for _, x := range subjects {
		series := o.Of(x.name)
		share := report.Of(series.CPU().Over(floor.CPU()), report.Ratio)
		if x.who == report.Ours {
			share = share.Under("miss")
		}
		versus := report.Empty
		if peer := peers[x.name]; peer != "" {
			versus = report.Of(series.Wall().Over(o.Of(peer).Wall()), report.Ratio).To(peer)
		}
		section.Rows = append(section.Rows, report.Row{Name: x.name, Who: x.who, Cells: []report.Cell{
			report.Of(series.Wall(), report.Seconds), report.Of(series.Wall().Over(floor.Wall()), report.Ratio),
			report.Of(series.CPU(), report.Seconds), share, report.Of(s.peak(x), report.Memory), versus,
		}})
	}
	return section
}

// asking has a command accepted only when upstream was asked while it ran, since an answer from a cache is no miss, and
// returns what is to be done before each run: forget, and look how often upstream was asked until then.
func (c *cloud) asking(command *measure.Command, forget func() error) (before func() error) {
	asked, accept := 0, command.Accept
	command.Accept = func(out []byte, code int) error {
		if c.calls() == asked {
			return errNotAsked
		}
		return accept(out, code)
	}
	return func() error {
		asked = c.calls()
		return forget()
	}
}

var errNotAsked = errors.New("it answered without asking upstream")
