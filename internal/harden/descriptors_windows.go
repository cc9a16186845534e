package harden

// Descriptors does nothing here: Go starts every process with the list of the
// handles it inherits.
func Descriptors() error { return nil }
