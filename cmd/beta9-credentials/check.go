package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/provider"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
)

// checkDeadline bounds what is asked of one registry: a token exchange and two requests.
const checkDeadline = 30 * time.Second

// check asks each registry whether it accepts the credential for the image. The credential is made as a worker makes it:
// by the helper, from the secret alone.
func (t *attachment) check(ctx context.Context, resolved map[helpers.Reference]secrets.Secret) error {
	show, end := t.app.progress("asking registries")
	defer end()
	done := 0
	for _, ref := range t.image.References {
		s, ok := resolved[ref]
		if !ok {
			continue
		}
		show(done, len(resolved))
		if err := t.ask(ctx, ref, s); err != nil {
			return err
		}
		done++
	}
	return nil
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
		Network: provider.Network{
			HTTPProxy: t.app.getenv("HTTP_PROXY"), HTTPSProxy: t.app.getenv("HTTPS_PROXY"), NoProxy: t.app.getenv("NO_PROXY"),
			CertFile: t.app.getenv("SSL_CERT_FILE"), CertDir: t.app.getenv("SSL_CERT_DIR"),
		},
	})
	if err != nil {
		return err
	}
	defer p.Close()
	config, err := p.GetCredentials(ctx, ref.Registry().HostPort(), ref.Repository())
	if err != nil {
		return err
	}
	image, err := name.ParseReference(ref.String())
	if err != nil {
		return helpers.Fail(helpers.BadRequest, "the reference "+ref.String()+" cannot be asked for", "")
	}
	_, err = remote.Head(image, remote.WithContext(ctx), remote.WithAuth(authn.FromConfig(*config)))
	return refusal(ref, err)
}

// refusal says what a registry's answer means. Nothing of the answer itself is taken over.
func refusal(ref helpers.Reference, err error) error {
	if err == nil {
		return nil
	}
	host := ref.Registry().Identity()
	failed, ok := errors.AsType[*transport.Error](err)
	switch {
	case ok && failed.StatusCode == http.StatusUnauthorized:
		return &helpers.Failure{Reason: helpers.AccessDenied, Text: host + " does not accept the credential for " + ref.String(),
			Hint: "see that the secret is right and has not expired", Cause: err}
	case ok && failed.StatusCode == http.StatusForbidden:
		return &helpers.Failure{Reason: helpers.AccessDenied, Text: host + " accepts the credential, but not for " + ref.String(),
			Hint: "give the account of the secret the right to pull the image", Cause: err}
	case ok && failed.StatusCode == http.StatusNotFound:
		return &helpers.Failure{Reason: helpers.AccessDenied, Text: host + " has no " + ref.String() + " that this credential may see",
			Hint: "see that the reference is right, and that the account of the secret may pull it", Cause: err}
	case ok && failed.StatusCode == http.StatusTooManyRequests:
		return &helpers.Failure{Reason: helpers.Throttled, Text: host + " answers that it was asked too often", Hint: "try again later", Cause: err}
	case ok:
		return &helpers.Failure{Reason: helpers.Unavailable, Text: host + " cannot tell whether it accepts the credential",
			Hint: "try again later, or leave --check out", Cause: err}
	case errors.Is(err, context.DeadlineExceeded):
		return &helpers.Failure{Reason: helpers.Timeout, Text: host + " did not answer in time", Hint: "try again later, or leave --check out", Cause: err}
	}
	return &helpers.Failure{Reason: helpers.Unreachable, Text: host + " cannot be reached", Hint: "see that the registry is up, or leave --check out", Cause: err}
}
