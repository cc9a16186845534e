package cases

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/beam-cloud/clip/pkg/clip"
	"github.com/beam-cloud/clip/pkg/common"
	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/bench/measure"
	"github.com/beam-cloud/docker-credential-beta9/internal/bench/report"
	"github.com/beam-cloud/docker-credential-beta9/provider"
)

// An asker answers look-ups.
type asker struct {
	name string
	who  report.Who
	// times is how many look-ups make one measurement.
	times int
	// ask makes them, in so many goroutines together.
	ask func(goroutines int) measure.Subject
	// once makes one, to have its allocations counted. It is nil for another process.
	once func() error
}

// memory is what a look-up costs that needs no helper.
func memory(s *scene) report.Section {
	section := report.Section{
		Title: "The provider, from memory",
		About: "One look-up of a credential that the provider has. CLIP's static provider holds one credential and checks no expiry, its caching\n" +
			"provider is what it has against asking anew, go-containerregistry's keychain reads docker's configuration each time. Whoever\n" +
			"minds expiry looks at the clock once. On two cores two goroutines share the same number of look-ups.",
		Columns: []string{"", "one core", "to the clock", "two cores", "two cores to one", "allocations", "to the peer"},
	}
	s.do(clip.SetLogLevel("disabled")) // each look-up would be a line
	static := common.NewStaticProvider(map[string]*authn.AuthConfig{"ghcr.io": {Username: "somebody", Password: "not-a-secret"}})
	const peer = "CLIP's caching provider"
	all := []asker{
		inProcess("CLIP's static provider", report.Floor, static),
		clock(),
		inProcess("ours", report.Ours, s.provider(s.programs.dir)),
		inProcess(peer, report.Peer, common.NewCachingProvider(static, time.Hour)),
		s.keychainInMemory(),
	}
	var subjects []measure.Subject
	for i, a := range all {
		one, two := a.ask(1), a.ask(2)
		one.Name, two.Name = a.name, a.name+", two"
		if i > 0 {
			subjects = append(subjects, one)
		}
		subjects = append(subjects, two)
	}
	floor := all[0].ask(1)
	floor.Name = all[0].name
	o := must(s.plan.Run(s.ctx, floor, floor, subjects))(s.stage)
	section.Noise = &o.Noise
	look := o.Of(theClock).Wall().Scaled(1.0 / lookups)
	for _, a := range all {
		each := func(name string) measure.Estimate { return o.Of(name).Wall().Scaled(1 / float64(a.times)) }
		one, two := each(a.name), each(a.name+", two")
		cells := []report.Cell{
			report.Of(one, report.Seconds), report.Of(one.Over(look), report.Ratio), report.Of(two, report.Seconds),
			report.Of(two.Over(one), report.Ratio), report.Empty, report.Empty,
		}
		if a.once != nil {
			cells[4] = report.Of(measure.Exactly(testing.AllocsPerRun(100, func() { s.do(a.once()) })), report.Count)
		}
		if a.who == report.Ours {
			cells[0], cells[1] = cells[0].Under("memory beyond"), cells[1].Under("memory")
			cells[3], cells[4] = cells[3].Under("two cores"), cells[4].Under("allocations")
			cells[5] = report.Of(one.Over(each(peer)), report.Ratio).To(peer)
		}
		section.Rows = append(section.Rows, report.Row{Name: a.name, Who: a.who, Cells: cells})
	}
	return section
}

// lookups is how many look-ups make one measurement in this process: enough for the clock not to count.
const lookups = 20000

// inProcess asks a provider for the credential of one registry.
func inProcess(name string, who report.Who, p common.RegistryCredentialProvider) asker {
	ctx := context.Background()
	once := func() error {
		_, err := p.GetCredentials(ctx, "ghcr.io", "acme/app")
		return err
	}
	return asker{name, who, lookups, timesOf(once), once}
}

// theClock is the name of what the others are compared with.
const theClock = "a look at the clock"

// clock is what it takes to look at the clock.
func clock() asker {
	once := func() error {
		if time.Now().IsZero() {
			return errors.New("the clock stands still")
		}
		return nil
	}
	return asker{theClock, report.Floor, lookups, timesOf(once), once}
}

// timesOf makes the look-ups of one measurement.
func timesOf(once func() error) func(goroutines int) measure.Subject {
	return func(goroutines int) measure.Subject {
		return measure.Subject{Run: measure.Timed(func() error { return repeat(once, lookups/goroutines, goroutines) })}
	}
}

// repeat does something so many times in each of some goroutines.
func repeat(once func() error, times, goroutines int) error {
	errs := make([]error, goroutines)
	var all sync.WaitGroup
	for i := range goroutines {
		all.Go(func() {
			for range times {
				if err := once(); err != nil {
					errs[i] = err
					return
				}
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// keychainInMemory asks go-containerregistry's keychain for what docker's configuration holds: in a process of its own, since
// it finds the configuration by the environment of its process.
func (s *scene) keychainInMemory() asker {
	const times = 200
	dir, home := s.home()
	s.do(os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"auths":{"ghcr.io":{"auth":"c29tZWJvZHk6bm90LWEtc2VjcmV0"}}}`), 0o600))
	return asker{"go-containerregistry's keychain", report.Peer, times, func(goroutines int) measure.Subject {
		c := s.command("crowd", fmt.Sprintf("keychain ghcr.io %d %d", goroutines, times/goroutines), "", environ(home, []string{"DOCKER_CONFIG=" + dir}))
		return measure.Subject{Run: func() (measure.Sample, error) {
			wall, err := told(c)
			return measure.Sample{Wall: wall}, err
		}}
	}, nil}
}

// provider makes one that runs the helpers in a folder, with material for one registry.
func (s *scene) provider(folder string) *provider.Provider {
	m := must(helpers.ParseMaterial([]byte(`{"version":1,"registry":"ghcr.io","type":"ghcr","credentials":{"GITHUB_USERNAME":"somebody","GITHUB_TOKEN":"not-a-secret"}}`)))(s.stage)
	p := must(provider.New(provider.Options{Folder: folder, Source: provider.Materials{m}}))(s.stage)
	s.Cleanup(func() { p.Close() })
	return p
}
