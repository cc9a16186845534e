// Package island runs a test in a network of its own, in which the names of public registries lead to servers of the test.
// There is nothing beyond: what a program under test sends anywhere else goes nowhere, so unmodified clients can be watched
// talking to ghcr.io, and nothing leaves the machine.
//
//	func TestPullFromGHCR(t *testing.T) {
//		crane := clients.Need(t, "crane")
//		island.Run(t, island.Config{Names: []string{"ghcr.io"}}, func(t *testing.T, isle *island.Island) {
//			reg := registrytest.Start(t, registrytest.Options{
//				Listen: []string{"ghcr.io:443"},
//				TLS:    isle.Authority.ServerConfig(),
//			})
//			...
//		})
//	}
//
// Each name has an address of its own, so a server listens under its name, and several may use the same port.
//
// To get there, [Run] executes the test binary once more, for this one test, in a network and a mount namespace of its own
// (and, when not root, in a user namespace in which it is); the body runs in that second process, and everything that it
// starts is on the island too. What stands in front of Run in the test runs in both: it is the place to build and find what
// the body needs, and must not itself be part of the test.
//
// Trust: the island's authority stands in the place of the file of certificates that the machine trusts, so docker, skopeo,
// buildah, podman, crane, regctl, oras and our own helpers believe it in whatever environment they are started, without a
// certs.d folder or an option. SSL_CERT_FILE names it as well, for a machine that keeps that file elsewhere.
package island

import (
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/internal/testca"
)

// Config says what an island is like.
type Config struct {
	// Names are the host names that lead to it. localhost always does.
	Names []string
	// Silent surrounds it with a network that swallows whatever is sent to an address that is not on it, without a word back:
	// connections beyond hang, and so does looking up any other name. Without it there is no network, and both fail at once.
	Silent bool
	// Environ holds variables (name=value) for the second process, such as what the first one has made for it.
	Environ []string
}

// Island is where the body of a test runs.
type Island struct {
	// Authority is whom everything on the island trusts.
	Authority *testca.Authority
}

// Run runs the body of a test on an island, and skips the test where none can be made. It is called once in a test. What
// stands behind it runs in both processes, too.
func Run(t *testing.T, c Config, body func(t *testing.T, isle *Island)) {
	t.Helper()
	run(t, c, body)
}
