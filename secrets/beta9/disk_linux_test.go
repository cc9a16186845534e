package beta9_test

import (
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/secrets/secretstest"
)

func TestFullDisk(t *testing.T) {
	secretstest.FullDisk(t, harness, "workspace_secret", func(t testing.TB, address string) { execute(t, address, schema) })
}
