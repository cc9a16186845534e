package provider

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/execute"
	"github.com/beam-cloud/docker-credential-beta9/internal/stack"
)

// Provider answers for one tenant. It is made by [New] or [Provider.For], has to be closed, and is safe for concurrent
// use. It is CLIP's RegistryCredentialProvider and go-containerregistry's [authn.ContextKeychain].
type Provider struct {
	options    Options
	now        func() time.Time
	registries *helpers.Map
	folder     *execute.Folder
	tenant     any // by whom turns are shared; nil under the policy Ambient

	memory   memory
	tokens   tokens
	refusing sync.Mutex
	lookups  flights[place, *answer]
	runs     flights[key, token]
	work     work
	builds   sync.Map // *BuildEnvironment to nothing: those to be closed
}

// New checks the options and makes a provider. The error is a [*helpers.Failure] that says which option, or which rule
// the folder of the helpers breaks.
func New(o Options) (*Provider, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	registries, err := readMap(o.MapFile)
	if err != nil {
		return nil, err
	}
	if o.Deadline == 0 {
		o.Deadline = defaultDeadline
	}
	o.Deadline = min(o.Deadline, longestDeadline)
	folder, err := openFolder(o)
	if err != nil {
		return nil, err
	}
	p := &Provider{now: o.Now, registries: registries, folder: folder}
	if p.now == nil {
		p.now = time.Now
	}
	return p.with(o), nil
}

// with makes a provider out of what this one shares with those for other tenants.
func (p *Provider) with(o Options) *Provider {
	lost := helpers.Fail(helpers.Internal, "the look-up of a credential ended in a panic", "")
	other := &Provider{
		options: o, now: p.now, registries: p.registries, folder: p.folder,
		lookups: flights[place, *answer]{lost: &answer{err: lost}},
		runs:    flights[key, token]{lost: token{err: lost}},
	}
	other.tenant = other.tenantOf(o)
	other.work.open()
	return other
}

// For makes a provider for another tenant. It has the options of this one but for the Source, shares with it the folder
// of the helpers and the limit of how many run at once, and nothing else: closing the one does not close the other.
//
// A tenant has at most half of the helpers that may run at once, and fewer while others run some, so that one whose
// registry does not answer leaves room for the others. Providers with the same Source count as one tenant, and so do
// those with a [Tenanted] Source of the same name.
func (p *Provider) For(source helpers.Source) (*Provider, error) {
	o := p.options
	o.Source = source
	if err := o.check(); err != nil {
		return nil, err
	}
	return p.with(o), nil
}

// tenantOf returns what the providers of one tenant have in common, as far as that can be known.
func (p *Provider) tenantOf(o Options) any {
	if o.Policy == Ambient {
		return nil
	}
	if t, ok := o.Source.(Tenanted); ok {
		return tenantName(t.Tenant())
	}
	if reflect.ValueOf(o.Source).Comparable() {
		return o.Source
	}
	return p
}

// tenantName is a type of its own, so that no Source that is a string is taken for a tenant of this name.
type tenantName string

// Close ends what goes on in the background, build environments included, and returns when it has ended. Look-ups fail
// from then on.
func (p *Provider) Close() error {
	p.memory.close()
	p.work.close()
	p.tokens.close()
	var errs []error
	p.builds.Range(func(b, _ any) bool {
		errs = append(errs, b.(*BuildEnvironment).Close())
		return true
	})
	return errors.Join(errs...)
}

// Name returns the name by which CLIP logs the provider.
func (p *Provider) Name() string { return "beta9" }

// GetCredentials is CLIP's question. The registry is a host[:port] in any spelling, and the scope a repository in it, or
// nothing. The configuration is never nil and belongs to the caller; it is empty when there is nothing for the registry,
// and when the look-up failed, which the error tells. The error is a [*helpers.Failure]; it holds no secret.
func (p *Provider) GetCredentials(ctx context.Context, registry, scope string) (*authn.AuthConfig, error) {
	at := place{registry, scope}
	if a := p.memory.get(at, p.now()); a != nil {
		return p.hit(a).reply()
	}
	return p.look(ctx, at).reply()
}

// Token is GetCredentials in this project's own words: it makes a provider a [helpers.TokenSource].
func (p *Provider) Token(ctx context.Context, r helpers.Registry) (helpers.Credential, error) {
	a := p.answer(ctx, r)
	return a.credential, a.err
}

// answer looks a registry up that was parsed already.
func (p *Provider) answer(ctx context.Context, r helpers.Registry) *answer {
	at := place{r.WithScope("").String(), string(r.Scope())}
	if a := p.memory.get(at, p.now()); a != nil {
		return p.hit(a)
	}
	return p.look(ctx, at)
}

// hit tells the trace of an answer from memory. A panic in there is a failure, as in a look-up: who asks is CLIP, which
// does not count on one.
func (p *Provider) hit(a *answer) *answer {
	if p.options.Trace.Hit == nil || p.options.Trace.heard(a.registry) {
		return a
	}
	return p.lookups.lost
}

// Invalidate forgets what is known of a registry, in any spelling. The next look-up runs the helper, which then renews
// what is in its own cache. A caller that was refused by the registry calls [Provider.Refused], which knows when this is of
// use.
func (p *Provider) Invalidate(registry string) {
	r, err := helpers.ParseServerURL(registry)
	if err != nil {
		return
	}
	p.tokens.drop(r.Identity())
	p.runs.forget(func(k key) bool { return k.identity == r.Identity() })
	p.lookups.forget(func(at place) bool {
		asked, err := parse(at)
		return err == nil && asked.Identity() == r.Identity()
	})
	p.memory.drop(r.Identity()) // last, so that nothing from before the others is remembered
}

// errClosed is the cause of what fails after Close.
var errClosed = errors.New("the provider is closed")

// work is what goes on apart from the callers. It ends with the provider.
type work struct {
	ctx    context.Context
	cancel context.CancelFunc
	mu     sync.Mutex // held to add to running or to set closed
	closed bool
	going  sync.WaitGroup
}

func (w *work) open() { w.ctx, w.cancel = context.WithCancel(context.Background()) }

// launch runs f in a goroutine, or reports false after close.
func (w *work) launch(f func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	w.going.Go(func() {
		stack.Grow()
		f()
	})
	return true
}

func (w *work) close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.cancel()
	w.going.Wait()
}

// detach returns a context with the values of ctx that ends with the work or after the time, not with ctx.
func (w *work) detach(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), d)
	stop := context.AfterFunc(w.ctx, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}
