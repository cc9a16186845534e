// Package helpers is the vocabulary that every part of this project shares: which registry a name stands for
// ([Registry], [Reference]), which family the registry belongs to ([Type], [Lookup]), what a family needs to log in
// ([Material]), what leaves a helper ([Credential]), how it is said on stdin and stdout ([Request], [Login], [Answer]),
// and which outcomes there are: a credential, [ErrNotFound], or a [Failure] with a stable [Reason].
//
// Most callers need one call:
//
//	r, err := helpers.ParseServerURL("https://index.docker.io/v1/")
//	t, ok := helpers.Lookup(r) // the row of Docker Hub
//
// The package imports the standard library and Docker's protocol types only, because it is linked into every helper.
package helpers

import "context"

// A TokenSource yields a credential that is valid now.
//
// The error is [ErrNotFound] when nothing is configured for the registry, and a [*Failure] otherwise.
// Implementations are safe for concurrent use.
type TokenSource interface {
	Token(ctx context.Context, r Registry) (Credential, error)
}

// A Source yields the long-lived inputs for a registry, or [ErrNotFound].
//
// Implementations are safe for concurrent use.
type Source interface {
	Material(ctx context.Context, r Registry) (Material, error)
}

// An Exchanger turns material into a credential for one registry. It refuses material that is bound to another
// registry and hosts that are not of its type.
//
// Implementations are safe for concurrent use.
type Exchanger interface {
	Exchange(ctx context.Context, r Registry, m Material) (Credential, error)
}

// A Keyed source tells which of its tokens are interchangeable, without resolving its identity and without opening a
// socket, so that a cache can answer from what it has.
type Keyed interface {
	TokenSource
	// Key returns what a token for the registry may be shared by. The error is [ErrNotFound] when the source has
	// nothing to offer, which is then the answer.
	Key(ctx context.Context, r Registry) (Key, error)
}

// A Key names a token in a cache. It is made from where an identity comes from (a profile, a role, a token file, the
// fingerprint of material), not from what it resolves to, and holds no secret that could be guessed from it.
type Key struct {
	// Token is equal for two calls exactly when one token serves both. The empty string forbids to cache.
	Token string
	// Origin stands for the content of everything that the identity is configured by: when it changes, a negative
	// answer no longer counts.
	Origin string
}

// A Machine is what a type may use of the machine that a helper runs on, when it may use it at all.
type Machine struct {
	// Getenv returns the value of an environment variable, or nothing. It is never nil.
	Getenv func(string) string
	// Environ is the whole environment, for the programs that a profile names.
	Environ []string
	// Map is what the user has pinned; it may be nil.
	Map *Map
	// Interruptible returns a context that also ends when somebody wants the process to end. It is asked for where a
	// program is run that would be left behind; it may be nil.
	Interruptible func(context.Context) (context.Context, context.CancelFunc)
}
