package helpers

import (
	"fmt"
	"log/slog"
)

// redacted is how a value that holds a secret prints.
const redacted = "[redacted]"

// opaque is embedded by the types that hold secrets. Its methods take every printing path of the standard library that
// asks a value how it prints: fmt's verbs, log/slog, and the encodings that ask for text or JSON. Paths that do not ask
// read by reflection; see hidden for those.
type opaque struct{}

// String returns "[redacted]".
func (opaque) String() string { return redacted }

// GoString returns "[redacted]".
func (opaque) GoString() string { return redacted }

// Format prints "[redacted]" for every verb.
func (opaque) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue returns "[redacted]".
func (opaque) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns "[redacted]".
func (opaque) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON returns the JSON string "[redacted]".
func (opaque) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// hidden keeps a value where fmt does not find it. In an unexported field of somebody else's struct fmt calls no method
// and goes on by reflection. It follows no pointer there, with one exception: for a verb that does not fit a pointer,
// such as %s, it follows the pointer to a struct once and prints what it finds. What it does not follow is a pointer to
// a pointer.
type hidden[T any] struct{ at **T }

func hide[T any](v T) hidden[T] {
	p := &v
	return hidden[T]{at: &p}
}

// isZero tells whether nothing was hidden.
func (h hidden[T]) isZero() bool { return h.at == nil }

// get returns what was hidden, or the zero value.
func (h hidden[T]) get() T {
	if h.at == nil {
		var zero T
		return zero
	}
	return **h.at
}
