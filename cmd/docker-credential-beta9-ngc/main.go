// Command docker-credential-beta9-ngc is the credential helper for NVIDIA's registry.
package main

import (
	"os"

	"github.com/beam-cloud/docker-credential-beta9/helpers/ngc"
	"github.com/beam-cloud/docker-credential-beta9/internal/serve"
)

func main() {
	os.Exit(serve.Main(serve.Kind{Type: "ngc", Exchanger: ngc.New, Keep: ngc.Keep}))
}
