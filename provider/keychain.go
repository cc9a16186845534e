package provider

import (
	"context"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

var (
	_ helpers.TokenSource        = (*Provider)(nil)
	_ authn.Keychain             = (*Provider)(nil)
	_ authn.ContextKeychain      = (*Provider)(nil)
	_ authn.ContextAuthenticator = authenticator{}
)

// Resolve is ResolveContext without a context.
func (p *Provider) Resolve(target authn.Resource) (authn.Authenticator, error) {
	return p.ResolveContext(context.Background(), target)
}

// ResolveContext makes a provider a keychain of go-containerregistry. The authenticator asks the provider for each
// request, so that a client that lives longer than a credential goes on; it is [authn.Anonymous] when there is nothing
// for the registry.
func (p *Provider) ResolveContext(ctx context.Context, target authn.Resource) (authn.Authenticator, error) {
	if image, ok := target.(name.Reference); ok {
		target = image.Context() // the tag or digest is no part of the question
	}
	registry := target.RegistryStr()
	repository, ok := strings.CutPrefix(target.String(), registry+"/")
	if !ok {
		repository = "" // the registry itself is asked for
	}
	a := authenticator{p, place{registry, repository}}
	config, err := a.AuthorizationContext(ctx)
	if err != nil {
		return nil, err
	}
	if *config == (authn.AuthConfig{}) {
		return authn.Anonymous, nil
	}
	return a, nil
}

// Authenticator returns an authenticator for a registry, and a repository in it if that is known, that asks the provider
// for each request. The arguments are those of [Provider.GetCredentials].
func (p *Provider) Authenticator(registry, scope string) authn.Authenticator {
	return authenticator{p, place{registry, scope}}
}

type authenticator struct {
	provider *Provider
	at       place
}

// Authorization is AuthorizationContext without a context.
func (a authenticator) Authorization() (*authn.AuthConfig, error) {
	return a.AuthorizationContext(context.Background())
}

// AuthorizationContext is [Provider.GetCredentials].
func (a authenticator) AuthorizationContext(ctx context.Context) (*authn.AuthConfig, error) {
	return a.provider.GetCredentials(ctx, a.at.registry, a.at.scope)
}
