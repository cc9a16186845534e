package matrix_test

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
)

// verbs are what a client calls a helper with for one pull. Every client calls it afresh for every pull.
//
//	crane, oras               get
//	regctl                    get, and with credsStore a list before it
//	docker manifest inspect   get, and over plain HTTP another one: it tries TLS first
//	skopeo, buildah, podman   get, and another one when the first has found nothing
func (w *world) verbs(plain, found bool) []string {
	switch {
	case w.client.Name == "regctl" && w.store:
		return []string{"list", "get"}
	case w.client.Name == "docker" && plain, w.family == "podman" && !found:
		return []string{"get", "get"}
	}
	return []string{"get"}
}

// called fails the test unless, since calls was last asked, a helper was called as [world.verbs] says.
func (w *world) called(t *testing.T, plain, found bool) {
	t.Helper()
	var verbs []string
	calls := w.calls(t)
	for _, call := range calls {
		helper, verb, _ := strings.Cut(call, " ")
		if w.store != (helper == "docker-credential-beta9") {
			t.Errorf("called %s", helper)
		}
		verbs = append(verbs, verb)
	}
	if want := w.verbs(plain, found); !slices.Equal(verbs, want) {
		t.Errorf("called %q, want %q", calls, want)
	}
}

// calls returns the calls of helpers since it was last asked: the name of the helper, and the verb.
func (w *world) calls(t *testing.T) []string {
	t.Helper()
	data, err := os.ReadFile(w.log)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(w.log); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range bytes.Lines(data) {
		lines = append(lines, string(bytes.TrimSuffix(line, []byte("\n"))))
	}
	return lines
}
