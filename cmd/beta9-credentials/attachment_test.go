//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
)

// typed runs a command line in a home of its own.
func typed(t *testing.T, home, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(t.Context(), args, console{stdin: strings.NewReader(stdin), stdout: &out, stderr: &err, environ: []string{"HOME=" + home}})
	return out.String(), err.String(), code
}

// TestCheckOfWhatChangesMeanwhile has the stored secret changed by somebody else while the registry is asked about it.
func TestCheckOfWhatChangesMeanwhile(t *testing.T) {
	bin := genericHelper(t)
	for name, tt := range map[string]struct {
		change func(t *testing.T, home, host string, asked int)
		code   int
		asked  []string // the users that the registry was asked as
		stdout string
		stderr string
	}{
		"it stays": {
			func(*testing.T, string, string, int) {}, exitOK, []string{"u0"}, "kept", "",
		},
		"removed": {
			func(t *testing.T, home, host string, _ int) {
				typed(t, home, "", "secret", "rm", "--workspace", "w", host)
			}, exitFailed, []string{"u0"}, "", "wants a credential",
		},
		"replaced": {
			func(t *testing.T, home, host string, asked int) {
				if asked == 1 {
					putUser(t, home, host, asked)
				}
			}, exitOK, []string{"u0", "u1"}, "kept", "",
		},
		"replaced again and again": {
			putUser, exitFailed, []string{"u0", "u1", "u2", "u3", "u4", "u5"}, "", "was changed by another writer",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			home := t.TempDir()
			var mu sync.Mutex
			var asked []string
			registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				user, _, ok := r.BasicAuth()
				if !ok {
					w.Header().Set("WWW-Authenticate", `Basic realm="r"`)
					w.WriteHeader(http.StatusUnauthorized)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				if strings.Contains(r.URL.Path, "/manifests/") && !slices.Contains(asked, user) {
					asked = append(asked, user)
					tt.change(t, home, r.Host, len(asked))
				}
				w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
				w.Header().Set("Docker-Content-Digest", "sha256:"+strings.Repeat("a", 64))
				w.Header().Set("Content-Length", "2")
				if r.Method == http.MethodGet {
					fmt.Fprint(w, "{}")
				}
			}))
			defer registry.Close()
			host := registry.Listener.Addr().String()
			putUser(t, home, host, 0)
			stdout, stderr, code := typed(t, home, "", "--helpers", bin, "image", "attach", "--workspace", "w", "i", host+"/a/b:1", "--check")
			if code != tt.code || !strings.Contains(stdout, tt.stdout) || !strings.Contains(stderr, tt.stderr) {
				t.Errorf("exit code %d: %s%s", code, stdout, stderr)
			}
			mu.Lock()
			defer mu.Unlock()
			if !slices.Equal(asked, tt.asked) {
				t.Errorf("asked as %v, want %v", asked, tt.asked)
			}
			attached, _, _ := typed(t, home, "", "image", "show", "--workspace", "w", "i")
			if strings.Contains(attached, "kept") != (tt.stdout == "kept") {
				t.Errorf("attached: %s", attached)
			}
		})
	}
}

// putUser stores the secret of a registry with the user u<n>.
func putUser(t *testing.T, home, host string, n int) {
	_, stderr, code := typed(t, home, fmt.Sprintf(`{"USERNAME":"u%d","PASSWORD":"p"}`, n), "secret", "put", "--workspace", "w", "--registry", host)
	if code != exitOK {
		t.Error(stderr)
	}
}

// A racing store is one in which somebody else does something before the references are attached.
type racing struct {
	workspaceStore
	t      *testing.T
	before func(t *testing.T, s workspaceStore)
}

func (r *racing) Attach(ctx context.Context, image secrets.Image, with ...secrets.Secret) error {
	if r.before != nil {
		r.before(r.t, r.workspaceStore)
		r.before = nil
	}
	return r.workspaceStore.Attach(ctx, image, with...)
}

// TestAttachedToWhatIsGone has what is stored changed between the look at it and the attaching.
func TestAttachedToWhatIsGone(t *testing.T) {
	t.Parallel()
	secretOf := func(reference, user string) secrets.Secret {
		values := map[string]string{"REGISTRY": "quay.io", "REGISTRY_USERNAME": user, "REGISTRY_PASSWORD": "p", "GITHUB_TOKEN": user}
		s, err := secrets.FromEnvironment("w", reference, func(key string) string { return values[key] })
		must(t, err)
		return s
	}
	quay, github := secretOf("quay.io/a/b", "u0"), secretOf("ghcr.io/a/b", "somebody else's")
	for name, tt := range map[string]struct {
		before func(t *testing.T, s workspaceStore)
		states []string // of quay.io and ghcr.io
	}{
		"nothing": {nil, []string{"kept", "stored"}},
		"removed": {func(t *testing.T, s workspaceStore) {
			must(t, s.Delete(t.Context(), "w", quay.Name, 1))
		}, []string{"public", "stored"}},
		"another in the place of what is written": {func(t *testing.T, s workspaceStore) {
			_, err := s.Put(t.Context(), github)
			must(t, err)
		}, []string{"kept", "changed"}},
		"one for a part": {func(t *testing.T, s workspaceStore) {
			next, err := secrets.New("w", quay.Material.WithScope("a"))
			must(t, err)
			_, err = s.Put(t.Context(), next)
			must(t, err)
		}, []string{"kept", "stored"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := &app{console: console{environ: []string{"HOME=" + t.TempDir()}}}
			s, err := a.open(t.Context(), storeFlag{})
			must(t, err)
			defer s.Close()
			_, err = s.Put(t.Context(), quay)
			must(t, err)
			environment := map[string]string{"GITHUB_TOKEN": "t"}
			call := attachment{
				app: a, store: &racing{s, t, tt.before}, workspace: "w", getenv: func(key string) string { return environment[key] },
				accepted: make(map[helpers.Reference][sha256.Size]byte),
			}
			must(t, call.parse("i", []string{"quay.io/a/b:1", "ghcr.io/a/b:1"}))
			must(t, call.attach(t.Context(), false))
			for i, want := range tt.states {
				got := call.references[i]
				if got.State != want {
					t.Errorf("%s is %s, want %s", got.Reference, got.State, want)
				}
				found, err := s.Find(t.Context(), "w", "i", call.image.References[i].Registry())
				if got.Secret != found.Name || helpers.IsNotFound(err) != (want == "public") {
					t.Errorf("%s has the secret %q, and %q was told: %v", got.Reference, found.Name, got.Secret, err)
				}
			}
		})
	}
}

// TestRefusedInTheEnd has a secret that the registry accepted replaced, before the references are attached, by one that it
// refuses: nothing is attached, and what the environment holds for the other registry is not stored.
func TestRefusedInTheEnd(t *testing.T) {
	bin := genericHelper(t)
	serve := func() string {
		registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if user, _, ok := r.BasicAuth(); !ok || user == "refused" {
				w.Header().Set("WWW-Authenticate", `Basic realm="r"`)
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			w.Header().Set("Docker-Content-Digest", "sha256:"+strings.Repeat("a", 64))
			w.Header().Set("Content-Length", "2")
		}))
		t.Cleanup(registry.Close)
		return registry.Listener.Addr().String()
	}
	host, other := serve(), serve()
	secretOf := func(host, user string) secrets.Secret {
		values := map[string]string{"REGISTRY": host, "REGISTRY_USERNAME": user, "REGISTRY_PASSWORD": "p"}
		s, err := secrets.FromEnvironment("w", host+"/a/b", func(key string) string { return values[key] })
		must(t, err)
		return s
	}
	for name, replace := range map[string]func(t *testing.T, s workspaceStore){
		"replaced": func(t *testing.T, s workspaceStore) {
			next := secretOf(host, "refused")
			next.Version = 1
			_, err := s.Put(t.Context(), next)
			must(t, err)
		},
		"one for a part": func(t *testing.T, s workspaceStore) {
			next, err := secrets.New("w", secretOf(host, "refused").Material.WithScope("a"))
			must(t, err)
			_, err = s.Put(t.Context(), next)
			must(t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := &app{helpersFolder: bin, console: console{environ: []string{"HOME=" + t.TempDir()}, stderr: new(strings.Builder)}}
			s, err := a.open(t.Context(), storeFlag{})
			must(t, err)
			defer s.Close()
			_, err = s.Put(t.Context(), secretOf(host, "accepted"))
			must(t, err)
			environment := map[string]string{"REGISTRY": other, "REGISTRY_USERNAME": "accepted", "REGISTRY_PASSWORD": "p"}
			call := attachment{
				app: a, store: &racing{s, t, replace}, workspace: "w", getenv: func(key string) string { return environment[key] },
				accepted: make(map[helpers.Reference][sha256.Size]byte),
			}
			must(t, call.parse("i", []string{host + "/a/b:1", other + "/a/b:1"}))
			if err := call.attach(t.Context(), true); helpers.ReasonOf(err) != helpers.AccessDenied {
				t.Errorf("attached with what the registry refuses: %v", err)
			}
			if image, err := s.Image(t.Context(), "w", "i"); !helpers.IsNotFound(err) {
				t.Errorf("attached is %v, %v", image.References, err)
			}
			if _, err := s.Get(t.Context(), "w", secretOf(other, "accepted").Name); !helpers.IsNotFound(err) {
				t.Errorf("what was accepted for the other registry is stored: %v", err)
			}
		})
	}
}
