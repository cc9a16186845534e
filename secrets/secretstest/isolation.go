package secretstest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
)

// hosts are 50 registries of every type, and look-alikes of them.
func hosts() []string {
	all := []string{
		"docker.io", "ghcr.io", "ghcr.io:5000", "ghcr.io.attacker.example", "attacker.example", "xghcr.io", "docker.io.attacker.example",
		"index.docker.io.example", "quay.io", "a.b.io", "a-b.io", "localhost:5000", "localhost:5001", "[::1]:5000",
		"gcr.io.attacker.example", "1.dkr.ecr.us-east-1.attacker.example",
	}
	for i := len(all); i < 50; i++ {
		all = append(all, fmt.Sprintf("registry-%d.example", i))
	}
	return all
}

func testHosts(t *testing.T, h Harness) {
	all := hosts()
	var ids []string
	for i := range all {
		ids = append(ids, fmt.Sprintf("image-%d", i))
	}
	p := newPlace(t, h, append(ids, "everything")...)
	s := p.open(t)
	ctx := t.Context()
	for i, host := range all {
		do(t, s.Attach(ctx, imageOf(t, workspace, ids[i], host+"/team/app"), login(t, workspace, host, host)))
	}
	for i := range all {
		for j, host := range all {
			got, err := s.Find(ctx, workspace, ids[i], registry(t, host+"/team/app"))
			switch {
			case i == j && (err != nil || password(got) != host):
				t.Errorf("%s: %v", host, err)
			case i != j && !errors.Is(err, secrets.ErrNotFound):
				t.Errorf("the image of %s got an answer for %s: %v", all[i], host, err)
			}
		}
	}
	// An image that needs all of them gets for each host its own.
	var references []string
	for _, host := range all {
		references = append(references, host+"/team/app")
	}
	do(t, s.Attach(ctx, imageOf(t, workspace, "everything", references...)))
	for _, host := range all {
		for _, asked := range []string{host, host + "/team", host + "/team/app"} {
			if got, err := s.Find(ctx, workspace, "everything", registry(t, asked)); err != nil || password(got) != host {
				t.Errorf("%s: the secret of %s, %v", asked, got.Registry(), err)
			}
		}
		for _, other := range []string{host + "/teams/app", host + "/tea/m", host + "/app"} {
			if got, err := s.Find(ctx, workspace, "everything", registry(t, other)); !errors.Is(err, secrets.ErrNotFound) {
				t.Errorf("%s, which the image does not name: the secret of %s, %v", other, got.Registry(), err)
			}
		}
	}
}

func testWorkspaces(t *testing.T, h Harness) {
	p := newPlace(t, h)
	s := p.open(t)
	ctx := t.Context()
	for _, host := range hosts() {
		must(s.Put(ctx, login(t, workspace, host, host)))(t)
	}
	do(t, s.Attach(ctx, imageOf(t, workspace, image, "ghcr.io/a/b")))
	do(t, s.Attach(ctx, imageOf(t, other, image, "ghcr.io/a/b")))
	for _, host := range hosts() {
		if got, err := s.Find(ctx, other, image, registry(t, host)); !errors.Is(err, secrets.ErrNotFound) {
			t.Errorf("the other workspace gets %q for %s: %v", got.Name, host, err)
		}
		if _, err := s.Get(ctx, other, secrets.Name(registry(t, host), "")); !errors.Is(err, secrets.ErrNotFound) {
			t.Errorf("the other workspace reads the secret of %s: %v", host, err)
		}
	}
	var references []string
	for _, host := range hosts() {
		references = append(references, host+"/a/b")
		must(s.Put(ctx, login(t, other, host, "theirs of "+host)))(t)
	}
	for w, whose := range map[string]string{workspace: "", other: "theirs of "} {
		do(t, s.Attach(ctx, imageOf(t, w, image, references...)))
		for _, host := range hosts() {
			if got := must(s.Find(ctx, w, image, registry(t, host+"/a/b")))(t); password(got) != whose+host || got.Workspace != w {
				t.Errorf("workspace %s got the secret of another for %s", w, host)
			}
		}
	}
}

func testSource(t *testing.T, h Harness) {
	p := newPlace(t, h)
	s := p.open(t)
	ctx := t.Context()
	first := login(t, workspace, "ghcr.io/acme", "first")
	do(t, s.Attach(ctx, imageOf(t, workspace, image, "ghcr.io/acme/app", "docker.io/library/ubuntu"), first))
	source := secrets.NewSource(p.open(t), workspace, image)
	m := must(source.Material(ctx, registry(t, "https://ghcr.io/acme/app")))(t)
	if m.Value("GITHUB_TOKEN") != "first" {
		t.Error("the source yields other material than was stored")
	}
	for _, none := range []string{"index.docker.io/library/ubuntu", "ghcr.io/other/app", "quay.io", "ghcr.io.attacker.example/acme/app"} {
		if _, err := source.Material(ctx, registry(t, none)); err != helpers.ErrNotFound {
			t.Errorf("%s: %v", none, err)
		}
	}
	for _, stranger := range []helpers.Source{secrets.NewSource(s, other, image), secrets.NewSource(s, workspace, "no-such-image")} {
		if _, err := stranger.Material(ctx, registry(t, "ghcr.io/acme/app")); err != helpers.ErrNotFound {
			t.Errorf("somebody else's image: %v", err)
		}
	}
	next := login(t, workspace, "ghcr.io/acme", "second")
	next.Version = 1
	must(s.Put(ctx, next))(t)
	if m := must(source.Material(ctx, registry(t, "ghcr.io/acme/app")))(t); m.Value("GITHUB_TOKEN") != "second" {
		t.Error("the source does not follow a secret that was changed")
	}
}
