// Package provider gives a worker the credentials of its tenants' images. It runs the helper of a registry's type and
// answers in the words of CLIP and of go-containerregistry:
//
//	p, err := provider.New(provider.Options{
//		Folder: "/usr/libexec/beta9",               // docker-credential-beta9-ecr and its siblings
//		Source: provider.Materials{imageSecret},   // what this tenant's images need
//	})
//	defer p.Close()
//	err = clip.CreateFromOCIImage(ctx, clip.CreateFromOCIImageOptions{ImageRef: ref, OutputPath: path, CredProvider: p})
//
// # Outcomes
//
// A look-up has one of three outcomes: have, none, failed. [Provider.GetCredentials] never returns a nil configuration,
// because CLIP takes one for leave to use the machine's own login; none is an empty configuration, with which a pull is
// anonymous, and failed is an empty configuration and an error. CLIP goes on after an error, anonymously then. To stop
// before a pull that cannot work, ask [Provider.Preflight] first.
//
// # Tenants
//
// A Provider is for one tenant: its [helpers.Source] answers for that tenant whatever the context of a call holds.
// [Provider.For] makes the provider of the next tenant, which shares the folder of the helpers and the limit of how many
// run at once, and nothing else; of these turns each tenant gets its part. The policy [Isolated], which is the default, keeps the machine's own identity out of
// reach: a helper runs with an environment of a few known entries, gets the material on a descriptor, and writes nothing
// to disk; without material none is run.
//
// # Memory
//
// An answer is kept as long as its credential is valid, less a margin. A tenant's material is looked at again every five
// seconds, so that a secret which was rotated or taken away is followed within that time. Shortly before a credential
// ends, one call fetches the next in the background while the old one still serves. Any number of callers share one
// run of a helper, which goes on when the caller that caused it gives up.
package provider
