package secrets

import (
	"context"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// A Store keeps secrets. Its errors are [ErrNotFound], [ErrUnavailable], [ErrConflict] and [ErrSealed], and
// [*helpers.Failure] with [helpers.BadRequest] or [helpers.BadMaterial] for arguments that cannot be kept.
//
// Implementations are safe for concurrent use, also by several processes.
type Store interface {
	// Get returns the secret of a name. Beside [ErrSealed] it returns the name and the version of the record, so that it
	// can be replaced or deleted.
	Get(ctx context.Context, workspace, name string) (Secret, error)
	// Put writes a secret if its version is still the one of s, where 0 stands for "there is none", and returns it
	// with its new version and times. The error is [ErrConflict] when another writer was faster.
	Put(ctx context.Context, s Secret) (Secret, error)
	// Delete removes a secret if its version is still the given one.
	Delete(ctx context.Context, workspace, name string, version int64) error
	// List returns the secrets of a workspace in the order of their names. Records that do not open are left out and
	// named in the error, an errors.Join of [ErrSealed], beside which the others are returned. A store that knows which
	// workspaces there are fails with [ErrNotFound] for another one.
	List(ctx context.Context, workspace string) ([]Secret, error)
}

// Images knows which image needs which registries. Its errors are those of [Store].
//
// Implementations are safe for concurrent use, also by several processes.
type Images interface {
	// Attach writes the secrets, by the rules of [Store.Put], and the references of the image, all or nothing. A secret
	// without material is not written: it has to be in its version still, where 0 stands for "there is none", or the
	// error is [ErrConflict]. An image without references is detached.
	Attach(ctx context.Context, image Image, secrets ...Secret) error
	// Exists fails with [ErrNotFound] for a workspace or an image that is not there, in a store that knows which there are.
	// The others take any name.
	Exists(ctx context.Context, workspace, id string) error
	// Image returns the references that are attached to an image.
	Image(ctx context.Context, workspace, id string) (Image, error)
	// Find returns the secret that an image needs for a registry: of those that cover one of the image's references
	// in this registry, the one with the longest scope. With a scope, which is a repository or a prefix of one, only
	// the references inside it count. The error is [ErrNotFound] when the image has no such reference or no secret
	// covers it, and a [*helpers.Failure] with [helpers.BadRequest] when, without a scope, several secrets would do.
	Find(ctx context.Context, workspace, id string, r helpers.Registry) (Secret, error)
}

// A Rotator brings every record to the current key of its [Keyring].
type Rotator interface {
	// Keys returns the id of the key that everything is written with, and how many records there are of each key. Before
	// anything is written there is no such key; the first writer's keyring has it.
	Keys(ctx context.Context) (current string, records map[string]int, err error)
	// Rotate makes the keyring's current key the one that everything is written with from then on, by every process
	// that uses the store, and seals again what is sealed with another key. Readers and writers go on meanwhile. It
	// may be interrupted and called again. When it returns nil, no record needs any other key.
	//
	// Its errors are also [ErrConflict] when another rotation, to another key, has begun meanwhile, which does the rest, and
	// [ErrNoKey] with [helpers.BadMaterial] for the keyring of another store. What does not open is left as it is and named
	// in an errors.Join of [ErrSealed].
	//
	// progress is called now and then with the number of records done and of those there are; it may be nil.
	Rotate(ctx context.Context, progress func(done, total int)) error
}
