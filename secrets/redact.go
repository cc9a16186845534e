package secrets

import (
	"fmt"
	"log/slog"
)

// redacted is how a value that holds a secret prints.
const redacted = "[redacted]"

// opaque is embedded by the types that hold secrets. Its methods take every printing path of the standard library.
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
