package execute

import (
	"errors"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// Failure says an error of [Folder.Run] in the words that all parts of this project share: a [*helpers.Failure] whose
// text holds nothing the helper printed, and whose cause is err. What is said in these words already is returned as it
// is, and so is nil.
func Failure(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*helpers.Failure](err); ok {
		return err
	}
	f := &helpers.Failure{Reason: helpers.Internal, Text: "a helper could not be run", Cause: err}
	if e, ok := errors.AsType[*Error](err); ok {
		f.Text = e.Name + " " + e.Kind.Error()
	}
	switch {
	case errors.Is(err, ErrDeadline):
		f.Reason = helpers.Timeout
	case errors.Is(err, ErrCanceled):
		f.Reason = helpers.Canceled
	case errors.Is(err, ErrOutput):
		f.Reason = helpers.BadAnswer
	case errors.Is(err, ErrMissing):
		f.Hint = "install the helpers of one release together, in one folder"
	case errors.Is(err, ErrUntrusted):
		f.Hint = "let the helper and its folder belong to root or to you, and let nobody else write to them"
		if t, ok := errors.AsType[*TrustError](err); ok {
			f.Text = t.Error()
		}
	}
	return f
}
