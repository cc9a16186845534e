package provider

import (
	"path/filepath"
	"strings"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/execute"
)

// defaultDeadline bounds a look-up: more than the ten seconds that a helper gives itself, so that a helper in trouble
// still gets to say what the trouble is.
const defaultDeadline = 15 * time.Second

// longestDeadline is what a helper gives itself at the most. Times can be added to it.
const longestDeadline = 24 * time.Hour

// A Policy says whose identity a provider may use.
type Policy int

const (
	// Isolated uses the material of the Source and nothing else. It is for a process that serves tenants.
	Isolated Policy = iota
	// Ambient lets the helpers use what a person has on their machine: logins, environment keys, the machine's own
	// identity.
	Ambient
)

// Options say how a provider works. Folder is needed, and Source under the policy Isolated.
type Options struct {
	// Folder is the absolute path of the folder with the helpers. It, the helpers in it and every folder above it
	// belong to root or to the user of this process, and nobody else can write there: this is checked for each call.
	Folder string
	// Source yields the tenant's material; an empty [Materials] has none, where the provider is there to derive those of
	// tenants from, see [Provider.For]. It must not look at values of the context to tell tenants apart, and has to end
	// when the context does: Close waits for it.
	Source helpers.Source
	// Policy is Isolated unless it is set.
	Policy Policy
	// Environ is the environment of the helpers under the policy Ambient, as os.Environ returns it. It must be empty
	// under the policy Isolated.
	Environ []string
	// Network is what isolated helpers need to reach the token services. It says nothing under the policy Ambient,
	// where Environ does.
	Network Network
	// MapFile is the absolute path of a map file, for this package and the helpers; see [helpers.ReadMap]. It may be empty.
	MapFile string
	// Deadline bounds a look-up, the wait for a turn included; 0 stands for 15 seconds. It is a day at the most.
	Deadline time.Duration
	// Concurrent is how many helpers run at once; 0 stands for 8, which is the most that is of use. The tenants share them,
	// see [Provider.For].
	Concurrent int
	// TempFolder is where [Provider.BuildEnvironment] makes its private folders; the system's own when it is empty.
	TempFolder string
	// Trace is told what happens.
	Trace Trace
	// Now is the clock; time.Now when it is nil.
	Now func() time.Time
}

// Tenanted is a Source that knows whose material it yields. A worker that makes a Source for each image makes it a Tenanted
// one, so that all the images of a tenant count as one when helpers wait for their turn.
type Tenanted interface {
	helpers.Source
	// Tenant returns the tenant's name. It is compared with those of other tenants, and shown to nobody.
	Tenant() string
}

// Network is the part of a helper's environment that leads it through a company's network. Its values are handed to
// the helpers as they are, and must hold no password that a tenant may not see.
type Network struct {
	HTTPProxy  string // HTTP_PROXY
	HTTPSProxy string // HTTPS_PROXY
	NoProxy    string // NO_PROXY
	CertFile   string // SSL_CERT_FILE, absolute
	CertDir    string // SSL_CERT_DIR, absolute paths as in PATH
}

// environ returns what is set, as KEY=VALUE.
func (n Network) environ() []string {
	var env []string
	for _, entry := range [...][2]string{
		{"HTTP_PROXY", n.HTTPProxy}, {"HTTPS_PROXY", n.HTTPSProxy}, {"NO_PROXY", n.NoProxy},
		{"SSL_CERT_FILE", n.CertFile}, {"SSL_CERT_DIR", n.CertDir},
	} {
		if entry[1] != "" {
			env = append(env, entry[0]+"="+entry[1])
		}
	}
	return env
}

// check says what is wrong with the options, as a person would want to know.
func (o Options) check() error {
	switch {
	case !filepath.IsAbs(o.Folder):
		return badOption("the folder of the helpers is not an absolute path", "give Folder the absolute path of the folder where the helpers are installed")
	case o.Policy != Isolated && o.Policy != Ambient:
		return badOption("the policy is neither Isolated nor Ambient", "leave Policy out, which is Isolated, or set it to Ambient")
	case o.Policy == Isolated && o.Source == nil:
		return badOption("the policy Isolated has no Source", "give Source the material of the tenant, or provider.Materials{} where For gives each tenant's")
	case o.Policy == Isolated && len(o.Environ) > 0:
		return badOption("the policy Isolated takes no Environ", "leave Environ out; Network leads the helpers through a network")
	case o.Policy == Ambient && o.Source != nil:
		return badOption("the policy Ambient takes no Source", "leave Source out, or Policy, which is Isolated then")
	case o.MapFile != "" && !filepath.IsAbs(o.MapFile):
		return badOption("the map file is not an absolute path", "give MapFile an absolute path, or leave it out")
	case o.Deadline < 0, o.Concurrent < 0:
		return badOption("the deadline or the number of concurrent helpers is negative", "leave it out for the usual one")
	}
	for _, entry := range o.Network.environ() {
		if strings.ContainsRune(entry, 0) {
			return badOption("an entry of Network holds a zero byte", "see where its value comes from")
		}
	}
	return nil
}

func badOption(what, hint string) error {
	return helpers.Fail(helpers.BadRequest, "provider: "+what, hint)
}

// readMap reads the map file, if one is named.
func readMap(path string) (*helpers.Map, error) {
	if path == "" {
		return nil, nil
	}
	return helpers.ReadMap(path)
}

// openFolder checks the folder and allows the helpers of the table.
func openFolder(o Options) (*execute.Folder, error) {
	var names []string
	for _, t := range helpers.Types() {
		names = append(names, t.Name)
	}
	f, err := execute.OpenFolder(o.Folder, execute.Options{Types: names, Concurrent: o.Concurrent, Deadline: o.Deadline})
	return f, execute.Failure(err)
}
