package main

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/provider"
)

// An answer is what a registry says when it is asked for the manifest of an image.
type answer string

const (
	accepted     answer = "accepted"
	unauthorized answer = "unauthorized" // 401
	forbidden    answer = "forbidden"    // 403
	absent       answer = "absent"       // 404
	unreachable  answer = "unreachable"  // no connection, no answer in time, or one that says that the registry is out of order
)

// A question asks a registry for the manifest of an image, with HEAD.
type question struct {
	ref helpers.Reference
	typ string // name of the registry's type, for what a refusal usually means there
	// anonymous tells that it is asked without a credential.
	anonymous bool
}

// withCredential asks with what the provider has. A credential that is refused is asked for once more, since it may have
// been given up or have expired: that is what a 401 means, and on ECR a 403.
func (q question) withCredential(ctx context.Context, p *provider.Provider) (answer, error) {
	r := q.ref.Registry()
	auth := p.Authenticator(r.HostPort(), string(r.Scope()))
	got, err := q.ask(ctx, auth)
	if got == unauthorized || got == forbidden && q.typ == "ecr" {
		p.Invalidate(r.HostPort())
		return q.ask(ctx, auth)
	}
	return got, err
}

// ask asks once. The error is nil when the answer is accepted, and a [*helpers.Failure] otherwise.
func (q question) ask(ctx context.Context, auth authn.Authenticator) (answer, error) {
	q.anonymous = auth == authn.Anonymous
	image, err := name.ParseReference(q.ref.String())
	if err != nil {
		return unreachable, helpers.Fail(helpers.BadRequest, "the reference "+q.ref.String()+" cannot be asked for", "")
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	defer t.CloseIdleConnections()
	_, err = remote.Head(image, remote.WithContext(ctx), remote.WithAuth(auth), remote.WithTransport(t))
	return q.read(err)
}

// read says what the outcome of a request means. Nothing of the registry's own words is taken over.
func (q question) read(err error) (answer, error) {
	if err == nil {
		return accepted, nil
	}
	if f, ok := errors.AsType[*helpers.Failure](err); ok { // the authenticator's
		return unreachable, f
	}
	host := q.ref.Registry().Identity()
	fail := func(a answer, reason helpers.Reason, text, hint string) (answer, error) {
		return a, &helpers.Failure{Reason: reason, Text: host + " " + text, Hint: hint, Cause: err}
	}
	if failed, ok := errors.AsType[*transport.Error](err); ok {
		meant := meanings[q.typ]
		if q.anonymous && (failed.StatusCode == http.StatusUnauthorized || failed.StatusCode == http.StatusForbidden) {
			t, _ := helpers.TypeNamed(q.typ)
			return fail(unauthorized, helpers.AccessDenied, "wants a credential for "+q.ref.String(), wayIn(q.ref.Registry(), t))
		}
		switch failed.StatusCode {
		case http.StatusUnauthorized:
			return fail(unauthorized, helpers.AccessDenied, "does not accept the credential for "+q.ref.String(), meant.unauthorized)
		case http.StatusForbidden:
			return fail(forbidden, helpers.AccessDenied, "accepts the credential, but not for "+q.ref.String(), meant.forbidden)
		case http.StatusNotFound:
			if q.anonymous {
				return fail(absent, helpers.AccessDenied, "has no "+q.ref.String()+" that everybody may see", "see that the reference is right")
			}
			return fail(absent, helpers.AccessDenied, "has no "+q.ref.String()+" that this credential may see",
				"see that the reference is right, and that the account of the credential may pull it")
		case http.StatusTooManyRequests:
			return fail(unreachable, helpers.Throttled, "answers that it was asked too often", "try again later")
		}
		return fail(unreachable, helpers.Unavailable, "cannot tell whether it accepts the credential", "try again later")
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fail(unreachable, helpers.Timeout, "did not answer in time", "try again later")
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fail(unreachable, helpers.Unreachable, "has a certificate that nobody here trusts",
			"set SSL_CERT_FILE to a file with the certificate of its authority")
	}
	return fail(unreachable, helpers.Unreachable, "cannot be reached", "see that the registry is up, and that its name is right")
}

// A meaning is what the refusals of a registry usually mean, and what to do then.
type meaning struct{ unauthorized, forbidden string }

// meanings are those of the types, by name.
var meanings = map[string]meaning{
	"ecr": {
		"the token is not for this registry: see that the identity and the region are right",
		"a token says nothing of a repository: allow the identity ecr:BatchGetImage and ecr:GetDownloadUrlForLayer, and for " +
			"another account in the policy of the repository too",
	},
	"gcr": {
		"the access token has expired or was withdrawn, or the service account is disabled",
		"give the account the role roles/artifactregistry.reader on the repository",
	},
	"acr": {
		"the identity is unknown to the registry's tenant, or its secret has expired",
		"give the identity the role AcrPull on the registry; see that its firewall lets this machine in",
	},
	"dockerhub": {
		"the password or access token is wrong, or the repository does not exist, for which Docker Hub answers the same",
		"see that the account may pull the repository, and that the access token has the right to read",
	},
	"ghcr": {
		"the token is wrong or has expired; it has to be a classic one with the scope read:packages, or that of a workflow",
		"give the token the scope read:packages, its owner access to the package, and allow it for the organisation's SSO",
	},
	"ngc": {
		"the API key is wrong or was deleted",
		"see that the key's organisation and team are entitled to the image, and that its terms were accepted",
	},
	"generic": {
		"see that the user name and the password are right and have not expired",
		"give the account the right to pull the image",
	},
}
