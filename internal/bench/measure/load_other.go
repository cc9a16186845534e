//go:build !linux

package measure

// processors cannot tell.
func processors() (usage, bool) { return usage{}, false }
