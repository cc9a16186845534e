package memory

import (
	"fmt"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
)

func TestRecallsTheSameRecordAtTheSamePlaceOnly(t *testing.T) {
	r, err := helpers.ParseServerURL("ghcr.io")
	if err != nil {
		t.Fatal(err)
	}
	kind, _ := helpers.Lookup(r)
	material, err := helpers.NewMaterial(kind, r, map[string]string{"GITHUB_TOKEN": "t"})
	if err != nil {
		t.Fatal(err)
	}
	var m Memory
	home := secrets.Place{Workspace: "w", Name: "n", Registry: "ghcr.io", Version: 2}
	if _, ok := m.Recall(home, []byte("record")); ok {
		t.Error("an empty memory recalls something")
	}
	m.Remember(home, []byte("record"), material)
	if got, ok := m.Recall(home, []byte("record")); !ok || got.Fingerprint() != material.Fingerprint() {
		t.Error("what was remembered is gone")
	}
	if _, ok := m.Recall(home, []byte("Record")); ok {
		t.Error("another record is taken for the one that was opened")
	}
	for what, change := range map[string]func(*secrets.Place){
		"workspace": func(p *secrets.Place) { p.Workspace = "x" },
		"name":      func(p *secrets.Place) { p.Name = "x" },
		"registry":  func(p *secrets.Place) { p.Registry = "quay.io" },
		"scope":     func(p *secrets.Place) { p.Scope = "x" },
		"version":   func(p *secrets.Place) { p.Version = 1 },
	} {
		p := home
		change(&p)
		if _, ok := m.Recall(p, []byte("record")); ok {
			t.Errorf("the record is recalled at another %s", what)
		}
	}
	for i := range 3 * size {
		m.Remember(secrets.Place{Name: fmt.Sprint(i)}, nil, material)
	}
	if len(m.records) > size {
		t.Errorf("%d records are kept", len(m.records))
	}
}
