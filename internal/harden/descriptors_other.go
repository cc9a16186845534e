//go:build unix && !linux

package harden

func markRange() bool { return false }
