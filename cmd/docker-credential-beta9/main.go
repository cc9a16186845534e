// Command docker-credential-beta9 is the credential helper for "credsStore": it passes each request on to the helper of
// the registry's type.
package main

import (
	"os"

	"github.com/beam-cloud/docker-credential-beta9/internal/dispatch"
)

func main() { os.Exit(dispatch.Main()) }
