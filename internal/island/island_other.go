//go:build !linux

package island

import (
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/internal/needs"
)

func run(t *testing.T, _ Config, _ func(*testing.T, *Island)) {
	t.Helper()
	needs.Missing(t, "no network namespaces: run the test on Linux")
}
