package socket

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// askDeadline is how long a question may take when the context allows more. The other end may have to ask a database.
const askDeadline = 10 * time.Second

// Ask asks the socket at path for the material of a registry and checks that what it gets is bound to that registry.
// The error is [helpers.ErrNotFound] when there is none for it, and a [*helpers.Failure] otherwise.
func Ask(ctx context.Context, path string, r helpers.Registry) (helpers.Material, error) {
	ctx, cancel := context.WithTimeout(ctx, askDeadline)
	defer cancel()
	if !filepath.IsAbs(path) {
		return helpers.Material{}, helpers.Fail(helpers.BadRequest, "the path of the credential socket is not absolute", "")
	}
	m, err := ask(ctx, path, r)
	// Without a scope nothing is known of the repository, and the material counts, as in Material.Bound.
	if err == nil && (m.Registry().Identity() != r.Identity() || r.Scope() != "" && !m.Scope().Covers(r.Scope())) {
		return helpers.Material{}, helpers.Fail(helpers.WrongHost, "the credential socket gave the material of another registry", "")
	}
	return m, outcome(ctx, err)
}

func ask(ctx context.Context, path string, r helpers.Registry) (helpers.Material, error) {
	conn, err := dial(ctx, path)
	if err != nil {
		return helpers.Material{}, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) }) // wakes what waits
	defer stop()
	raw, err := conn.SyscallConn()
	if err != nil {
		return helpers.Material{}, err
	}
	if err := CheckPeer(raw); err != nil {
		return helpers.Material{}, err
	}
	if _, err := conn.Write(AppendRequest(nil, r)); err != nil {
		return helpers.Material{}, err
	}
	return readReply(conn)
}

// outcome turns what went wrong into the vocabulary of helpers.
func outcome(ctx context.Context, err error) error {
	if err == nil || errors.Is(err, helpers.ErrNotFound) {
		return err
	}
	if _, ok := errors.AsType[*helpers.Failure](err); ok {
		return err
	}
	f := &helpers.Failure{Reason: helpers.Unreachable, Text: "the credential socket cannot be reached",
		Hint: "the build that the helper was set up for may be over", Cause: err}
	switch {
	case errors.Is(err, errPeer):
		f.Reason, f.Text, f.Hint = helpers.AccessDenied, "the credential socket belongs to another user", ""
	case errors.Is(err, errUnsupported):
		f.Reason, f.Text, f.Hint = helpers.BadRequest, "there are no credential sockets on this system", ""
	case errors.Is(err, errMalformed):
		f.Reason, f.Text, f.Hint = helpers.BadAnswer, "the credential socket answered something that cannot be understood", ""
	case errors.Is(ctx.Err(), context.Canceled):
		f.Reason, f.Text, f.Hint = helpers.Canceled, "the call was ended while it asked the credential socket", ""
	case ctx.Err() != nil, errors.Is(err, os.ErrDeadlineExceeded):
		f.Reason, f.Text, f.Hint = helpers.Timeout, "the credential socket did not answer in time", ""
	}
	return f
}
