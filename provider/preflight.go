package provider

import (
	"context"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// An Outcome is how a look-up ended.
type Outcome string

// The outcomes there are.
const (
	Have   Outcome = "have"   // there is a credential
	None   Outcome = "none"   // nothing is configured for the registry; a pull is anonymous
	Failed Outcome = "failed" // it is not known whether there is one, or it cannot be had
)

// A Finding is what [Provider.Preflight] found. It holds no secret.
type Finding struct {
	Outcome  Outcome
	Registry helpers.Registry // with the repository as its scope
	Type     string           // of the registry; empty when it serves public images only
	// Source says where the credential comes from, such as "material", "login" or "environment".
	Source string
	// ExpiresAt is the end of the credential's life; zero when it has none.
	ExpiresAt time.Time
}

// Preflight looks the credential for an image up before CLIP is called, since CLIP pulls anonymously after a failure.
// The error is nil for have and none. The answer is remembered as that of any look-up, so that CLIP's own, a moment
// later, costs nothing.
func (p *Provider) Preflight(ctx context.Context, reference string) (Finding, error) {
	ref, err := helpers.ParseReference(reference)
	if err != nil {
		return Finding{Outcome: Failed}, err
	}
	a := p.answer(ctx, ref.Registry())
	f := Finding{
		Outcome: Have, Registry: ref.Registry(), Type: a.typ,
		Source: a.credential.Source(), ExpiresAt: a.credential.ExpiresAt(),
	}
	switch {
	case helpers.IsNotFound(a.err):
		f.Outcome = None
	case a.err != nil:
		f.Outcome = Failed
		return f, a.err
	}
	return f, nil
}
