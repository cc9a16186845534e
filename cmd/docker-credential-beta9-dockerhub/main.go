// Command docker-credential-beta9-dockerhub is the credential helper for Docker Hub.
package main

import (
	"os"

	"github.com/beam-cloud/docker-credential-beta9/helpers/dockerhub"
	"github.com/beam-cloud/docker-credential-beta9/internal/serve"
)

func main() {
	os.Exit(serve.Main(serve.Kind{Type: "dockerhub", Exchanger: dockerhub.New, Keep: dockerhub.Keep}))
}
