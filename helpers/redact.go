package helpers

import (
	"fmt"
	"log/slog"
)

// redacted is how a value that holds a secret prints.
const redacted = "[redacted]"

// opaque is embedded by the types that hold secrets. Its methods take every printing path of the standard library:
// fmt's verbs, log/slog, and the encodings that ask for text or JSON. A type that embeds it keeps its secrets behind
// a pointer, because fmt does not call methods on unexported fields of an enclosing struct and prints those by
// reflection; of a pointer inside a struct it prints the address.
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
