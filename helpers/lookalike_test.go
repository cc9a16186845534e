package helpers_test

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// services is a second, independent way to say which hosts belong to which named service: whole-host expressions, against
// which the label-by-label table is held.
var services = []struct {
	typ  string
	host *regexp.Regexp
}{
	{"none", whole(`registry\.k8s\.io|(k8s|mirror)\.gcr\.io|mcr\.microsoft\.com|registry\.access\.redhat\.com`)},
	{"none", whole(`LABEL(\.LABEL)?\.data\.azurecr\.(io|cn|us)|layers(\.LABEL)?\.nvcr\.io`)},
	{"dockerhub", whole(`docker\.io`)},
	{"ghcr", whole(`ghcr\.io|docker\.pkg\.github\.com`)},
	{"ngc", whole(`(LABEL\.)?nvcr\.io`)},
	{"gcr", whole(`(LABEL\.)?gcr\.io|LABEL-docker\.pkg\.dev|docker\.LABEL\.rep\.pkg\.dev`)},
	{"acr", whole(`[a-z0-9]{5,50}(-[a-z0-9]+)?(\.[a-z0-9]+\.geo)?\.azurecr\.(io|cn|us)`)},
	{"ecr", whole(`public\.ecr\.aws|ecr-public\.aws\.com`)},
	{"ecr", ecrHosts(`us|eu|ap|sa|ca|me|af|il|mx|us-gov`, `amazonaws\.com`, `aws`)},
	{"ecr", ecrHosts(`cn`, `amazonaws\.com\.cn`, `amazonwebservices\.com\.cn`)},
	{"ecr", ecrHosts(`eusc-de`, `amazonaws\.eu`, `amazonwebservices\.eu`)},
	{"ecr", ecrHosts(`us-iso`, `c2s\.ic\.gov`, ``)},
	{"ecr", ecrHosts(`us-isob`, `sc2s\.sgov\.gov`, ``)},
	{"ecr", ecrHosts(`eu-isoe`, `cloud\.adc-e\.uk`, ``)},
	{"ecr", ecrHosts(`us-isof`, `csp\.hci\.ic\.gov`, ``)},
}

// whole anchors an expression at both ends. LABEL is one that a wildcard may stand for: letters, digits and hyphens.
func whole(expression string) *regexp.Regexp {
	return regexp.MustCompile(`\A(?:` + strings.ReplaceAll(expression, "LABEL", `[a-z0-9](?:[a-z0-9-]*[a-z0-9])?`) + `)\z`)
}

func ecrHosts(regions, suffix, dualStack string) *regexp.Regexp {
	region := `(` + regions + `)-[a-z]+-[0-9]+`
	expression := `[0-9]{12}\.dkr\.ecr(-fips)?\.` + region + `\.` + suffix
	if dualStack != "" {
		expression += `|[0-9]{12}\.dkr-ecr(-fips)?\.` + region + `\.on\.` + dualStack
	}
	return whole(expression)
}

// serviceOf returns the types that the expressions give a registry.
func serviceOf(r helpers.Registry) (types []string) {
	if r.Port() != "" || strings.Contains("."+r.Host(), ".xn--") {
		return nil
	}
	for _, s := range services {
		if s.host.MatchString(r.Host()) {
			types = append(types, s.typ)
		}
	}
	// Hosts of public images are taken out of the rows that would have them.
	if slices.Contains(types, "none") {
		return []string{"none"}
	}
	return types
}

// matching counts the rows that the expressions give a registry.
func matching(r helpers.Registry) int { return len(serviceOf(r)) }

// wantType is the type that the expressions give.
func wantType(r helpers.Registry) string {
	types := serviceOf(r)
	if len(types) == 0 {
		return "generic"
	}
	return types[0]
}

func TestTheTableAgreesWithTheExpressions(t *testing.T) {
	for _, host := range tableHosts(t) {
		r := parse(t, host)
		if got := typeOf(r); got != wantType(r) {
			t.Errorf("%s is %s by the table and %s by the expressions", host, got, wantType(r))
		}
	}
}

// named tells whether a type is one that credentials are kept for by the name of its hosts.
func named(typ string) bool { return typ != "generic" && typ != "none" }

// cloudHosts are the hosts of the tables that belong to a named service.
func cloudHosts(t testing.TB) []string {
	var hosts []string
	for _, host := range tableHosts(t) {
		if r := parse(t, host); named(typeOf(r)) && r.Port() == "" {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// disguises are the ways in which a host of an attacker is made to look like one of a service. The host that a request
// would go to is the attacker's in each.
var disguises = []func(rnd *rand.Rand, host, evil string) string{
	func(_ *rand.Rand, host, evil string) string { return host + "." + evil },
	func(_ *rand.Rand, host, evil string) string { return host + "-" + evil },
	func(_ *rand.Rand, host, evil string) string { return host + "@" + evil },
	func(_ *rand.Rand, host, evil string) string { return "https://" + host + ":443@" + evil },
	func(_ *rand.Rand, host, evil string) string { return "https://" + host + ":x@" + evil + "/" + host },
	func(_ *rand.Rand, host, evil string) string { return evil + "/" + host },
	func(_ *rand.Rand, host, evil string) string { return evil + "?" + host },
	func(_ *rand.Rand, host, evil string) string { return evil + "#" + host },
	func(_ *rand.Rand, host, evil string) string { return evil + "#@" + host },
	func(_ *rand.Rand, host, evil string) string { return evil + "/@" + host },
	func(_ *rand.Rand, host, evil string) string { return evil + "?x=https://" + host },
	func(_ *rand.Rand, host, evil string) string { return strings.ReplaceAll(host, ".", "-") + "." + evil },
	func(_ *rand.Rand, host, evil string) string {
		return "xn--" + strings.ReplaceAll(host, ".", "-") + "." + evil
	},
	func(_ *rand.Rand, host, evil string) string { return evil + "\\@" + host },
	func(_ *rand.Rand, host, evil string) string { return evil + "%2f@" + host },
	func(_ *rand.Rand, host, evil string) string { return evil + "%00." + host },
	func(_ *rand.Rand, host, evil string) string { return host + "\n." + evil },
	func(_ *rand.Rand, host, evil string) string { return host + "\x00." + evil },
	func(_ *rand.Rand, host, evil string) string { return host + "\\." + evil },
	func(_ *rand.Rand, host, evil string) string { return host + "." + evil + "." },
	func(_ *rand.Rand, host, evil string) string { return "http://" + host + "." + evil + ":80" },
	func(_ *rand.Rand, host, evil string) string { return strings.ToUpper(host) + "." + evil },
	func(rnd *rand.Rand, host, evil string) string { return fold(rnd, host) },
	func(rnd *rand.Rand, host, evil string) string { return fold(rnd, host) + "." + evil },
	func(_ *rand.Rand, host, evil string) string { return host + ":5000" },
	func(_ *rand.Rand, host, evil string) string { return "https://" + host + ":80" },
	func(_ *rand.Rand, host, evil string) string { return "[" + host + "]" },
	func(_ *rand.Rand, host, evil string) string { return "evil" + lastTwo(host) },
	func(_ *rand.Rand, host, evil string) string { return host + "m" },
	func(_ *rand.Rand, host, evil string) string { return "a.b.c." + host },
}

// fold puts a character in place of one of the host that looks like it or that a careless comparison takes for it.
func fold(rnd *rand.Rand, host string) string {
	alike := map[byte][]string{
		'a': {"\u0430", "\uff41"}, 'c': {"\u0441"}, 'e': {"\u0435"}, 'g': {"\uff47", "\u0261"}, 'i': {"\u0456", "\u0131"}, 'k': {"\u212a"},
		'o': {"\u043e", "\u03bf"}, 'r': {"\uff52"}, 's': {"\u017f"}, '.': {"\u3002", "\uff0e", "\u2024"}, '-': {"\u2010", "\u00ad"}, '1': {"\u00b9"},
	}
	var at []int
	for i := range len(host) {
		if alike[host[i]] != nil {
			at = append(at, i)
		}
	}
	i := at[rnd.IntN(len(at))]
	with := alike[host[i]]
	return host[:i] + with[rnd.IntN(len(with))] + host[i+1:]
}

// lastTwo returns the last two labels, without the dot before them.
func lastTwo(host string) string {
	labels := strings.Split(host, ".")
	return strings.Join(labels[len(labels)-2:], ".")
}

// A host in disguise belongs to no named service: 100 000 of them, and the same ones each time.
func TestNoLookAlikePassesForANamedService(t *testing.T) {
	hosts := cloudHosts(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	evils := []string{"evil.example", "evil.io", "evil.dev", "attacker.com.cn", "xn--gcr-0na.io", "evil-docker.io", "a.co", "amazonaws.com.evil.example"}
	refused, foreign := 0, 0
	for n := range 100_000 {
		host := hosts[rnd.IntN(len(hosts))]
		s := disguises[n%len(disguises)](rnd, host, evils[rnd.IntN(len(evils))])
		r, err := helpers.ParseServerURL(s)
		if err != nil {
			refused++
			continue
		}
		foreign++
		if got := typeOf(r); named(got) {
			t.Errorf("%q, made of %s, is taken for %s as %s", s, host, got, r.Identity())
		}
	}
	if refused < 10_000 || foreign < 10_000 {
		t.Errorf("%d refused, %d of another host: the disguises are not what they should be", refused, foreign)
	}
}

// A host with some of its characters changed is what the expressions say it is, whatever that is: 100 000 of them.
func TestAMutatedHostIsWhatItIs(t *testing.T) {
	hosts := tableHosts(t)
	rnd := rand.New(rand.NewPCG(3, 4))
	const characters = "abcdefghijklmnopqrstuvwxyz0123456789.-_:/@A"
	taken := map[string]int{}
	for range 100_000 {
		b := []byte(hosts[rnd.IntN(len(hosts))])
		for range 1 + rnd.IntN(3) {
			i, c := rnd.IntN(len(b)), characters[rnd.IntN(len(characters))]
			switch rnd.IntN(4) {
			case 0:
				b[i] = c
			case 1:
				b = slices.Insert(b, i, c)
			case 2:
				b = append(b, c)
			case 3:
				if len(b) > 1 {
					b = slices.Delete(b, i, i+1)
				}
			}
		}
		r, err := helpers.ParseServerURL(string(b))
		if err != nil {
			continue
		}
		want := wantType(r)
		authority, _, _ := strings.Cut(strings.TrimPrefix(string(b), "//"), "/")
		if strings.Contains(authority, "@") && slices.Contains([]string{"acr", "ecr", "gcr"}, want) {
			want = "none" // a user in the URL
		}
		if got := typeOf(r); got != want {
			t.Errorf("%q (%s) is %s, want %s", b, r.Identity(), got, want)
		}
		taken[want]++
	}
	for _, typ := range helpers.Types() {
		if taken[typ.Name] == 0 {
			t.Errorf("no mutation is of the type %s", typ.Name)
		}
	}
}
