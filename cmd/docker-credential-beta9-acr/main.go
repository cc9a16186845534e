// Command docker-credential-beta9-acr is the credential helper for Azure's Container Registry.
package main

import (
	"os"

	"github.com/beam-cloud/docker-credential-beta9/helpers/acr"
	"github.com/beam-cloud/docker-credential-beta9/internal/serve"
)

func main() {
	os.Exit(serve.Main(serve.Kind{
		Type:      "acr",
		Exchanger: acr.New,
		Keep:      acr.Keep,
		Share:     acr.Share,
		Ambient:   acr.Ambient,
	}))
}
