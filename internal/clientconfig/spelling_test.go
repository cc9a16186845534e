package clientconfig_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/beam-cloud/docker-credential-beta9/internal/clientconfig"
)

// A struct is what docker and its relatives read their file into.
type asClientsRead struct {
	CredsStore  string            `json:"credsStore"`
	CredHelpers map[string]string `json:"credHelpers"`
}

// spellings are contents in which a name is written in another way than this project writes it, and in which ghcr.io
// has the helper "gh" for clients, or, without one, everything the store "desktop".
var spellings = map[string]struct {
	content string
	store   bool
}{
	"store in upper case":     {`{"CredsStore": "desktop"}`, true},
	"store in lower case":     {`{"credsstore": "desktop"}`, true},
	"store with a long s":     {`{"cred\u017ftore": "x", "cred\u017fStore": "desktop"}`, true},
	"two stores":              {`{"credsStore": "first", "CREDSSTORE": "desktop"}`, true},
	"helpers in upper case":   {`{"CREDHELPERS": {"ghcr.io": "gh"}}`, false},
	"two objects":             {`{"CredHelpers": {"ghcr.io": "gh"}, "credHelpers": {"r.example.com": "x"}}`, false},
	"two objects of one name": {`{"credHelpers": {"ghcr.io": "gh"}, "credHelpers": {"r.example.com": "x"}}`, false},
	"the last one counts":     {`{"credHelpers": {"ghcr.io": "x"}, "CredHelpers": {"ghcr.io": "gh"}}`, false},
}

// What clients take for a name of theirs is not replaced without leave, is replaced where it stands, and comes back.
func TestNamesInAnySpelling(t *testing.T) {
	t.Parallel()
	for name, tt := range spellings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := person(t, tt.content)
			if tt.store {
				p.Helpers, p.Store = nil, "beta9"
			}
			_, err := p.Set(context.Background())
			if taken, ok := errors.AsType[*clientconfig.TakenError](err); !ok || taken.Helper != "gh" && taken.Helper != "desktop" {
				t.Fatalf("it is replaced without leave: %v", err)
			}
			p.Overwrite = true
			set(t, p)
			now := got(t, p.File)
			if strings.Count(now, `":`) != strings.Count(tt.content, `":`) {
				t.Errorf("%s became %s: a name stands there twice", tt.content, now)
			}
			var read asClientsRead
			if err := json.Unmarshal([]byte(now), &read); err != nil {
				t.Fatal(err)
			}
			if tt.store && read.CredsStore != "beta9" || !tt.store && read.CredHelpers["ghcr.io"] != "beta9-ghcr" {
				t.Errorf("clients read %+v", read)
			}
			unset(t, all(p))
			if now := got(t, p.File); now != tt.content {
				t.Errorf("the file is %s, and was %s", now, tt.content)
			}
		})
	}
}

// A registry's name is a key of a map, in which clients do tell the case of letters apart.
func TestRegistriesInTheirSpelling(t *testing.T) {
	t.Parallel()
	p := person(t, `{"credHelpers": {"GHCR.io": "gh"}}`)
	set(t, p)
	if now, want := got(t, p.File), `{"credHelpers": {"GHCR.io": "gh","ghcr.io": "beta9-ghcr"}}`; now != want {
		t.Errorf("the file is %s, want %s", now, want)
	}
}

func TestShadowedLoginsInAnySpelling(t *testing.T) {
	t.Parallel()
	p := person(t, `{"Auths": {"ghcr.io": {}}, "auths": {"r.example.com": {}}}`)
	if r := set(t, p); !slices.Equal(r.Shadowed, []string{"ghcr.io"}) {
		t.Errorf("shadowed are %q", r.Shadowed)
	}
}

// What is shown of a file does not depend on the spelling either.
func TestShownInAnySpelling(t *testing.T) {
	t.Parallel()
	p := person(t, `{"CREDHELPERS": {"ghcr.io": "gh"}, "CredsStore": "desktop", "Auths": {"x": {"auth": "canary"}}}`)
	p.Overwrite, p.DryRun = true, true
	shown := string(set(t, p).ShownBefore)
	if !strings.Contains(shown, `"gh"`) || !strings.Contains(shown, `"desktop"`) || strings.Contains(shown, "canary") {
		t.Errorf("shown is %s", shown)
	}
}

// TestConfiguredIsWhatClientsRead: for any file, the helpers that are found are those that a struct is filled with.
func TestConfiguredIsWhatClientsRead(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		content := drawn(rt)
		var want asClientsRead
		if err := json.Unmarshal([]byte(content), &want); err != nil {
			rt.Fatal(err)
		}
		found, err := clientconfig.Configured(person(t, content).File)
		if err != nil {
			rt.Fatal(err)
		}
		if found[""] != want.CredsStore {
			rt.Fatalf("%s: the store is %q, clients read %q", content, found[""], want.CredsStore)
		}
		delete(found, "")
		if !maps.Equal(found, want.CredHelpers) {
			rt.Fatalf("%s: the helpers are %q, clients read %q", content, found, want.CredHelpers)
		}
	})
}
