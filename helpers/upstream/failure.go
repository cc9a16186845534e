package upstream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"strconv"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

var (
	errPlain    = errors.New("the address is not https")
	errProxyURL = errors.New("the proxy of the environment is not a URL")
	// errLasting marks failures of the connection that another attempt does not change.
	errLasting = errors.New("it will not change")
)

// proxyError is the status with which a proxy refused a connection.
type proxyError int

func (e proxyError) Error() string { return "the proxy answered " + strconv.Itoa(int(e)) }

// Explain turns the error of a call that was made through [Client.HTTP] into a failure that names the service and
// quotes nothing. A [*helpers.Failure] stays what it is.
func Explain(ctx context.Context, service string, err error) *helpers.Failure {
	return explain(ctx, service, err)
}

func explain(ctx context.Context, service string, err error) *helpers.Failure {
	if f, ok := errors.AsType[*helpers.Failure](err); ok {
		return f
	}
	fail := func(reason helpers.Reason, text, hint string) *helpers.Failure {
		return &helpers.Failure{Reason: reason, Text: text, Hint: hint, Cause: kind(err)}
	}
	lasting := func(text, hint string) *helpers.Failure {
		return &helpers.Failure{Reason: helpers.Unreachable, Text: text, Hint: hint, Cause: errLasting}
	}
	switch {
	case errors.Is(err, errTooLarge):
		return fail(helpers.BadAnswer, service+" answered more than 1 MiB", "")
	case errors.Is(err, errPlain):
		return fail(helpers.BadMaterial, service+" is not called over plain http", "give an https address")
	case errors.Is(err, errProxyURL):
		return fail(helpers.BadMaterial, "the proxy that the environment names is not a URL",
			"set HTTPS_PROXY to something like http://proxy.example.com:3128")
	case ctx.Err() == context.Canceled:
		return fail(helpers.Canceled, "the call of "+service+" was ended", "")
	case ctx.Err() == context.DeadlineExceeded, errors.Is(err, context.DeadlineExceeded):
		return fail(helpers.Timeout, service+" did not answer before the deadline",
			"see whether the service can be reached from here, or raise BETA9_CREDENTIAL_TIMEOUT")
	case untrusted(err):
		return lasting("the certificate of "+service+" is not trusted",
			"a proxy that opens TLS needs its authority in SSL_CERT_FILE, or in AWS_CA_BUNDLE for AWS")
	}
	if status, ok := errors.AsType[proxyError](err); ok {
		return lasting("the proxy refuses to connect to "+service+" (status "+strconv.Itoa(int(status))+")",
			"see HTTPS_PROXY and NO_PROXY")
	}
	if d, ok := errors.AsType[*net.DNSError](err); ok && d.IsNotFound {
		return lasting("there is no host name for "+service, "see whether the name can be resolved from here")
	}
	return fail(helpers.Unreachable, "no connection to "+service, "see whether the service can be reached from here")
}

// kind keeps of an error what is safe to keep: messages of the network layer may quote a proxy's URL or a server's
// header.
func kind(err error) error {
	for _, known := range []error{context.Canceled, context.DeadlineExceeded, errTooLarge, errPlain, errProxyURL} {
		if errors.Is(err, known) {
			return known
		}
	}
	return nil
}

func untrusted(err error) bool {
	_, verify := errors.AsType[*tls.CertificateVerificationError](err)
	_, authority := errors.AsType[x509.UnknownAuthorityError](err)
	_, name := errors.AsType[x509.HostnameError](err)
	_, invalid := errors.AsType[x509.CertificateInvalidError](err)
	return verify || authority || name || invalid
}

// Failure reads an answer that is not [Answer.OK] by its status alone. Callers look first for what their service says in
// the body.
func (a Answer) Failure() *helpers.Failure {
	status := " (status " + strconv.Itoa(a.Status) + ")"
	switch {
	case a.throttled:
		return helpers.Fail(helpers.Throttled, a.service+" throttles"+status, "try again later")
	case a.Status == http.StatusUnauthorized, a.Status == http.StatusForbidden:
		return helpers.Fail(helpers.AccessDenied, a.service+" refuses the identity"+status, "")
	case a.Status >= 500:
		return helpers.Fail(helpers.Unavailable, a.service+" is out of order"+status, "try again later")
	case a.Status >= 300 && a.Status <= 399:
		return helpers.Fail(helpers.BadAnswer, a.service+" answered with a redirect, which is not followed"+status, "")
	}
	return helpers.Fail(helpers.BadAnswer, a.service+" answered with an unexpected status"+status, "")
}

// Service returns how failures name the service that answered: its name and host.
func (a Answer) Service() string { return a.service }
