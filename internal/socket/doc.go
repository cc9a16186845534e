// Package socket is how a helper gets its material from the process that started a build, when several programs lie
// between the two: over a unix socket whose path the helper finds in BETA9_CREDENTIAL_SOCKET. This package holds the
// protocol and the helper's end, and does without package net, which would add a fifth to the size of a helper that
// makes no network call. Package listener is the other end.
//
// A connection carries one request and one reply, each of which starts with a line of ASCII:
//
//	request:  material 1 <registry>[/<scope>] LF
//	reply:    have <length in bytes> LF <material's wire form>
//	          none LF
//	          failed <reason> LF
//
// The registry is written as [helpers.Registry.String] writes it; "1" is the version of the protocol. The reasons are
// those of [helpers.Reason]. The server closes the connection after its reply, and without one when the request is
// malformed. Both ends check that the other runs as the same user, by what the kernel says of the connection, and both
// have a deadline. Systems on which the kernel does not say so, Windows among them, have no such socket.
package socket
