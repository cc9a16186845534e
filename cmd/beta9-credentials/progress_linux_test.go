package main

import (
	"io"
	"strings"
	"sync/atomic"
	"testing"
)

// TestCheckShowsHowFarItIs looks at what a person sees meanwhile, and that nothing of it stays.
func TestCheckShowsHowFarItIs(t *testing.T) {
	t.Parallel()
	person, program := terminal(t)
	c := console{strings.NewReader(""), io.Discard, program, []string{"HOME=" + t.TempDir()}, new(atomic.Bool)}
	code := run(t.Context(), []string{"check", "--helpers", t.TempDir(), "r.example.com/acme/app", "r.example.com/acme/tool"}, c)
	program.Close()
	seen, _ := io.ReadAll(person) // which ends with an error when nobody is at the other end
	for _, want := range []string{"\rasking registries: 0 of 2", "\rasking registries: 2 of 2\r\x1b[Kerror: "} {
		if !strings.Contains(string(seen), want) {
			t.Errorf("no %q in %q", want, seen)
		}
	}
	if code != exitFailed {
		t.Errorf("exit code %d", code)
	}
}
