package helpers

// A Type is one family of registries: a row of the table that decides which helper a host belongs to and which keys
// are looked at for it. The type follows from the host alone, never from which keys happen to be set.
type Type struct {
	// Name is the last part of the helper's name: "ecr" for docker-credential-beta9-ecr.
	Name string
	// Beta9 is the name that Beta9's secrets use for the type.
	Beta9 string
	// Computed tells that the credential is made from the material by a token service, so that it expires.
	Computed bool
	// Keys are the alternatives of material, in the order in which they are tried.
	Keys []KeySet

	hosts []string          // host rules, see matchHost
	owns  func(string) bool // for hosts that a rule cannot describe
}

// ExecutablePrefix is what the name of every helper starts with.
const ExecutablePrefix = "docker-credential-beta9-"

// CatchAll tells whether the row takes every host that no other row does.
func (t Type) CatchAll() bool { return t.Name == generic().Name }

// Executable returns the file name of the type's helper, without the .exe of Windows.
func (t Type) Executable() string { return ExecutablePrefix + t.Name }

// types is THE table; the first row that matches wins. Hosts are matched in canonical form and without a port: a
// registry of one of the named services on another port is not that service. The last row takes every other host.
var types = [...]Type{
	{
		Name: "dockerhub", Beta9: "dockerhub", hosts: []string{hub},
		Keys: []KeySet{
			{Secret: "DOCKERHUB_TOKEN", Needs: []string{"DOCKERHUB_USERNAME"}},
			{Secret: "DOCKERHUB_PASSWORD", Needs: []string{"DOCKERHUB_USERNAME"}},
			{Secret: "DOCKER_PASSWORD", Needs: []string{"DOCKER_USERNAME"}},
		},
	},
	{
		Name: "ghcr", Beta9: "ghcr", hosts: []string{"ghcr.io", "docker.pkg.github.com"},
		Keys: []KeySet{
			{Secret: "GITHUB_TOKEN", Takes: githubUsers},
			{Secret: "GH_TOKEN", Takes: githubUsers},
			{Secret: "CR_PAT", Takes: githubUsers},
		},
	},
	{
		Name: "ngc", Beta9: "ngc", hosts: []string{"nvcr.io", "*.nvcr.io"},
		Keys: []KeySet{
			{Secret: "NGC_API_KEY", File: "NGC_API_KEY_FILE"},
			{Secret: "NGC_CLI_API_KEY", File: "NGC_CLI_API_KEY_FILE"},
		},
	},
	{
		Name: "gcr", Beta9: "gcp", Computed: true,
		hosts: []string{"gcr.io", "*.gcr.io", "*-docker.pkg.dev", "docker.*.rep.pkg.dev"},
		Keys: []KeySet{
			{Secret: "GCP_ACCESS_TOKEN", Takes: googleProject},
			{Secret: "GCP_SERVICE_ACCOUNT_JSON", Takes: googleProject},
			{Secret: "GOOGLE_APPLICATION_CREDENTIALS_JSON", Takes: googleProject},
			{Secret: "GOOGLE_APPLICATION_CREDENTIALS", Takes: googleProject, Bound: true}, // content; in an environment a path
		},
	},
	{
		Name: "acr", Beta9: "azure", Computed: true, owns: isACR,
		Keys: []KeySet{
			{Secret: "AZURE_CLIENT_SECRET", Needs: azureApplication},
			{Secret: "AZURE_CLIENT_CERTIFICATE", Needs: azureApplication, File: "AZURE_CLIENT_CERTIFICATE_PATH"},
			{Secret: "ACR_TOKEN_PASSWORD", Needs: []string{"ACR_TOKEN_NAME"}},
		},
	},
	{
		Name: "ecr", Beta9: "aws", Computed: true,
		owns: func(host string) bool { _, ok := parseECRHost(host, partitions); return ok },
		Keys: []KeySet{
			{Secret: "AWS_SECRET_ACCESS_KEY", Needs: []string{"AWS_ACCESS_KEY_ID"}, Takes: []string{"AWS_SESSION_TOKEN", "AWS_REGION"}},
		},
	},
	{
		Name: "generic", Beta9: "generic", owns: func(string) bool { return true },
		Keys: []KeySet{
			{Secret: "IBMCLOUD_API_KEY", Hosts: []string{"icr.io", "*.icr.io"}, Username: "iamapikey"},
			{Secret: "SCW_SECRET_KEY", Hosts: []string{"rg.*.scw.cloud"}, Username: "nologin"},
			{Secret: "DIGITALOCEAN_ACCESS_TOKEN", Hosts: []string{"registry.digitalocean.com"}},
			{Secret: "REGISTRY_PASSWORD", Needs: []string{"REGISTRY_USERNAME"}, HostKey: "REGISTRY"},
			{Secret: "PASSWORD", Needs: []string{"USERNAME"}, HostKey: "REGISTRY"},
			{Secret: "CI_REGISTRY_PASSWORD", Needs: []string{"CI_REGISTRY_USER"}, HostKey: "CI_REGISTRY"},
			{Secret: "CI_DEPLOY_PASSWORD", Needs: []string{"CI_DEPLOY_USER"}, HostKey: "CI_REGISTRY"},
		},
	},
}

var (
	githubUsers      = []string{"GITHUB_USERNAME", "GITHUB_ACTOR"}
	googleProject    = []string{"GCP_PROJECT_ID"}
	azureApplication = []string{"AZURE_TENANT_ID", "AZURE_CLIENT_ID"}
)

// Types returns the rows of the table in the order in which they are matched.
func Types() []Type { return append([]Type(nil), types[:]...) }

// TypeNamed returns the row of a name, in this project's vocabulary or in Beta9's.
func TypeNamed(name string) (Type, bool) {
	for _, t := range types {
		if t.Name == name || t.Beta9 == name {
			return t, true
		}
	}
	return Type{}, false
}

// Lookup returns the row that the registry belongs to by the compiled-in table. It reports false for a registry that
// serves public images only, for a cloud registry whose server URL carried a user, and for the zero Registry.
// [Map.Lookup] also knows what the user has pinned.
func Lookup(r Registry) (Type, bool) { return (*Map)(nil).Lookup(r) }

func (t Type) matches(host string) bool {
	return matchAny(t.hosts, host) || t.owns != nil && t.owns(host)
}

// generic is the row that takes what no other row does.
func generic() Type { return types[len(types)-1] }
