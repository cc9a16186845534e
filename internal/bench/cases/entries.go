package cases

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/bench/measure"
	"github.com/beam-cloud/docker-credential-beta9/internal/bench/report"
	"github.com/beam-cloud/docker-credential-beta9/internal/cache"
	"github.com/beam-cloud/docker-credential-beta9/internal/folders"
	"github.com/beam-cloud/docker-credential-beta9/internal/store"
)

// sizes are how many entries there are, with the headings of their columns.
var sizes = []struct {
	n       int
	heading string
}{{1, "1"}, {100, "100"}, {10000, "10 000"}}

// A growing is something that is done beside so many entries.
type growing struct {
	name string
	who  report.Who
	// command makes the command for a home with so many entries.
	command func(home home, n int) *measure.Command
}

// A home is a folder of one person, with the environment that makes it one.
type home struct {
	dir     string
	environ []string
}

// entries is how cost grows with what is stored.
func entries(s *scene) report.Section {
	section := report.Section{
		Title: "Cost against stored entries",
		About: "The same calls beside 1, 100 and 10 000 entries: logins of the generic helper, tokens of the one for Azure, and tokens in the\n" +
			"cache of the vendor's ECR helper, which is one file.",
		Columns: []string{"", "1", "100", "10 000"},
	}
	azure, amazon := azures(s.stage, acrHost), amazon(s.stage)
	rows := []growing{
		{"get, stored", report.Ours, func(h home, _ int) *measure.Command {
			return s.get(helper("generic"), "registry0.example.com", h.environ)
		}},
		{"get of what is not there", report.Ours, func(h home, _ int) *measure.Command {
			c := s.command(helper("generic"), helpers.VerbGet, "nothing.example.com", h.environ)
			c.Accept = notFound
			return c
		}},
		{"list", report.Ours, func(h home, _ int) *measure.Command {
			return s.command(helper("generic"), helpers.VerbList, "", h.environ)
		}},
		{"store", report.Ours, func(h home, _ int) *measure.Command {
			return s.command(helper("generic"), helpers.VerbStore, login("registry0.example.com"), h.environ)
		}},
		{"get, cached, acr", report.Ours, func(h home, _ int) *measure.Command {
			return s.ready(s.get(helper("acr"), acrHost, environ(h.environ, azure.all())))
		}},
	}
	if s.programs.Has(vendorECR) {
		rows = append(rows, growing{"get, cached, vendor's ECR helper", report.Peer, func(h home, n int) *measure.Command {
			c := s.ready(s.get(vendorECR, ecrHost, environ(h.environ, amazon.all())))
			s.fillVendor(filepath.Join(h.dir, ".ecr", "cache.json"), n)
			return s.ready(c)
		}})
	}
	var subjects []subject
	for _, size := range sizes {
		dir, env := s.home()
		h := home{dir, env}
		s.fillLogins(h, size.n)
		s.fillTokens(h, size.n)
		for _, r := range rows {
			subjects = append(subjects, subject{name: r.name + ", " + size.heading, who: r.who, command: r.command(h, size.n)})
		}
	}
	o := s.run(subjects)
	section.Noise = &o.Noise
	for _, r := range rows {
		row := report.Row{Name: r.name, Who: r.who}
		for _, size := range sizes {
			row.Cells = append(row.Cells, report.Of(o.Of(r.name+", "+size.heading).Wall(), report.Seconds))
		}
		section.Rows = append(section.Rows, row)
	}
	return section
}

// shard is how many entries are made in one folder: whoever writes an entry looks at all that are there.
const shard = 250

// fill makes so many entries in the folders of a home. They are made in other homes with the same key, in memory where there
// is room for that, and copied, so that it takes seconds and not minutes; the name and the seal of an entry do not depend on
// where it lies.
func (s *scene) fill(h home, n int, folder string, make func(getenv func(string) string, i int) error) {
	own := filepath.Join(h.dir, ".local", "share", "beta9-credentials")
	to := filepath.Join(h.dir, folder)
	s.do(os.MkdirAll(to, 0o700))
	memory := must(os.MkdirTemp(inMemory(), "bench-"))(s.stage)
	defer os.RemoveAll(memory)
	for first := 0; first < n; first += shard {
		dir := filepath.Join(memory, fmt.Sprint(first))
		getenv := func(key string) string {
			switch key {
			case folders.HomeVariable:
				return dir
			case folders.KeyFileVariable:
				return filepath.Join(own, "key")
			}
			return ""
		}
		for i := first; i < min(n, first+shard); i++ {
			s.do(make(getenv, i))
		}
		s.do(moveFiles(filepath.Join(dir, filepath.Base(to)), to))
	}
}

// inMemory is a folder that is no disk, where there is one.
func inMemory() string {
	const shm = "/dev/shm"
	if info, err := os.Stat(shm); err == nil && info.IsDir() {
		return shm
	}
	return ""
}

// moveFiles copies the entries of one folder to another.
func moveFiles(from, to string) error {
	files, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(from, f.Name()))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, f.Name()), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// fillLogins stores so many logins.
func (s *scene) fillLogins(h home, n int) {
	s.store(helper("generic"), "registry0.example.com", h.environ) // which makes the key
	s.fill(h, n, ".local/share/beta9-credentials/logins", func(getenv func(string) string, i int) error {
		l, err := helpers.ReadLogin(strings.NewReader(login(fmt.Sprintf("registry%d.example.com", i))))
		if err != nil {
			return err
		}
		return store.Open(folders.New(getenv)).Put(s.ctx, "generic", l)
	})
}

// fillTokens has so many tokens cached, less one.
func (s *scene) fillTokens(h home, n int) {
	s.fill(h, n-1, ".cache/beta9-credentials/tokens", func(getenv func(string) string, i int) error {
		_, err := cache.Open("acr", getenv, time.Now).Source(filler(fmt.Sprint(i))).Token(s.ctx, helpers.Registry{})
		return err
	})
}

// A filler has a token for itself.
type filler string

func (f filler) Key(context.Context, helpers.Registry) (helpers.Key, error) {
	return helpers.Key{Token: string(f), Origin: string(f)}, nil
}

func (f filler) Token(context.Context, helpers.Registry) (helpers.Credential, error) {
	const size = 5000 // of Azure's tokens, in bytes
	return helpers.NewCredential("somebody", strings.Repeat("x", size), time.Now().Add(3*time.Hour)), nil
}

// fillVendor writes the entry in the vendor's cache so many times, under other accounts.
func (s *scene) fillVendor(path string, n int) {
	var file struct {
		Registries map[string]json.RawMessage `json:"registries"`
		Version    string                     `json:"version"`
	}
	s.do(json.Unmarshal(must(os.ReadFile(path))(s.stage), &file))
	if len(file.Registries) == 0 {
		s.Fatal("the cache of the vendor's ECR helper has another form than the one that is known")
	}
	for key, entry := range file.Registries {
		for i := range n - 1 {
			file.Registries[fmt.Sprintf("%s-%d", key, i)] = entry
		}
		break
	}
	s.do(os.WriteFile(path, must(json.Marshal(file))(s.stage), 0o600))
}
