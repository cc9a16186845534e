package registrytest

import (
	"errors"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/beam-cloud/docker-credential-beta9/internal/needs"
)

// Start is [New] for the length of a test. Where docker-registry is not installed, the registry runs in-process in its place,
// unless everything that tests need has to be there.
func Start(t testing.TB, o Options) *Registry {
	t.Helper()
	r, err := New(o)
	if errors.Is(err, ErrNoDistribution) && !needs.Required() {
		t.Logf("%v; the registry runs in this process in its place", err)
		o.Software = InProcess
		r, err = New(o)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// MustPush is [Registry.Push] in a test.
func (r *Registry) MustPush(t testing.TB, repositoryTag string, img v1.Image) string {
	t.Helper()
	ref, err := r.Push(repositoryTag, img)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// SmallImage is an image of two layers and a few bytes, for tests in which the content does not matter.
func SmallImage(t testing.TB) v1.Image {
	t.Helper()
	img, err := Image(nil,
		[]File{{Path: "etc/motd", Mode: 0o644, Data: []byte("an image of a test\n")}},
		[]File{{Path: "srv/data", Mode: 0o644, Data: []byte("more of it\n")}},
	)
	if err != nil {
		t.Fatal(err)
	}
	return img
}
