package main_test

import (
	"cmp"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/conformance"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest/aws"
	"github.com/beam-cloud/docker-credential-beta9/internal/commands"
)

// The suite's cases that need a service; the others are run with all the helpers.
func TestConformanceWithAService(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"O7", "P3", "P7", "V4", "T1", "T3", "T4"} {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			h := conformance.Helper{
				Path: filepath.Join(commands.Folder(t), "docker-credential-beta9-ecr"), Host: host, OtherHost: "ghcr.io",
				Upstream: func() (conformance.Upstream, error) { return newService(t), nil },
			}
			for _, f := range conformance.Check(h, id) {
				t.Error(f.Saw)
			}
		})
	}
}

// A service is the stand-in, as the suite wants it.
type service struct {
	cloud   *aws.Cloud
	environ []string
}

func newService(t *testing.T) service {
	proxy, cloud := cloudtest.NewProxy(t), aws.New()
	cloud.Behind(proxy, "us-east-1")
	environ := append(proxy.Environ(), "AWS_EC2_METADATA_DISABLED=true")
	for name, value := range keys(cloud.User("me")) {
		environ = append(environ, name+"="+value)
	}
	return service{cloud, environ}
}

func (s service) Env() []string { return s.environ }
func (s service) Calls() int    { return s.cloud.Gate.Total() }
func (s service) Close()        { s.cloud.Gate.Order(aws.ECR, nil) }

func (s service) Behave(b conformance.Behaviour) {
	s.cloud.SetTokenLife(cmp.Or(b.Lifetime, 12*time.Hour))
	switch {
	case b.Hang:
		s.cloud.Gate.Order(aws.ECR, cloudtest.Hang())
	case b.Location != "":
		s.cloud.Gate.Order(aws.ECR, cloudtest.Redirect(b.Location))
	case b.Status != 0 || b.Body != "":
		s.cloud.Gate.Order(aws.ECR, cloudtest.Status(cmp.Or(b.Status, http.StatusOK), cmp.Or(b.Body, `{"__type":"ServerException"}`)))
	default:
		s.cloud.Gate.Order(aws.ECR, nil)
	}
}
