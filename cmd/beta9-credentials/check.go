package main

import (
	"context"
	"fmt"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/provider"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
)

// checkDeadline bounds what is asked of one registry: a token exchange and two requests.
const checkDeadline = 30 * time.Second

// check asks each registry whether it accepts the credential for the image. The credential is made as a worker makes it:
// by the helper, from the secret alone; a reference that has none has to be there for everybody. What was accepted before is
// not asked about again; last is a secret that was asked about, if any.
func (t *attachment) check(ctx context.Context, resolved map[helpers.Reference]secrets.Secret) (last secrets.Secret, err error) {
	show, end := t.app.progress("asking registries")
	defer end()
	done := 0
	for _, ref := range t.image.References {
		show(done, len(t.image.References))
		done++
		s, secret := resolved[ref]
		sum := s.Material.Fingerprint() // of no material, where there is no secret
		if before, ok := t.accepted[ref]; ok && before == sum {
			continue
		}
		if !secret {
			err = t.askForEverybody(ctx, ref)
		} else if err = t.ask(ctx, ref, s); err == nil {
			last = s
		}
		if err != nil {
			return s, err
		}
		t.accepted[ref] = sum
	}
	return last, nil
}

// askForEverybody asks without a credential.
func (t *attachment) askForEverybody(ctx context.Context, ref helpers.Reference) error {
	ctx, cancel := context.WithTimeout(ctx, checkDeadline)
	defer cancel()
	m, err := t.app.environment().Map()
	if err != nil {
		return err
	}
	typ, takes := m.Lookup(ref.Registry())
	says, err := question{ref: ref, typ: typ.Name}.ask(ctx, authn.Anonymous)
	if says != unauthorized && says != absent {
		return err
	}
	if !takes { // which no credential changes
		return withHint(err, "see that the reference is right: "+ref.Registry().Identity()+" serves public images only")
	}
	hint := "store its secret with beta9-credentials secret put"
	if variables := variablesOf(ref.Registry(), typ); variables != "" {
		hint = "set " + variables + ", or " + hint
	}
	return withHint(err, hint)
}

func (t *attachment) ask(ctx context.Context, ref helpers.Reference, s secrets.Secret) error {
	ctx, cancel := context.WithTimeout(ctx, checkDeadline)
	defer cancel()
	folder, err := t.app.folder()
	if err != nil {
		return err
	}
	p, err := provider.New(provider.Options{
		Folder: folder, Source: provider.Materials{s.Material}, Deadline: checkDeadline,
		Network: t.app.network(),
	})
	if err != nil {
		return err
	}
	defer p.Close()
	if found, err := p.Preflight(ctx, ref.String()); err != nil {
		return fmt.Errorf("%s: %w", ref, t.app.explain(ctx, ref.Registry(), found.Type, s.Material, err))
	}
	_, err = question{ref: ref, typ: s.Material.Type()}.withCredential(ctx, p)
	return err
}
