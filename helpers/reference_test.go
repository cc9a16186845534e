package helpers_test

import (
	_ "crypto/sha512" // for what reference says to digests
	"strings"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/distribution/reference"
	"github.com/google/go-containerregistry/pkg/name"
	"pgregory.net/rapid"
)

const (
	hex64  = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	sha256 = "sha256:" + hex64
	sha512 = "sha512:" + hex64 + hex64
	sha384 = "sha384:" + hex64 + "0123456789abcdef0123456789abcdef"
)

// Reasons why another parser is not followed.
const (
	isOneRegistry   = "Docker Hub is one registry under all its names, and a short name on it is the library's"
	isACanonical    = "a dot at the end of a host, an underscore and an address without brackets are canonicalised, as in a server URL"
	isNoPort        = "a port is a number from 1 to 65535"
	isNoLabel       = "a label has 63 characters at most (RFC 1035)"
	isNoAddress     = "what stands in brackets is an IPv6 address"
	isNotRegistered = "the image specification registers sha256 and sha512"
	isGrammar       = "Docker's grammar of hosts, names and tags is narrower, and registries hold to it"
	isAnID          = "64 hex digits are an image's id, which docker does not take for a name"
	isUpperCase     = "docker takes a first component with an upper-case letter for a host"
)

var references = []struct {
	in, want string // what String returns; empty when it is refused
	// Why Docker's own parser, and go-containerregistry's, see it another way; empty when they do not.
	docker, ggcr string
}{
	{"ubuntu", "docker.io/library/ubuntu:latest", "", ""},
	{"ubuntu:22.04", "docker.io/library/ubuntu:22.04", "", ""},
	{"ubuntu@" + sha256, "docker.io/library/ubuntu@" + sha256, "", ""},
	{"ubuntu:22.04@" + sha256, "docker.io/library/ubuntu:22.04@" + sha256, "", ""},
	{"ubuntu@" + sha512, "docker.io/library/ubuntu@" + sha512, "", ""},
	{"ubuntu@" + sha384, "", isNotRegistered, isNotRegistered},
	{"library/ubuntu", "docker.io/library/ubuntu:latest", "", ""},
	{"acme/app", "docker.io/acme/app:latest", "", ""},
	{"acme/team/app", "docker.io/acme/team/app:latest", "", ""},
	{"docker.io/ubuntu", "docker.io/library/ubuntu:latest", "", ""},
	{"index.docker.io/ubuntu", "docker.io/library/ubuntu:latest", "", ""},
	{"docker.io/acme/app:1", "docker.io/acme/app:1", "", ""},
	{"registry-1.docker.io/ubuntu", "docker.io/library/ubuntu:latest", isOneRegistry, isOneRegistry},
	{"docker.io:443/ubuntu", "docker.io/library/ubuntu:latest", isOneRegistry, isOneRegistry},
	{"DOCKER.IO/ubuntu", "docker.io/library/ubuntu:latest", isOneRegistry, isOneRegistry},
	{"registry-1.docker.io/acme/app", "docker.io/acme/app:latest", "", ""},
	{"docker.io:5000/ubuntu", "docker.io:5000/ubuntu:latest", "", ""},

	{"ghcr.io/acme/app", "ghcr.io/acme/app:latest", "", ""},
	{"ghcr.io/app", "ghcr.io/app:latest", "", ""},
	{"GHCR.io/acme/app:V1", "ghcr.io/acme/app:V1", "", ""},
	{"ghcr.io:443/acme/app", "ghcr.io/acme/app:latest", "", ""},
	{"ghcr.io:0443/acme/app", "ghcr.io/acme/app:latest", "", ""},
	{"ghcr.io:80/acme/app", "ghcr.io:80/acme/app:latest", "", ""},
	{"ghcr.io./acme/app", "ghcr.io/acme/app:latest", isACanonical, ""},
	{"ghcr.io/v1", "ghcr.io/v1:latest", "", ""},
	{"nvcr.io/nvidia/cuda:12.4.1-base-ubuntu22.04", "nvcr.io/nvidia/cuda:12.4.1-base-ubuntu22.04", "", ""},
	{"123456789012.dkr.ecr.us-east-1.amazonaws.com/app:1", "123456789012.dkr.ecr.us-east-1.amazonaws.com/app:1", "", ""},
	{"us-docker.pkg.dev/p/r/i", "us-docker.pkg.dev/p/r/i:latest", "", ""},

	{"localhost/app", "localhost/app:latest", "", ""},
	{"localhost:5000/app", "localhost:5000/app:latest", "", ""},
	{"localhost", "docker.io/library/localhost:latest", "", ""},
	{"localhost:5000", "docker.io/library/localhost:5000", "", ""},
	{"ghcr.io", "docker.io/library/ghcr.io:latest", "", ""},
	{"host:5000/app", "host:5000/app:latest", "", ""},
	{"host:5000/app:1", "host:5000/app:1", "", ""},
	{"host/app", "docker.io/host/app:latest", "", ""},
	{"Host/app", "host:443/app:latest", "", isUpperCase},
	{"host:443/app", "host:443/app:latest", "", ""},
	{"LOCALHOST/app", "localhost/app:latest", "", isUpperCase},
	{"127.0.0.1/app", "127.0.0.1/app:latest", "", ""},
	{"[::1]:5000/app:1", "[::1]:5000/app:1", "", ""},
	{"[0::1]/app", "[::1]/app:latest", "", ""},
	{"::1/app", "[::1]/app:latest", isACanonical, ""},
	{"my_registry:5000/app", "my_registry:5000/app:latest", isACanonical, ""},
	{"my_org/app", "docker.io/my_org/app:latest", "", ""},

	{"a/b__c/d.e-f--g", "docker.io/a/b__c/d.e-f--g:latest", "", ""},
	{strings.Repeat("a", 247), "docker.io/library/" + strings.Repeat("a", 247) + ":latest", "", ""},
	{strings.Repeat("a", 248), "", "", isGrammar},
	{"ghcr.io/" + strings.Repeat("a", 255), "ghcr.io/" + strings.Repeat("a", 255) + ":latest", "", ""},
	{"ghcr.io/" + strings.Repeat("a", 256), "", "", ""},
	{"a:" + strings.Repeat("t", 128), "docker.io/library/a:" + strings.Repeat("t", 128), "", ""},
	{"a:" + strings.Repeat("t", 129), "", "", ""},

	{"", "", "", ""},
	{" ubuntu", "", "", ""},
	{" ghcr.io/acme/app", "", "", ""},
	{"ghcr.io/acme/app ", "", "", ""},
	{"\ufeffghcr.io/acme/app", "", "", isGrammar},
	{"ghcr.io /app", "", "", ""},
	{"gh\ncr.io/app", "", "", ""},
	{"ghcr.io\x00/app", "", "", ""},
	{"ghcr.io/acme/app\n", "", "", ""},
	{"https://ghcr.io/acme/app", "", "", ""},
	{"docker://ubuntu", "", "", isGrammar},
	{"//ghcr.io/app", "", "", isGrammar},
	{"Ubuntu", "", "", ""},
	{"acme/App", "", "", ""},
	{"ghcr.io/Acme/app", "", "", ""},
	{"ghcr.io/", "", "", ""},
	{"ghcr.io//app", "", "", isGrammar},
	{"ghcr.io/app/", "", "", isGrammar},
	{"/app", "", "", isGrammar},
	{"acme//app", "", "", isGrammar},
	{"a..b", "", "", isGrammar},
	{"a___b", "", "", isGrammar},
	{"a._b", "", "", isGrammar},
	{"-a", "", "", isGrammar},
	{"a-", "", "", isGrammar},
	{"a.", "", "", isGrammar},
	{"../app", "", "", isGrammar},
	{"./app", "", "", isGrammar},
	{":5000/app", "", "", isGrammar},
	{"ghcr.io:/app", "", "", isGrammar},
	{"ghcr.io:0/app", "", isNoPort, isNoPort},
	{"ghcr.io:65536/app", "", isNoPort, isNoPort},
	{"ghcr.io:x/app", "", "", ""},
	{"[::1/app", "", "", ""},
	{"[:::]/app", "", isNoAddress, ""},
	{strings.Repeat("a", 64) + ".io/app", "", isNoLabel, isNoLabel},
	{"user@ghcr.io/app", "", "", ""},
	{"user:pass@ghcr.io/app", "", "", ""},
	{"ghcr.io@evil.example/app", "", "", ""},
	{"ghcr.io#evil.example/app", "", "", ""},
	{"ghcr.io?evil.example/app", "", "", ""},
	{"ghcr.io\\evil.example/app", "", "", ""},
	{"gh%63r.io/app", "", "", ""},
	{"gh\u0441r.io/app", "", "", isGrammar},
	{"ubuntu:", "", "", ""},
	{"ubuntu:.x", "", "", isGrammar},
	{"ubuntu:-x", "", "", isGrammar},
	{"ubuntu:a b", "", "", ""},
	{"ubuntu:a/b", "", "", ""},
	{"ubuntu@", "", "", ""},
	{"ubuntu@sha256:abc", "", "", ""},
	{"ubuntu@" + strings.ToUpper(sha256), "", "", ""},
	{"ubuntu@" + sha256 + "@" + sha256, "", "", ""},
	{"ubuntu@md5:" + hex64, "", "", ""},
	{"@" + sha256, "", "", ""},
	{hex64, "", "", isAnID},
	{"docker.io/" + hex64, "docker.io/library/" + hex64 + ":latest", "", ""},
	{hex64 + ":1", "docker.io/library/" + hex64 + ":1", "", ""},
}

func TestReferencesAreReadAsDockerDoes(t *testing.T) {
	for _, row := range references {
		ours, docker, ggcr := byUs(row.in), byDocker(row.in), byGGCR(row.in)
		if ours != row.want {
			t.Errorf("%q is %q, want %q", row.in, ours, row.want)
			continue
		}
		if ours == "" {
			if _, err := helpers.ParseReference(row.in); helpers.ReasonOf(err) != helpers.BadRequest || helpers.HintOf(err) == "" {
				t.Errorf("%q: %v (%q), want a %s with a hint", row.in, err, helpers.HintOf(err), helpers.BadRequest)
			}
		}
		if (docker != ours) != (row.docker != "") {
			t.Errorf("%q is %q, and Docker's parser says %q (%s)", row.in, ours, docker, row.docker)
		}
		// go-containerregistry drops the tag in front of a digest.
		if i, j := strings.LastIndex(ours, ":22.04@"), strings.IndexByte(ours, '@'); i >= 0 {
			ours = ours[:i] + ours[j:]
		}
		if (ggcr != ours) != (row.ggcr != "") {
			t.Errorf("%q is %q, and go-containerregistry says %q (%s)", row.in, ours, ggcr, row.ggcr)
		}
	}
}

func byUs(s string) string {
	ref, err := helpers.ParseReference(s)
	if err != nil {
		return ""
	}
	return ref.String()
}

// byDocker is what Docker's own parser makes of a reference, with the host in canonical form.
func byDocker(s string) string {
	ref, err := reference.ParseNormalizedNamed(s)
	if err != nil {
		return ""
	}
	return written(reference.Domain(ref), strings.TrimPrefix(reference.TagNameOnly(ref).String(), reference.Domain(ref)))
}

// byGGCR is what go-containerregistry makes of a reference in its lenient reading, which is the one its clients use.
func byGGCR(s string) string {
	ref, err := name.ParseReference(s)
	if err != nil {
		return ""
	}
	domain := ref.Context().RegistryStr()
	return written(domain, strings.TrimPrefix(ref.Name(), domain))
}

func written(domain, rest string) string {
	r, err := helpers.ParseServerURL(domain)
	if err != nil {
		return domain + rest
	}
	host := r.HostPort()
	if !strings.ContainsAny(host, ".:") && host != "localhost" {
		host += ":443" // it would be read as part of a name otherwise
	}
	return host + rest
}

func TestAReferenceTellsItsParts(t *testing.T) {
	ref, err := helpers.ParseReference("GHCR.io:443/acme/app:v1@" + sha256)
	if err != nil {
		t.Fatal(err)
	}
	if ref.Registry().Identity() != "ghcr.io" || ref.Repository() != "acme/app" || ref.Registry().Scope() != "acme/app" ||
		ref.Tag() != "v1" || ref.Digest() != sha256 {
		t.Errorf("%s: registry %s, repository %s, scope %s, tag %s, digest %s",
			ref, ref.Registry().Identity(), ref.Repository(), ref.Registry().Scope(), ref.Tag(), ref.Digest())
	}
}

// typed draws a reference as a person types it, well or not.
var typed = rapid.Custom(func(t *rapid.T) string {
	pick := func(label string, of ...string) string { return rapid.SampledFrom(of).Draw(t, label) }
	domain := pick("domain", "", "", "", "docker.io/", "index.docker.io/", "registry-1.docker.io/", "ghcr.io/", "GHCR.IO/", "ghcr.io:443/", "localhost/", "Host/",
		"host:5000/", "localhost:80/", "[::1]:5000/", "[2001:DB8::1]/", "127.0.0.1:5000/", "a.b.c.d/", "host.:1/", "a_b.c/")
	path := rapid.StringMatching(`[a-z0-9]{1,3}([._/-]{0,2}[a-z0-9A-Z]{1,2}){0,4}`).Draw(t, "path")
	tag := pick("tag", "", "", ":latest", ":v1.2_x-3", ":V", ":", ":.x", ":a/b")
	digest := pick("digest", "", "", "", "@"+sha256, "@"+sha512, "@sha256:0", "@")
	return domain + path + tag + digest
})

// Where two parsers both take a reference they have to mean the same registry and the same repository: a pull that one
// of them has allowed is otherwise made from another place.
func TestNoParserMeansAnotherImage(t *testing.T) {
	taken := 0
	rapid.Check(t, func(rt *rapid.T) {
		s := typed.Draw(rt, "reference")
		ours, err := helpers.ParseReference(s)
		if err != nil {
			if byDocker(s) != "" {
				rt.Fatalf("%q is refused, and Docker's parser takes it: %v", s, err)
			}
			return
		}
		taken++
		if again := byUs(ours.String()); again != ours.String() {
			rt.Fatalf("%q is %q, which is %q", s, ours, again)
		}
		if d, err := reference.ParseNormalizedNamed(s); err == nil {
			sameImage(rt, ours, reference.Domain(d), reference.Path(d))
		}
		if g, err := name.ParseReference(s); err == nil {
			sameImage(rt, ours, g.Context().RegistryStr(), g.Context().RepositoryStr())
		}
	})
	if taken == 0 {
		t.Error("no reference was taken")
	}
}

func sameImage(t *rapid.T, ours helpers.Reference, domain, repository string) {
	t.Helper()
	if domain == "" {
		return // Docker's parser finds no host in one with an underscore, and takes it for a part of the name
	}
	theirs, err := helpers.ParseServerURL(domain)
	if err != nil {
		t.Fatalf("%s: the other parser says %q: %v", ours, domain, err)
	}
	if theirs.Identity() == "docker.io" && !strings.Contains(repository, "/") {
		repository = "library/" + repository // see isOneRegistry
	}
	if theirs.Identity() != ours.Registry().Identity() || repository != ours.Repository() {
		t.Fatalf("%s: the other parser says %q, %q", ours, domain, repository)
	}
}
