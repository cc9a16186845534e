package pull_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/helpers/acr"
	"github.com/beam-cloud/docker-credential-beta9/helpers/ecr"
	"github.com/beam-cloud/docker-credential-beta9/helpers/gcr"
	"github.com/beam-cloud/docker-credential-beta9/internal/cache"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest"
)

// life is that of every token in this file.
const life = time.Hour

// TestOutages has a token made, and then moves the clock of the cache from half of the token's life to its end, while the
// services are out of order: every get succeeds. After the end, it fails. A denial is not masked, and neither is the word
// of the machine's own service that there is no identity any more.
func TestOutages(t *testing.T) {
	t.Parallel()
	denied := func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		w.Header().Set("Metadata-Flavor", "Google") // by which an answer of Google's own is known
		cloudtest.Status(http.StatusForbidden, `{"__type":"AccessDeniedException","error":"access_denied"}`)(w, r, next)
	}
	for what, c := range map[string]struct {
		fault    cloudtest.Fault
		bridged  bool
		deadline time.Duration // half of which is given to who is silent
	}{
		"throttling":   {cloudtest.Throttle(1 << 20), true, time.Minute},
		"out of order": {cloudtest.Status(500, canary), true, time.Minute},
		"garbage":      {cloudtest.Garbage(canary), true, time.Minute},
		"silence":      {cloudtest.Hang(), true, time.Second},
		"denial":       {denied, false, time.Minute},
	} {
		for name, w := range ways {
			t.Run(what+", "+name, func(t *testing.T) {
				t.Parallel()
				s := newSite(t)
				w.given(s)
				s.live(life)
				first, err := s.later(w, 0, time.Minute)
				if err != nil {
					t.Fatal(err)
				}
				for _, order := range w.services {
					order(s, c.fault)
				}
				if got, err := s.later(w, life/2-time.Minute, c.deadline); err != nil || got.Secret() != first.Secret() {
					t.Errorf("before half of its life: %v", err)
				}
				for _, after := range []time.Duration{life * 6 / 10, life*6/10 + time.Minute, life - time.Minute} {
					got, err := s.later(w, after, c.deadline)
					switch {
					case c.bridged && (err != nil || got.Secret() != first.Secret()):
						t.Errorf("after %v: %v", after, err)
					case !c.bridged && !errors.Is(err, helpers.AccessDenied) && !helpers.IsNotFound(err):
						t.Errorf("after %v: %v, want %s", after, err, helpers.AccessDenied)
					}
				}
				if got, err := s.later(w, life+time.Minute, c.deadline); err == nil || !got.IsZero() {
					t.Error("handed out after its end")
				}
			})
		}
	}
}

// TestTheIdentityIsTakenAway has the machine's own services say that there is none any more, while a token of it is good.
func TestTheIdentityIsTakenAway(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]cloudtest.Fault{
		"ecr instance": cloudtest.Status(http.StatusNotFound, ""),
		"gcr metadata": func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			w.Header().Set("Metadata-Flavor", "Google")
			http.NotFound(w, r)
		},
		"acr managed identity": cloudtest.Status(http.StatusBadRequest, `{"error":"invalid_request"}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, w := newSite(t), ways[name]
			w.given(s)
			s.live(life)
			if _, err := s.later(w, 0, time.Minute); err != nil {
				t.Fatal(err)
			}
			for _, order := range w.services {
				order(s, fault)
			}
			if _, err := s.later(w, life*6/10, time.Minute); !helpers.IsNotFound(err) {
				t.Errorf("got %v, want none", err)
			}
		})
	}
}

// TestARefusalThatNobodyKnows has the token services refuse in good form with a code that is new: that is a denial, and no
// garbage, so that a token from before does not hide it.
func TestARefusalThatNobodyKnows(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"ecr keys", "ecr web identity", "gcr service account", "gcr login", "acr secret", "acr workload identity"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, w := newSite(t), ways[name]
			w.given(s)
			s.live(life)
			if _, err := s.later(w, 0, time.Minute); err != nil {
				t.Fatal(err)
			}
			s.order(cloudtest.Status(http.StatusBadRequest, `{"__type":"NobodyKnowsThisException","error":"nobody_knows","message":"`+canary+`"}`))
			_, err := s.later(w, life*6/10, time.Minute)
			if !errors.Is(err, helpers.AccessDenied) {
				t.Errorf("got %v, want %s", err, helpers.AccessDenied)
			}
			cloudtest.Secretless(t, err, canary)
		})
	}
}

// live sets how long tokens live that are made from now on.
func (s *site) live(d time.Duration) {
	s.amazon.SetTokenLife(d)
	s.google.SetLifetime(d)
	s.azure.SetLifetime(d)
}

// later gets a credential through a cache whose clock is ahead, as a helper does.
func (s *site) later(w way, ahead, deadline time.Duration) (helpers.Credential, error) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), deadline)
	defer cancel()
	c := cache.Open(w.typ, s.getenv, func() time.Time { return time.Now().Add(ahead) })
	return c.Source(s.source(w)).Token(ctx, registry(s.t, w.host))
}

// source is what a helper has behind its cache: the material of the environment, or the machine's identity.
func (s *site) source(w way) helpers.Keyed {
	s.t.Helper()
	if w.typ != "ecr" { // whose identities look at the keys themselves
		m, err := typeNamed(s.t, w.typ).FromEnvironment(registry(s.t, w.host), s.getenv)
		if err == nil {
			return exchanged{s, w, m}
		}
		if !helpers.IsNotFound(err) {
			s.t.Fatal(err)
		}
	}
	return ambients[w.typ](s.machine())
}

// exchanged makes credentials of material.
type exchanged struct {
	*site
	way
	material helpers.Material
}

func (e exchanged) Token(ctx context.Context, r helpers.Registry) (helpers.Credential, error) {
	return e.exchanger(e.typ).Exchange(ctx, r, e.material)
}

func (e exchanged) Key(_ context.Context, r helpers.Registry) (helpers.Key, error) {
	share := map[string]func(*helpers.Map, helpers.Registry, helpers.Material) helpers.Key{"ecr": ecr.Share, "gcr": gcr.Share, "acr": acr.Share}
	return share[e.typ](nil, r, e.material), nil
}

// ambients are the machine's own identities, by type.
var ambients = map[string]func(helpers.Machine) helpers.Keyed{"ecr": ecr.Ambient, "gcr": gcr.Ambient, "acr": acr.Ambient}
