package conformance

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// What the reference implementation of the protocol does wrong, by the case that finds it.
var referenceFaults = map[string]string{
	"F2": "a line feed inside the server URL is dropped, so that host and .io become one host",
	"F5": "an open stdin is waited for without end",
	"O4": "a stdout that is closed or full is taken for success",
	"S1": "a line of 64 KiB on stdin ends the call",
	"S4": "a raw line feed inside a secret is dropped",
	"S5": "what stands behind the login, and a field that stands there twice, is accepted",
	"S6": "invalid UTF-8 is replaced",
}

// The suite finds the faults that the reference implementation is known for.
func TestTheFaultsOfTheReferenceAreFound(t *testing.T) {
	t.Parallel()
	h := Helper{Path: executable(t, "docker-credential-reference"), Host: "ghcr.io", Hosts: []string{"docker.pkg.github.com"}, OtherHost: "quay.io", Static: true}
	found := map[string][]string{}
	for _, f := range Check(h) {
		found[f.Case] = append(found[f.Case], f.Saw)
	}
	for _, id := range slices.Sorted(maps.Keys(referenceFaults)) {
		if len(found[id]) == 0 {
			t.Errorf("%s does not find that %s", id, referenceFaults[id])
		}
		delete(found, id)
	}
	for id, saw := range found {
		t.Errorf("%s finds what is not known: %s", id, strings.Join(saw, "\n\t"))
	}
}
