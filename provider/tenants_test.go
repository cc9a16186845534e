//go:build unix

package provider

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// A worker with a hundred tenants, all of which have a secret for the same registries: nobody ever sees the secret of
// somebody else, and nothing of it shows in what other processes may read. The helpers look at their own /proc files.
func TestTenantsNeverCross(t *testing.T) {
	const tenants, lookups, workers = 100, 10_000, 16
	f := newFolder(t, "honest")
	hosts := []string{"one.example.com", "two.example.com", "three.example.com:5000"}
	scopes := []string{"acme/app", "acme/tool", ""}

	before := os.Environ()
	root := f.provider(Options{Source: Materials{}})
	providers := make([]*Provider, tenants)
	secret := func(tenant int, host string) string { return fmt.Sprintf("canary-of-%d-for-%s", tenant, host) }
	for i := range providers {
		var ms Materials
		for _, host := range hosts {
			ms = append(ms, material(t, host, secret(i, host)))
		}
		p, err := root.For(ms)
		must(t, err)
		t.Cleanup(func() { must(t, p.Close()) })
		providers[i] = p
	}
	var wait sync.WaitGroup
	for w := range workers {
		order := rand.New(rand.NewPCG(1, uint64(w)))
		wait.Go(func() {
			for range lookups / workers {
				i := order.IntN(tenants)
				host := hosts[order.IntN(len(hosts))]
				config, err := providers[i].GetCredentials(t.Context(), host, scopes[order.IntN(len(scopes))])
				if err != nil || !strings.HasPrefix(config.Password, secret(i, host)+"/") {
					t.Errorf("tenant %d at %s: %v", i, host, err)
				}
			}
		})
	}
	wait.Wait()

	if !slices.Equal(os.Environ(), before) {
		t.Error("the environment of the process has changed")
	}
	if runtime.GOOS == "linux" {
		for _, name := range []string{"environ", "cmdline"} {
			data, err := os.ReadFile("/proc/self/" + name)
			must(t, err)
			if bytes.Contains(data, []byte("canary-of-")) {
				t.Errorf("a secret stands in /proc/self/%s", name)
			}
		}
	}
	runs := f.runs()
	if len(runs) > tenants*len(hosts) {
		t.Errorf("helpers were run %d times for %d secrets", len(runs), tenants*len(hosts))
	}
	for _, r := range runs {
		if said := r.args + strings.Join(r.environ, "\n"); strings.Contains(said, "canary-of-") {
			t.Fatalf("a secret was handed down in sight: %s", said)
		}
	}
}

// One tenant's registries do not cross either: a secret goes to the registry that it is bound to and to no other.
func TestSecretsStayWithTheirRegistry(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "honest")
	var hosts []string
	for i := range 50 {
		hosts = append(hosts, fmt.Sprintf("r%d.example.com", i))
	}
	for _, mine := range hosts[:5] {
		p := f.isolated(mine, "secret of "+mine)
		for _, asked := range hosts {
			config, err := p.GetCredentials(t.Context(), asked, "acme/app")
			if err != nil || (config.Password != "") != (asked == mine) {
				t.Errorf("the secret of %s, asked for %s: have=%t, %v", mine, asked, config.Password != "", err)
			}
		}
	}
	// A Source that gives the same to everybody who asks.
	m := material(t, hosts[0], "swordfish")
	p := f.provider(Options{Source: source(func(context.Context, helpers.Registry) (helpers.Material, error) { return m, nil })})
	for _, asked := range hosts[1:] {
		if config, err := p.GetCredentials(t.Context(), asked, ""); err != nil || config.Password != "" {
			t.Errorf("a Source without care, asked for %s: have=%t, %v", asked, config.Password != "", err)
		}
	}
}

func TestMaterialsTakesTheLongestScope(t *testing.T) {
	t.Parallel()
	ms := Materials{
		{}, material(t, here+"/acme/team", "team"), material(t, here, "all"), material(t, here+"/acme", "acme"),
		material(t, "other.example.com", "other"),
	}
	for _, tt := range [][2]string{
		{here + "/acme/team/app", "team"}, {here + "/acme/team", "team"}, {here + "/acme/teams", "acme"},
		{here + "/acme", "acme"}, {here + "/else", "all"}, {here, "all"}, {"third.example.com", ""},
	} {
		m, err := ms.Material(t.Context(), registry(t, tt[0]))
		if got := m.Value("PASSWORD"); got != tt[1] || helpers.IsNotFound(err) != (tt[1] == "") {
			t.Errorf("%s: %q, %v; want %q", tt[0], got, err, tt[1])
		}
	}
}

func TestClosingATenantLeavesTheOthers(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "honest")
	first := f.isolated(here, "first")
	second, err := first.For(Materials{material(t, here, "second")})
	must(t, err)
	t.Cleanup(func() { must(t, second.Close()) })
	secretOf(t, second, here, "")
	must(t, first.Close())
	if got := secretOf(t, second, here, "acme"); !strings.HasPrefix(got, "second/") {
		t.Errorf("got %q", got)
	}
}
