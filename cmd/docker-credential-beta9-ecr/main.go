// Command docker-credential-beta9-ecr is the credential helper for Amazon's Elastic Container Registry.
package main

import (
	"os"

	"github.com/beam-cloud/docker-credential-beta9/helpers/ecr"
	"github.com/beam-cloud/docker-credential-beta9/internal/serve"
)

func main() {
	os.Exit(serve.Main(serve.Kind{
		Type:      "ecr",
		Exchanger: ecr.New,
		Keep:      ecr.Keep,
		Share:     ecr.Share,
		Ambient:   ecr.Ambient,

		AmbientReadsKeys: true,
	}))
}
