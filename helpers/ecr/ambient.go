package ecr

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/helpers/upstream"
)

// ambient is the machine's own identity at AWS.
type ambient struct {
	machine helpers.Machine
	system  string // the root of the files that tell what machine this is
	now     func() time.Time

	mu    sync.Mutex
	plans map[string]plan // by registry
}

// A plan is everything that is known about a token before a socket is opened.
type plan struct {
	api      api
	identity identity
	key      helpers.Key
	bundle   string // AWS_CA_BUNDLE
	err      error
}

// Ambient returns the machine's own identity at AWS: the first of access keys in the environment, a web identity
// (AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN), the profile (AWS_PROFILE, else "default"), the endpoint of the container
// and the metadata service of the instance that is configured. What is configured and does not work is a failure; the
// next is not tried in its place. A registry's entry in the map file may name the profile, which then comes first, and
// a role to assume with whatever was found.
//
// AWS_ENDPOINT_URL_ECR, AWS_ENDPOINT_URL_ECR_PUBLIC, AWS_ENDPOINT_URL_STS and AWS_ENDPOINT_URL lead calls elsewhere,
// AWS_CA_BUNDLE replaces the certificates to trust, and AWS_USE_FIPS_ENDPOINT makes a FIPS registry of a plain one.
//
// A program that a profile names gets the environment without the secrets of other types of registries and without this
// project's own variables, but for those that its command names.
//
// Key opens no socket. Two keys are equal when the tokens are for one region, by one endpoint, and the identity comes
// from the same place: a role by its ARN and the place of what it is assumed with, for a web identity its issuer and
// subject, a credential_process by its profile, its command and the variables that the command names, SSO by its
// account and role, a container by its endpoint and whom its authorization is for, the instance's role by the
// instance's boot, and lasting access keys by themselves. So a new token file, a new session of a role and a new answer
// of a credential_process share what the one before them got. Only bare session keys (AWS_SESSION_TOKEN in the
// environment or in a profile) share nothing with the next session's: an access key id tells the account that it
// belongs to, and nothing tells the role, which another identity of the same account must not share. A role that is
// assumed with such keys is shared again, within the account of the keys.
//
// What configures the identity is read once: the value is for one call of a helper. It is safe for concurrent use.
func Ambient(m helpers.Machine) helpers.Keyed {
	return &ambient{machine: m, system: "/", now: time.Now, plans: map[string]plan{}}
}

// Token asks ECR for a token with the machine's own identity. The error is [helpers.ErrNotFound] when the machine has
// none, and for ECR Public whenever there is no token to be had; it is [helpers.ErrNoAnswer] when that is for want of an
// answer.
func (a *ambient) Token(ctx context.Context, r helpers.Registry) (helpers.Credential, error) {
	p := a.plan(ctx, r)
	if p.err != nil {
		return helpers.Credential{}, p.err
	}
	reach := a.reach(p)
	defer reach.close()
	c, err := p.identity.token(ctx, reach, p.api)
	switch {
	case err == nil:
		helpers.TakeSource(ctx, p.identity.source)
		return c.WithSource(p.identity.source), nil
	case helpers.IsNotFound(err):
		return helpers.Credential{}, err
	case p.api.public:
		return helpers.Credential{}, anonymous(ctx, p.identity.source, err)
	}
	return helpers.Credential{}, p.identity.failed(err)
}

// Key tells what a token may be shared by.
func (a *ambient) Key(ctx context.Context, r helpers.Registry) (helpers.Key, error) {
	p := a.plan(ctx, r)
	return p.key, p.err
}

// plan makes the plan for a registry once, so that the token is that of the key.
func (a *ambient) plan(ctx context.Context, r helpers.Registry) plan {
	a.mu.Lock()
	defer a.mu.Unlock()
	p, ok := a.plans[r.Identity()]
	if !ok {
		p = a.makePlan(ctx, r)
		if p.err != nil && p.api.public && !helpers.IsNotFound(p.err) {
			p.err = anonymous(ctx, "machine", p.err)
		}
		a.plans[r.Identity()] = p
	}
	return p
}

func (a *ambient) makePlan(ctx context.Context, r helpers.Registry) plan {
	h, err := hostOf(a.machine.Map, r)
	if err != nil {
		return plan{err: err}
	}
	getenv := a.machine.Getenv
	h.FIPS = h.FIPS || strings.EqualFold(getenv("AWS_USE_FIPS_ENDPOINT"), "true")
	p := plan{api: apiOf(h)}
	variable := "AWS_ENDPOINT_URL_ECR"
	if h.Public {
		variable = "AWS_ENDPOINT_URL_ECR_PUBLIC"
	}
	url, err := given(getenv, variable, h)
	if err != nil {
		p.err = err
		return p
	}
	if url != "" {
		p.api.url = url
	}
	c := &chain{machine: a.machine, registry: r, host: h, system: a.system}
	pin, _ := a.machine.Map.Pin(r)
	if p.identity, p.err = c.identity(ctx, pin); p.err != nil {
		return p
	}
	p.bundle = c.bundle(pin)
	p.key = keyOf(p.api, p.identity.parts, c.configuration())
	return p
}

// reach is what identities are resolved with.
type reach struct {
	world caller           // the services of the cloud
	near  *upstream.Client // the metadata services of the machine
}

func (a *ambient) reach(p plan) reach {
	return reach{
		world: caller{now: a.now, client: upstream.New(upstream.Options{
			Getenv: a.machine.Getenv, Bundle: p.bundle, Plain: upstream.Loopback, // for endpoints that are given
		})},
		near: upstream.New(upstream.Options{
			Getenv: a.machine.Getenv, Bundle: p.bundle, Direct: true, Connect: metadataPatience,
			Plain: func(string) bool { return true }, // the addresses are checked where they are read
		}),
	}
}

func (r reach) close() {
	r.world.client.Close()
	r.near.Close()
}

// An identity is one way to get access keys, found without a socket being opened.
type identity struct {
	// source is how people are told of it.
	source string
	// parts are what tells it from other identities.
	parts []string
	// account is set when the parts tell one session of an identity that is not known but for its account.
	account string
	// keys resolves it.
	keys func(context.Context, reach) (helpers.Material, error)
}

func (i identity) token(ctx context.Context, r reach, a api) (helpers.Credential, error) {
	m, err := i.keys(ctx, r)
	if err != nil {
		return helpers.Credential{}, err
	}
	return r.world.token(ctx, a, m)
}

// base returns the parts that the identity contributes to one that is reached through it.
func (i identity) base() []string {
	if i.account != "" {
		return []string{"a session of account", i.account}
	}
	return i.parts
}

// failed says whose failure it is.
func (i identity) failed(err error) error {
	f, ok := errors.AsType[*helpers.Failure](err)
	if !ok {
		return err
	}
	named := *f
	named.Text += " (identity: " + i.source + ")"
	return &named
}
