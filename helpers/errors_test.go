package helpers_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/docker/docker-credential-helpers/credentials"
)

func TestSentinelsAreTheProtocols(t *testing.T) {
	if !credentials.IsErrCredentialsNotFound(helpers.ErrNotFound) || !credentials.IsErrCredentialsNotFoundMessage(helpers.ErrorLine(helpers.ErrNotFound)) {
		t.Error("docker does not know ErrNotFound")
	}
	if !credentials.IsCredentialsMissingServerURLMessage(helpers.ErrorLine(helpers.ErrNoServerURL)) {
		t.Error("docker does not know ErrNoServerURL")
	}
	if !credentials.IsCredentialsMissingUsernameMessage(helpers.ErrorLine(helpers.ErrNoUsername)) {
		t.Error("docker does not know ErrNoUsername")
	}
}

func TestFailureTellsItsReasonAndItsCause(t *testing.T) {
	cause := context.DeadlineExceeded
	err := fmt.Errorf("around: %w", &helpers.Failure{Reason: helpers.Timeout, Text: "the token service did not answer", Hint: "try again", Cause: cause})
	if !errors.Is(err, helpers.Timeout) || !errors.Is(err, cause) || errors.Is(err, helpers.Throttled) {
		t.Errorf("%v does not tell what it is", err)
	}
	if helpers.ReasonOf(err) != helpers.Timeout || helpers.HintOf(err) != "try again" {
		t.Errorf("reason %q, hint %q", helpers.ReasonOf(err), helpers.HintOf(err))
	}
	for _, row := range []struct {
		err  error
		want helpers.Reason
	}{
		{nil, ""},
		{helpers.ErrNotFound, ""},
		{fmt.Errorf("x: %w", helpers.ErrNotFound), ""},
		{helpers.ErrNoServerURL, helpers.BadRequest},
		{helpers.ErrNoUsername, helpers.BadRequest},
		{errors.New("x"), helpers.Internal},
		{fmt.Errorf("x: %w", helpers.Throttled), helpers.Throttled},
		{errors.Join(errors.New("x"), helpers.Fail(helpers.Canceled, "x", "")), helpers.Canceled},
	} {
		if got := helpers.ReasonOf(row.err); got != row.want {
			t.Errorf("the reason of %v is %q, want %q", row.err, got, row.want)
		}
		if helpers.HintOf(row.err) != "" {
			t.Errorf("%v has a hint", row.err)
		}
	}
}

// "Failed" never turns into "none", whatever it was that failed.
func TestAFailureIsNeverNotFound(t *testing.T) {
	for _, cause := range []error{helpers.ErrNotFound, fmt.Errorf("x: %w", helpers.ErrNotFound), errors.Join(errors.New("x"), helpers.ErrNotFound)} {
		err := error(&helpers.Failure{Reason: helpers.StoreFailed, Text: "the store is broken", Cause: cause})
		for _, err := range []error{err, fmt.Errorf("around: %w", err)} {
			if helpers.IsNotFound(err) || helpers.ReasonOf(err) != helpers.StoreFailed || helpers.ErrorLine(err) != "store_failed: the store is broken" {
				t.Errorf("%v with the cause %v: reason %q, line %q", err, cause, helpers.ReasonOf(err), helpers.ErrorLine(err))
			}
		}
	}
}

// ErrNoAnswer leads to what ErrNotFound leads to, on the line and in Go.
func TestNoAnswerIsNotFound(t *testing.T) {
	err := fmt.Errorf("somewhere: %w", helpers.ErrNoAnswer)
	if !helpers.IsNotFound(err) || !errors.Is(err, helpers.ErrNoAnswer) || errors.Is(helpers.ErrNotFound, helpers.ErrNoAnswer) {
		t.Error("it cannot be told from others, or is not one of them")
	}
	if line := helpers.ErrorLine(err); line != helpers.ErrNotFound.Error() || helpers.ErrNoAnswer.Error() != line || helpers.ReasonOf(err) != "" {
		t.Errorf("the line is %q, the reason %q", line, helpers.ReasonOf(err))
	}
}

// An outage says nothing of whoever asked; everything else may.
func TestIsOutage(t *testing.T) {
	for err, want := range map[error]bool{
		helpers.Throttled: true, helpers.Unavailable: true, helpers.Unreachable: true, helpers.Timeout: true, helpers.BadAnswer: true,
		helpers.ErrNoAnswer: true, helpers.ErrNotFound: false, helpers.AccessDenied: false, helpers.ExpiredIdentity: false,
		helpers.LoginRequired: false, helpers.BadMaterial: false, helpers.Canceled: false, helpers.Internal: false, errors.New("other"): false,
	} {
		if helpers.IsOutage(err) != want || helpers.IsOutage(fmt.Errorf("somewhere: %w", err)) != want {
			t.Errorf("%v: %v", err, !want)
		}
	}
	if helpers.IsOutage(nil) {
		t.Error("nil")
	}
}

func TestACauseIsNotPrinted(t *testing.T) {
	err := &helpers.Failure{Reason: helpers.Internal, Text: "it failed", Cause: errors.New(canary)}
	out, _ := json.Marshal(err)
	for _, s := range []string{err.Error(), helpers.ErrorLine(err), fmt.Sprintf("%v %+v %s %q", err, err, err, err), string(out)} {
		if strings.Contains(s, canary) {
			t.Errorf("the cause is printed: %s", s)
		}
	}
}

func TestReasonsAreStable(t *testing.T) {
	// The codes are part of the wire and of the commands' JSON: they are added to, not changed.
	got := []string{
		string(helpers.AccessDenied), string(helpers.BadAnswer), string(helpers.BadMaterial), string(helpers.BadRequest), string(helpers.Canceled),
		string(helpers.ExpiredIdentity), string(helpers.Internal), string(helpers.LoginRequired), string(helpers.StoreFailed),
		string(helpers.Throttled), string(helpers.Timeout), string(helpers.Unavailable), string(helpers.Unreachable), string(helpers.WrongHost),
	}
	want := strings.Fields(`access_denied bad_answer bad_material bad_request canceled expired_identity internal login_required store_failed
		throttled timeout unavailable unreachable wrong_host`)
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestTraceHearsWhatIsSaid(t *testing.T) {
	var heard []string
	note := func(what string) func(string) {
		return func(text string) { heard = append(heard, what+" "+text) }
	}
	ctx := helpers.WithTrace(t.Context(), helpers.Trace{
		SourceLeft:  func(source, why string) { heard = append(heard, "left "+source+": "+why) },
		SourceTaken: note("taken"), Hint: note("hint"), Advice: note("advice"),
	})
	for _, ctx := range []context.Context{ctx, t.Context(), helpers.WithTrace(ctx, helpers.Trace{})} { // only the first has ears
		helpers.LeaveSource(ctx, "login", "nothing there")
		helpers.TakeSource(ctx, "environment")
		helpers.Hint(ctx, "a")
		helpers.Advise(ctx, "b")
	}
	if want := []string{"left login: nothing there", "taken environment", "hint a", "advice b"}; !slices.Equal(heard, want) {
		t.Errorf("heard %q, want %q", heard, want)
	}
}
