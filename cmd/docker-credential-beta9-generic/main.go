// Command docker-credential-beta9-generic is the credential helper for registries without a type of their own.
package main

import (
	"os"

	"github.com/beam-cloud/docker-credential-beta9/helpers/generic"
	"github.com/beam-cloud/docker-credential-beta9/internal/serve"
)

func main() {
	os.Exit(serve.Main(serve.Kind{Type: "generic", Exchanger: generic.New, Keep: generic.Keep}))
}
