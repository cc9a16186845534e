package registrytest

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/beam-cloud/docker-credential-beta9/internal/needs"
)

func TestCloseEndsTheProcess(t *testing.T) {
	t.Parallel()
	needs.Tool(t, "docker-registry")
	reg, err := New(Options{Software: Distribution})
	if err != nil {
		t.Fatal(err)
	}
	if err := reg.Close(); err != nil {
		t.Error(err)
	}
	if _, err := pull(t, reg.Name()+"/x:1", authn.Anonymous); err == nil {
		t.Error("still there")
	}
}

func TestProcessThatCannotStartSaysWhy(t *testing.T) {
	t.Parallel()
	sh, err := exec.LookPath("sh")
	if err != nil {
		needs.Missing(t, "no sh on PATH")
	}
	d := &distribution{dir: t.TempDir(), ended: make(chan struct{})}
	// sh takes "serve" for a script and does not find it.
	if _, err := d.run(sh, "config.yml"); err == nil || !strings.Contains(err.Error(), "serve") {
		t.Errorf("got %v, want what the process said last", err)
	}
}
