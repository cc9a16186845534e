// Package secrets keeps the material of a workspace's images: sealed, bound to one registry, and shared by builds and
// mounts.
//
// A [Secret] is material at rest. A [Store] keeps secrets, [Images] knows which image needs which registries, and
// [NewSource] turns the two into what a credential is made from:
//
//	source := secrets.NewSource(store, workspace, image)
//	m, err := source.Material(ctx, registry) // helpers.ErrNotFound for a registry that the image does not name
//
// The stores are in packages of their own: secrets/sqlite, secrets/postgres, and secrets/beta9 on Beta9's tables. All
// of them seal with a [Keyring]; a database alone tells which workspace has a secret for which registry, and nothing
// of what is in it.
package secrets
