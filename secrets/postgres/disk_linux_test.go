package postgres_test

import (
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/secrets/secretstest"
)

func TestFullDisk(t *testing.T) { secretstest.FullDisk(t, harness, "cred_secret", nil) }
