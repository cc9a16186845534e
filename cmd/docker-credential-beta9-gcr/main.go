// Command docker-credential-beta9-gcr is the credential helper for Google's Container Registry and Artifact Registry.
package main

import (
	"os"

	"github.com/beam-cloud/docker-credential-beta9/helpers/gcr"
	"github.com/beam-cloud/docker-credential-beta9/internal/serve"
)

func main() {
	os.Exit(serve.Main(serve.Kind{
		Type:      "gcr",
		Exchanger: gcr.New,
		Keep:      gcr.Keep,
		Share:     gcr.Share,
		Ambient:   gcr.Ambient,
	}))
}
