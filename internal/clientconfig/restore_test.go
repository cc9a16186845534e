package clientconfig_test

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/beam-cloud/docker-credential-beta9/internal/clientconfig"
)

// drawn is a configuration as somebody may have left it: in any layout, with names written twice and empty helpers.
func drawn(t *rapid.T) string {
	space := func() string {
		return rapid.SampledFrom([]string{"", " ", "\n", "\n\t", "\n\t\t", "\n  ", "\r\n  "}).Draw(t, "space")
	}
	text := func(values ...string) string { return `"` + rapid.SampledFrom(values).Draw(t, "text") + `"` }
	object := func(member func() (name, value string)) string {
		var b strings.Builder
		b.WriteString("{")
		for i := range rapid.IntRange(0, 4).Draw(t, "members") {
			if i > 0 {
				b.WriteString(",")
			}
			name, value := member()
			b.WriteString(space() + name + space() + ":" + space() + value + space())
		}
		return b.String() + space() + "}"
	}
	return space() + object(func() (string, string) {
		switch rapid.IntRange(0, 3).Draw(t, "member") {
		case 0:
			return text("credHelpers", "CredHelpers", "credhelpers", "CREDHELPERS"), object(func() (string, string) {
				return text("ghcr.io", "gh\\u0063r.io", "nvcr.io", "r.example.com"), text("gh", "", "beta9-ghcr", "beta9-ngc")
			})
		case 1:
			return text("credsStore", "CredsStore", "cred\u017fStore", `cred\u0073store`), text("desktop", "", "beta9")
		case 2:
			return text("auths", "Auths"), `{"ghcr.io": {"auth":"bm90QVNlY3JldDp4"}}`
		}
		return `"plugins"`, `[1,2, {"a":null}]`
	}) + space()
}

// TestUnsetRestoresWhatever: after any number of changes the file says what it said before, and in between what it was
// set to.
func TestUnsetRestoresWhatever(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		before := drawn(rt)
		p := person(t, before)
		p.Overwrite = true
		for range rapid.IntRange(1, 4).Draw(rt, "changes") {
			p.Helpers, p.Store = nil, ""
			if rapid.Bool().Draw(rt, "store") {
				p.Store = "beta9"
			} else {
				p.Helpers = rapid.MapOfN(rapid.SampledFrom([]string{"ghcr.io", "nvcr.io", "new.example.com"}),
					rapid.SampledFrom([]string{"beta9-ghcr", "beta9-ngc"}), 1, 3).Draw(rt, "helpers")
			}
			if rapid.IntRange(0, 3).Draw(rt, "unset") == 0 {
				unset(t, p)
				continue
			}
			set(t, p)
			now, err := clientconfig.Configured(p.File)
			if err != nil {
				rt.Fatal(err)
			}
			if p.Store != "" && now[""] != p.Store {
				rt.Fatalf("the store is %q", now[""])
			}
			for key, helper := range p.Helpers {
				if now[key] != helper {
					rt.Fatalf("the helper of %s is %q, want %q", key, now[key], helper)
				}
			}
		}
		unset(t, all(p))
		after := got(t, p.File)
		var was, is any
		if err := json.Unmarshal([]byte(before), &was); err != nil {
			rt.Fatal(err)
		}
		if err := json.Unmarshal([]byte(after), &is); err != nil || !reflect.DeepEqual(was, is) {
			rt.Fatalf("%q became %q: %v", before, after, err)
		}
		if err := os.RemoveAll(p.Journal); err != nil {
			rt.Fatal(err)
		}
	})
}
