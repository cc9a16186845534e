// Command docker-credential-beta9-ghcr is the credential helper for GitHub's registries.
package main

import (
	"os"

	"github.com/beam-cloud/docker-credential-beta9/helpers/ghcr"
	"github.com/beam-cloud/docker-credential-beta9/internal/serve"
)

func main() {
	os.Exit(serve.Main(serve.Kind{Type: "ghcr", Exchanger: ghcr.New, Keep: ghcr.Keep}))
}
