//go:build !linux

package upstream

// bundles is empty where the platform has a verifier of its own.
var bundles []string
