package registrytest

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"go.uber.org/goleak"

	"github.com/beam-cloud/docker-credential-beta9/internal/needs"
	"github.com/beam-cloud/docker-credential-beta9/internal/testca"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var alice = authn.FromConfig(authn.AuthConfig{Username: "alice", Password: "not-a-real-password"})

func accounts() map[string]string {
	return map[string]string{"alice": "not-a-real-password", "bob": "another-false-one"}
}

// pull reads the whole image through a client of go-containerregistry and returns its digest.
func pull(t *testing.T, ref string, auth authn.Authenticator, options ...remote.Option) (v1.Hash, error) {
	t.Helper()
	transport := remote.DefaultTransport.(*http.Transport).Clone()
	defer transport.CloseIdleConnections()
	r, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	options = append([]remote.Option{remote.WithTransport(transport), remote.WithAuth(auth)}, options...)
	img, err := remote.Image(r, options...)
	if err != nil {
		return v1.Hash{}, err
	}
	layers, err := img.Layers()
	if err != nil {
		return v1.Hash{}, err
	}
	for _, l := range layers {
		rc, err := l.Compressed()
		if err != nil {
			return v1.Hash{}, err
		}
		_, err = io.Copy(io.Discard, rc)
		rc.Close()
		if err != nil {
			return v1.Hash{}, err
		}
	}
	return img.Digest()
}

// ask sends one request, with credentials when set is not nil, and returns the answer and its body.
func ask(t *testing.T, method, url string, set func(*http.Request)) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if set != nil {
		set(req)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	res, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, body
}

func TestOnlyAccountsPullWhatIsPrivate(t *testing.T) {
	t.Parallel()
	img := SmallImage(t)
	want, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	for _, software := range []Software{InProcess, Distribution} {
		for _, auth := range []Auth{Basic, Bearer} {
			t.Run(fmt.Sprintf("software %d auth %d", software, auth), func(t *testing.T) {
				t.Parallel()
				if software == Distribution {
					needs.Tool(t, "docker-registry")
				}
				reg := Start(t, Options{Software: software, Auth: auth, Accounts: accounts()})
				ref := reg.MustPush(t, "acme/app:1", img)
				if n := len(reg.Requests()); n != 0 {
					t.Errorf("a push left %d requests in the record", n)
				}

				got, err := pull(t, ref, alice)
				if err != nil || got != want {
					t.Errorf("alice pulled %v, %v; want %v", got, err, want)
				}
				manifests := requests(reg, func(q Request) bool {
					return strings.Contains(q.Path, "/manifests/") && q.User == "alice" && q.Authenticated && q.Status == 200 && q.Repository == "acme/app"
				})
				if len(manifests) == 0 {
					t.Errorf("no authenticated manifest request of alice in %+v", reg.Requests())
				}
				if !reg.Saw("not-a-real-password") {
					t.Error("the registry did not see the password that it was sent")
				}

				for who, auth := range map[string]authn.Authenticator{
					"nobody":        authn.Anonymous,
					"a wrong alice": authn.FromConfig(authn.AuthConfig{Username: "alice", Password: "wrong"}),
					"mallory":       authn.FromConfig(authn.AuthConfig{Username: "mallory", Password: "not-a-real-password"}),
				} {
					reg.Forget()
					if _, err := pull(t, ref, auth); err == nil || !strings.Contains(err.Error(), "UNAUTHORIZED") {
						t.Errorf("%s: got %v, want a refusal", who, err)
					}
					if in := requests(reg, func(q Request) bool { return q.Authenticated && q.User != "" }); len(in) != 0 {
						t.Errorf("%s: counted as authenticated: %+v", who, in)
					}
				}
			})
		}
	}
}

func requests(reg *Registry, keep func(Request) bool) []Request {
	return slices.DeleteFunc(reg.Requests(), func(q Request) bool { return !keep(q) })
}

func TestPublicRepositoriesNeedNoAccount(t *testing.T) {
	t.Parallel()
	tests := []struct {
		software Software
		auth     Auth
	}{{InProcess, Basic}, {InProcess, Bearer}, {Distribution, Bearer}}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("software %d auth %d", tt.software, tt.auth), func(t *testing.T) {
			t.Parallel()
			if tt.software == Distribution {
				needs.Tool(t, "docker-registry")
			}
			reg := Start(t, Options{Software: tt.software, Auth: tt.auth, Accounts: accounts(), Public: []string{"library"}})
			public := reg.MustPush(t, "library/hello:1", SmallImage(t))
			private := reg.MustPush(t, "libraryx/hello:1", SmallImage(t))
			if _, err := pull(t, public, authn.Anonymous); err != nil {
				t.Errorf("public: %v", err)
			}
			if _, err := pull(t, private, authn.Anonymous); err == nil {
				t.Error("a repository was pulled whose name only begins like a public one")
			}
			if _, err := pull(t, public, authn.FromConfig(authn.AuthConfig{Username: "alice", Password: "wrong"})); err == nil {
				t.Error("wrong credentials were taken for none")
			}
			tag, err := name.NewTag(reg.Name() + "/library/hello:2")
			if err != nil {
				t.Fatal(err)
			}
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			if err := remote.Write(tag, SmallImage(t), remote.WithTransport(transport)); err == nil {
				t.Error("anybody could push to a public repository")
			}
		})
	}
}

func TestAccountsReachOnlyTheirRepositories(t *testing.T) {
	t.Parallel()
	for _, auth := range []Auth{Basic, Bearer} {
		reg := Start(t, Options{Auth: auth, Accounts: accounts(), Reach: map[string][]string{"alice": {"acme"}}})
		own := reg.MustPush(t, "acme/app:1", SmallImage(t))
		other := reg.MustPush(t, "globex/app:1", SmallImage(t))
		if _, err := pull(t, own, alice); err != nil {
			t.Errorf("auth %d: %v", auth, err)
		}
		if _, err := pull(t, other, alice); err == nil {
			t.Errorf("auth %d: alice pulled from globex", auth)
		}
		bob := authn.FromConfig(authn.AuthConfig{Username: "bob", Password: "another-false-one"})
		if _, err := pull(t, other, bob); err != nil {
			t.Errorf("auth %d: bob, who has no limits: %v", auth, err)
		}
	}
}

func TestServesTLSUnderSeveralAddresses(t *testing.T) {
	t.Parallel()
	ca, err := testca.New()
	if err != nil {
		t.Fatal(err)
	}
	for _, software := range []Software{InProcess, Distribution} {
		if software == Distribution {
			needs.Tool(t, "docker-registry")
		}
		reg := Start(t, Options{
			Software: software, Auth: Bearer, Accounts: accounts(),
			Listen: []string{"127.0.0.1:0", "127.0.0.2:0"}, TLS: ca.ServerConfig(),
		})
		ref := reg.MustPush(t, "acme/app:1", SmallImage(t))
		transport := &http.Transport{TLSClientConfig: ca.ClientConfig(), ForceAttemptHTTP2: true}
		defer transport.CloseIdleConnections()
		if _, err := pull(t, ref, alice, remote.WithTransport(transport)); err != nil {
			t.Errorf("software %d: %v", software, err)
		}
		if reg.Plain() {
			t.Error("says it is plain")
		}
	}
}

func TestBlobsAreServedInRanges(t *testing.T) {
	t.Parallel()
	img := SmallImage(t)
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	digest, err := layers[0].Digest()
	if err != nil {
		t.Fatal(err)
	}
	for _, software := range []Software{InProcess, Distribution} {
		if software == Distribution {
			needs.Tool(t, "docker-registry")
		}
		reg := Start(t, Options{Software: software})
		reg.MustPush(t, "acme/app:1", img)
		res, body := ask(t, "GET", "http://"+reg.Name()+"/v2/acme/app/blobs/"+digest.String(), func(req *http.Request) {
			req.Header.Set("Range", "bytes=4-9")
		})
		if res.StatusCode != http.StatusPartialContent || len(body) != 6 {
			t.Errorf("software %d: %s with %d bytes, want 206 with 6", software, res.Status, len(body))
		}
	}
}

func TestOptionsThatCannotBe(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]Options{
		"without Auth: Bearer":  {Auth: Basic, OfferIdentityTokens: true},
		"no account: carol":     {Auth: Bearer, IdentityTokens: map[string]string{"x": "carol"}},
		"machine's clock":       {Software: Distribution, Now: time.Now},
		"knows no repositories": {Software: Distribution, Auth: Basic, Public: []string{"library"}},
		"missing port":          {Listen: []string{"127.0.0.1"}},
	} {
		if reg, err := New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want an error with %q", o, err, want)
			if reg != nil {
				reg.Close()
			}
		}
	}
}

func TestRepositoryOf(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/v2/":                           "",
		"/v2/_catalog":                   "",
		"/token":                         "",
		"/v2/app/manifests/1":            "app",
		"/v2/acme/app/blobs/sha256:0":    "acme/app",
		"/v2/acme/app/blobs/uploads/":    "acme/app",
		"/v2/acme/app/blobs/uploads/7":   "acme/app",
		"/v2/acme/blobs/manifests/1":     "acme/blobs",
		"/v2/acme/app/tags/list":         "acme/app",
		"/v2/acme/app/referrers/sha256:": "acme/app",
	} {
		if got := repositoryOf(path); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}
