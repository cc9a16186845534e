package helpers_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"pgregory.net/rapid"
)

// rows reads a table of hosts: one row a line, fields separated by spaces, the first one quoted as in Go where it needs
// to be. Lines that start with # are comments.
func rows(t testing.TB, name string) [][]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "testdata", "hosts", name))
	if err != nil {
		t.Fatal(err)
	}
	var table [][]string
	for n, line := range strings.Split(string(data), "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		var fields []string
		if line[0] == '"' {
			quoted, err := strconv.QuotedPrefix(line)
			if err != nil {
				t.Fatalf("%s:%d: %v", name, n+1, err)
			}
			first, err := strconv.Unquote(quoted)
			if err != nil {
				t.Fatalf("%s:%d: %v", name, n+1, err)
			}
			fields, line = append(fields, first), line[len(quoted):]
		}
		table = append(table, append(fields, strings.Fields(line)...))
	}
	if len(table) == 0 {
		t.Fatalf("%s has no rows", name)
	}
	return table
}

func parse(t testing.TB, s string) helpers.Registry {
	t.Helper()
	r, err := helpers.ParseServerURL(s)
	if err != nil {
		t.Fatalf("ParseServerURL(%q): %v", s, err)
	}
	return r
}

// typeOf names the type of a registry as the tables do.
func typeOf(r helpers.Registry) string {
	t, ok := helpers.Lookup(r)
	if !ok {
		return "none"
	}
	return t.Name
}

func TestEveryHostHasItsType(t *testing.T) {
	for _, row := range rows(t, "types.txt") {
		if got := typeOf(parse(t, row[0])); got != row[1] {
			t.Errorf("%s is %s, want %s", row[0], got, row[1])
		}
	}
}

func TestEveryTypeIsInTheTableOfHosts(t *testing.T) {
	seen := map[string]bool{}
	for _, row := range rows(t, "types.txt") {
		seen[row[1]] = true
	}
	for _, typ := range helpers.Types() {
		if !seen[typ.Name] {
			t.Errorf("testdata/hosts/types.txt has no host of the type %s", typ.Name)
		}
	}
}

func TestECRHostTellsAccountRegionAndPartition(t *testing.T) {
	for _, row := range rows(t, "ecr.txt") {
		r := parse(t, row[0])
		h, ok := (*helpers.Map)(nil).ECR(r)
		if len(row) == 2 { // no host of the service
			if ok || typeOf(r) == "ecr" {
				t.Errorf("%s is taken for ECR: %+v", row[0], h)
			}
			continue
		}
		if !ok || typeOf(r) != "ecr" {
			t.Errorf("%s is not taken for ECR", row[0])
			continue
		}
		account := strings.Trim(row[1], "-")
		var flags []string
		for _, f := range []struct {
			name string
			set  bool
		}{{"dualstack", h.DualStack}, {"fips", h.FIPS}, {"public", h.Public}} {
			if f.set {
				flags = append(flags, f.name)
			}
		}
		want := strings.Join(row[4:], "")
		if h.Account != account || h.Region != row[2] || h.Partition.Name != row[3] || strings.Join(flags, ",") != want {
			t.Errorf("%s: account %q, region %q, partition %q, %q; want %q", row[0], h.Account, h.Region, h.Partition.Name, flags, row[1:])
		}
	}
}

func TestEverySpellingIsFolded(t *testing.T) {
	table := append(rows(t, "spellings.txt"),
		[]string{"ghcr.io/" + strings.Repeat("a", 255), "ghcr.io", "ghcr", strings.Repeat("a", 255)},
		[]string{"ghcr.io/" + strings.Repeat("a", 256), "ghcr.io", "ghcr", "-"},
		[]string{strings.Repeat(" ", 9000) + "ghcr.io", "ghcr.io", "ghcr", "-"},
		[]string{"ghcr.io/" + strings.Repeat("a", 4096-8), "ghcr.io", "ghcr", "-"},
	)
	for _, row := range table {
		r, err := helpers.ParseServerURL(row[0])
		if err != nil {
			t.Errorf("ParseServerURL(%q): %v", row[0], err)
			continue
		}
		scope := strings.TrimPrefix(row[3], "-")
		if r.Identity() != row[1] || string(r.Scope()) != scope || typeOf(r) != row[2] {
			t.Errorf("%q is %s, %s, scope %q; want %s, %s, scope %q", row[0], r.Identity(), typeOf(r), r.Scope(), row[1], row[2], scope)
		}
	}
}

func TestWhatNamesNoHostIsToldSo(t *testing.T) {
	for _, row := range rows(t, "nohost.txt") {
		if r, err := helpers.ParseServerURL(row[0]); !errors.Is(err, helpers.ErrNoServerURL) || !r.IsZero() {
			t.Errorf("%q is %q: %v, want %v", row[0], r, err, helpers.ErrNoServerURL)
		}
	}
}

func TestWhatIsMalformedIsRefused(t *testing.T) {
	table := append(rows(t, "refused.txt"),
		[]string{strings.Repeat("a", 4097)},
		[]string{"ghcr.io/" + strings.Repeat("a", 4089)},
		[]string{strings.Repeat("a.", 126) + "io"})
	for _, row := range table {
		r, err := helpers.ParseServerURL(row[0])
		if helpers.ReasonOf(err) != helpers.BadRequest || errors.Is(err, helpers.ErrNoServerURL) || !r.IsZero() {
			t.Errorf("%q is %q: %v, want a %s", row[0], r, err, helpers.BadRequest)
			continue
		}
		if helpers.HintOf(err) == "" {
			t.Errorf("%q: the refusal has no hint", row[0])
		}
	}
}

// A refusal never quotes its input, which may carry a user and a password.
func TestARefusalQuotesNothing(t *testing.T) {
	const canary = "canary4711"
	for _, s := range []string{
		"https://user:" + canary + "@ghcr.io:x", canary + "://ghcr.io", canary + "\\x", "gh\ncr.io/" + canary, "ghcr.io:" + canary, "[" + canary,
		strings.Repeat(canary, 500),
	} {
		_, err := helpers.ParseServerURL(s)
		if err == nil {
			t.Errorf("%.80q is taken", s)
			continue
		}
		if line := helpers.ErrorLine(err) + helpers.HintOf(err); strings.Contains(line, canary) {
			t.Errorf("%.80q: %s", s, line)
		}
	}
}

func TestServerURLIsSpelledAsDockerDoes(t *testing.T) {
	for _, row := range []struct {
		in, serverURL string
		keys          []string
	}{
		{"docker.io", "https://index.docker.io/v1/", []string{"https://index.docker.io/v1/", "docker.io", "registry-1.docker.io"}},
		{"https://index.docker.io/v1/access-token", "https://index.docker.io/v1/access-token", nil},
		{"https://index.docker.io/v1/refresh-token", "https://index.docker.io/v1/refresh-token", nil},
		{"https://GHCR.io/o/r", "ghcr.io", []string{"ghcr.io"}},
		{"http://localhost:5000/", "localhost:5000", []string{"localhost:5000"}},
		{"[0::1]:5003", "[::1]:5003", []string{"[::1]:5003"}},
		{"docker.io:5000", "docker.io:5000", []string{"docker.io:5000"}},
	} {
		r := parse(t, row.in)
		if r.ServerURL() != row.serverURL {
			t.Errorf("%s: server URL %q, want %q", row.in, r.ServerURL(), row.serverURL)
		}
		if again := parse(t, r.ServerURL()); again.Identity() != r.Identity() {
			t.Errorf("%s: its server URL stands for %s", row.in, again.Identity())
		}
		if row.keys == nil {
			continue
		}
		if !slices.Equal(r.ConfigKeys(), row.keys) {
			t.Errorf("%s: keys %q, want %q", row.in, r.ConfigKeys(), row.keys)
		}
		for _, key := range r.ConfigKeys() {
			if again := parse(t, key); again.Identity() != r.Identity() {
				t.Errorf("%s: its key %s stands for %s", row.in, key, again.Identity())
			}
		}
	}
}

// spelled draws what a client might write for a registry: mostly a table's host in some dress, sometimes anything.
func spelled(hosts []string) *rapid.Generator[string] {
	pick := func(of ...string) *rapid.Generator[string] { return rapid.SampledFrom(of) }
	return rapid.Custom(func(t *rapid.T) string {
		if rapid.IntRange(0, 9).Draw(t, "wild") == 0 {
			return rapid.String().Draw(t, "anything")
		}
		host := rapid.OneOf(rapid.SampledFrom(hosts), rapid.StringMatching(`[a-zA-Z0-9._-]{1,30}`),
			pick("[::1]", "::1", "[2001:DB8:0::7]", "localhost")).Draw(t, "host")
		if rapid.Bool().Draw(t, "upper") {
			host = strings.ToUpper(host)
		}
		return pick("", "", " ", "\ufeff", "\t\n").Draw(t, "before") +
			pick("", "", "https://", "http://", "HTTPS://", "//", "ftp://").Draw(t, "scheme") +
			pick("", "", "", "", "user@", "u:p@").Draw(t, "user") + host +
			pick("", "", ".").Draw(t, "dot") +
			pick("", "", ":443", ":80", ":5000", ":0080", ":0").Draw(t, "port") +
			pick("", "/", "/v1/", "/v2", "/o/r", "/O", "/v1/access-token", "/v1/refresh-token", "/v1/x", "?q", "#f", "/a?b/c", "//x").Draw(t, "path") +
			pick("", "", "\n", "\r\n", " ").Draw(t, "after")
	})
}

func tableHosts(t testing.TB) []string {
	var hosts []string
	for _, row := range append(rows(t, "types.txt"), rows(t, "ecr.txt")...) {
		hosts = append(hosts, row[0])
	}
	return hosts
}

func TestCanonicalFormIsStable(t *testing.T) {
	hosts := tableHosts(t)
	rapid.Check(t, func(rt *rapid.T) { checkCanonical(rt, spelled(hosts).Draw(rt, "server URL")) })
}

// checkCanonical holds what is true of whatever the canonicaliser accepts.
func checkCanonical(t fatal, s string) {
	t.Helper()
	r, err := helpers.ParseServerURL(s)
	if err != nil {
		if !r.IsZero() {
			t.Fatalf("%q is refused and %s all the same", s, r)
		}
		return
	}
	again, err := helpers.ParseServerURL(r.String())
	if err != nil || again.String() != r.String() || again.Identity() != r.Identity() || again.Scope() != r.Scope() {
		t.Fatalf("%q is %q, which is %q: %v", s, r, again, err)
	}
	id, err := helpers.ParseServerURL(r.Identity())
	if err != nil || id.Identity() != r.Identity() || id.Scope() != "" {
		t.Fatalf("%q has the identity %q, which has %q: %v", s, r.Identity(), id.Identity(), err)
	}
	if r.Identity() != strings.ToLower(r.Identity()) || strings.ContainsAny(r.Identity(), " \t\r\n\x00\\%?#@") {
		t.Fatalf("%q has the identity %q", s, r.Identity())
	}
	if n := matching(r); n > 1 {
		t.Fatalf("%q matches %d rows", s, n)
	}
	if typ, ok := helpers.Lookup(r); ok != (typ.Name != "") {
		t.Fatalf("%q has the type %q, and Lookup says %t", s, typ.Name, ok)
	}
}
