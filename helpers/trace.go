package helpers

import "context"

// A Trace hears what a source or an exchanger does, in the manner of net/http/httptrace. Its functions may be nil and
// are never given a secret. They may be called by several goroutines at once.
type Trace struct {
	// SourceLeft is called when a source was looked at and left, with the reason.
	SourceLeft func(source, why string)
	// SourceTaken is called with the source that the credential or the material comes from.
	SourceTaken func(source string)
	// Hint is called with a sentence for the person at the keyboard: something that is configured is wrong.
	Hint func(text string)
	// Advice is called with what is worth knowing about something that may be right.
	Advice func(text string)
}

type traceKey struct{}

// WithTrace returns a context whose calls are reported to t.
func WithTrace(ctx context.Context, t Trace) context.Context {
	return context.WithValue(ctx, traceKey{}, t)
}

func traceOf(ctx context.Context) Trace {
	t, _ := ctx.Value(traceKey{}).(Trace)
	return t
}

// LeaveSource reports to the context's trace that a source was left, and why.
func LeaveSource(ctx context.Context, source, why string) {
	if f := traceOf(ctx).SourceLeft; f != nil {
		f(source, why)
	}
}

// TakeSource reports to the context's trace which source was taken.
func TakeSource(ctx context.Context, source string) {
	if f := traceOf(ctx).SourceTaken; f != nil {
		f(source)
	}
}

// Hint reports to the context's trace that something which is configured is wrong, and what to do.
func Hint(ctx context.Context, text string) {
	if f := traceOf(ctx).Hint; f != nil {
		f(text)
	}
}

// Advise reports to the context's trace what is worth knowing about something that may be right.
func Advise(ctx context.Context, text string) {
	if f := traceOf(ctx).Advice; f != nil {
		f(text)
	}
}
