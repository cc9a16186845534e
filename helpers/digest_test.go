package helpers_test

import (
	"strings"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

func TestDigestTellsListsApart(t *testing.T) {
	t.Parallel()
	seen := map[string][]string{}
	for _, parts := range [][]string{
		nil, {""}, {"", ""}, {"a"}, {"a", ""}, {"", "a"}, {"ab"}, {"a", "b"}, {"b", "a"}, {"a\x00b"},
		{"\x00\x00\x00\x00\x00\x00\x00\x01a"}, {strings.Repeat("a", 256)},
	} {
		d := helpers.Digest(parts...)
		if other, ok := seen[d]; ok || len(d) != 64 {
			t.Errorf("%q and %q: %s", parts, other, d)
		}
		seen[d] = parts
	}
	if helpers.Digest("a", "b") != helpers.Digest("a", "b") {
		t.Error("equal lists have two digests")
	}
}
