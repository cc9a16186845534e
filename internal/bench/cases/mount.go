package cases

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/beam-cloud/clip/pkg/clip"
	"github.com/beam-cloud/clip/pkg/common"
	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/bench/measure"
	"github.com/beam-cloud/docker-credential-beta9/internal/bench/report"
	"github.com/beam-cloud/docker-credential-beta9/internal/needs"
	"github.com/beam-cloud/docker-credential-beta9/internal/registrytest"
	"github.com/beam-cloud/docker-credential-beta9/provider"
)

// mount is what our provider adds to CLIP's work.
func mount(s *scene) report.Section {
	section := report.Section{
		Title: "CLIP, with our provider and without",
		About: "CLIP indexes an image of two layers and a megabyte in a private registry of this process, and mounts the index and reads a file\n" +
			"of it. With our provider, which has to run a helper for each of these, because nothing is known of the tenant yet; with our\n" +
			"provider when it knows; and with CLIP's static provider, which is handed the password.",
		Columns: []string{"", "index", "to the static provider", "mount and read", "to the static provider"},
	}
	const user, password = "somebody", "not-a-secret"
	s.do(clip.SetLogLevel("disabled"))
	reg := registrytest.Start(s.stage, registrytest.Options{Auth: registrytest.Basic, Accounts: map[string]string{user: password}})
	text := make([]byte, 1<<20)
	for i := range text {
		text[i] = byte(i * i >> 8) // neither constant nor noise
	}
	image := must(registrytest.Image(nil, []registrytest.File{{Path: "etc/motd", Mode: 0o644, Data: []byte("hello\n")}},
		[]registrytest.File{{Path: "srv/data", Mode: 0o644, Data: text}}))(s.stage)
	ref := reg.MustPush(s.stage, "acme/app:1", image)

	m := must(helpers.ParseMaterial([]byte(fmt.Sprintf(
		`{"version":1,"registry":%q,"type":"generic","credentials":{"REGISTRY_USERNAME":%q,"REGISTRY_PASSWORD":%q}}`, reg.Name(), user, password))))(s.stage)
	warm := must(provider.New(provider.Options{Folder: s.programs.dir, Source: provider.Materials{m}}))(s.stage)
	s.Cleanup(func() { warm.Close() })
	static := common.NewStaticProvider(map[string]*authn.AuthConfig{reg.Name(): {Username: user, Password: password}})
	const plain, known, cold = "CLIP's static provider", "ours, when it knows", "ours, the first time"
	ways := []struct {
		name string
		who  report.Who
		make func() (common.RegistryCredentialProvider, func() error)
	}{
		{plain, report.Peer, func() (common.RegistryCredentialProvider, func() error) { return static, func() error { return nil } }},
		{known, report.Ours, func() (common.RegistryCredentialProvider, func() error) { return warm, func() error { return nil } }},
		{cold, report.Ours, func() (common.RegistryCredentialProvider, func() error) {
			p := must(warm.For(provider.Materials{m}))(s.stage)
			return p, p.Close
		}},
	}
	dir := s.TempDir()
	archive := filepath.Join(dir, "image.clip")
	work := map[string]func(common.RegistryCredentialProvider) error{
		"index": func(p common.RegistryCredentialProvider) error {
			return clip.CreateFromOCIImage(s.ctx, clip.CreateFromOCIImageOptions{ImageRef: ref, OutputPath: archive, CredProvider: p})
		},
	}
	if err := s.part(func() { needs.FUSE(s.stage) }); err != nil {
		section.Missing = append(section.Missing, err.Error())
	} else {
		work["mount"] = func(p common.RegistryCredentialProvider) error { return s.mountAndRead(archive, p, string(text)) }
	}
	s.do(work["index"](static))

	subjects := map[string][]measure.Subject{}
	for what, do := range work {
		for _, way := range ways {
			subjects[what] = append(subjects[what], measure.Subject{Name: way.name, Run: func() (measure.Sample, error) {
				p, done := way.make()
				sample, err := measure.Timed(func() error { return do(p) })()
				if err2 := done(); err == nil {
					err = err2
				}
				return sample, err
			}})
		}
	}
	plan := s.plan
	plan.Rounds, plan.Most = max(plan.Rounds/3, 4), 4 // one round takes a fifth of a second
	outcomes := map[string]measure.Outcome{}
	noise := measure.Noise{}
	for what, of := range subjects {
		o := must(plan.Run(s.ctx, of[0], of[0], of[1:]))(s.stage)
		outcomes[what], noise = o, measure.Worst(noise, o.Noise)
	}
	section.Noise = &noise
	for _, way := range ways {
		row := report.Row{Name: way.name, Who: way.who}
		for _, what := range []string{"index", "mount"} {
			o, ok := outcomes[what]
			if !ok {
				row.Cells = append(row.Cells, report.Empty, report.Empty)
				continue
			}
			wall, versus := o.Of(way.name).Wall(), report.Empty
			if way.who == report.Ours {
				versus = report.Of(wall.Over(o.Floor().Wall()), report.Ratio).To(plain + ", " + what)
			}
			row.Cells = append(row.Cells, report.Of(wall, report.Seconds), versus)
		}
		section.Rows = append(section.Rows, row)
	}
	return section
}

// mountAndRead mounts an index, reads a file and unmounts again.
func (s *scene) mountAndRead(archive string, p common.RegistryCredentialProvider, want string) error {
	dir, err := os.MkdirTemp(s.dir, "mount-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	at := filepath.Join(dir, "mnt")
	start, failed, server, err := clip.MountArchive(clip.MountOptions{
		ArchivePath: archive, MountPoint: at, CachePath: filepath.Join(dir, "cache"), RegistryCredProvider: p,
	})
	if err != nil {
		return err
	}
	if err := start(); err != nil {
		return err
	}
	if err := server.WaitMount(); err != nil {
		return err
	}
	data, err := os.ReadFile(filepath.Join(at, "srv/data"))
	if err == nil && string(data) != want {
		err = fmt.Errorf("%d bytes were read through the mount, not the %d of the file", len(data), len(want))
	}
	if unmounted := server.Unmount(); err == nil {
		err = unmounted
	}
	for broken := range failed { // closed once the server has ended
		if err == nil {
			err = broken
		}
	}
	return err
}
