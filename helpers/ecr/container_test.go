package ecr

import (
	"context"
	"testing"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest/aws"
)

// Plain http is for the addresses of the container services and of this machine. A host's name may lead anywhere.
func TestWhereAContainersKeysComeFrom(t *testing.T) {
	t.Parallel()
	tests := []struct{ relative, full, want string }{
		{"", "", ""},
		{"/v2/credentials/x", "", "http://169.254.170.2/v2/credentials/x"},
		{"/v2/credentials/x", "https://elsewhere.example.com", "http://169.254.170.2/v2/credentials/x"},
		{"v2", "", "error"},
		{"@elsewhere.example.com/", "", "error"},
		{"", "http://127.0.0.1:1338/x", "http://127.0.0.1:1338/x"},
		{"", "http://localhost/x", "http://localhost/x"},
		{"", "http://[::1]/x", "http://[::1]/x"},
		{"", "http://169.254.170.2/x", "http://169.254.170.2/x"},
		{"", "http://169.254.170.23/v1/credentials", "http://169.254.170.23/v1/credentials"},
		{"", "http://[fd00:ec2::23]/v1/credentials", "http://[fd00:ec2::23]/v1/credentials"},
		{"", "https://credentials.example.com/x", "https://credentials.example.com/x"},
		{"", "http://credentials.example.com/x", "error"},
		{"", "http://169.254.169.254/x", "error"},
		{"", "http://localhost.example.com/x", "error"},
		{"", "http://127.0.0.1@example.com/x", "error"},
		{"", "http://127.0.0.1.example.com/x", "error"},
		{"", "ftp://127.0.0.1/x", "error"},
		{"", "//127.0.0.1/x", "error"},
		{"", "https://", "error"},
		{"", "http://127.0.0.1:x/", "error"},
	}
	for _, test := range tests {
		t.Run(test.relative+" "+test.full, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", test.relative, "AWS_CONTAINER_CREDENTIALS_FULL_URI", test.full)
			got, err := (&chain{machine: w.machine(nil)}).containerURL()
			if test.want == "error" {
				wants(t, err, helpers.BadMaterial)
			} else if wants(t, err, ""); got != test.want {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestAContainersTokenIsOneLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, token := range []string{"a\r\nX-Evil: b", "a\nb", "\x00"} {
		w.set("AWS_CONTAINER_AUTHORIZATION_TOKEN", token)
		_, err := (&chain{machine: w.machine(nil)}).containerToken()
		wants(t, err, helpers.BadMaterial)
	}
	w.set("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", w.write("token", "a\nX-Evil: b"))
	_, err := (&chain{machine: w.machine(nil)}).containerToken()
	wants(t, err, helpers.BadMaterial)
}

// The metadata services under every fault: the call ends with a reason, and no other identity is used.
func TestMetadataServicesThatMisbehave(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		fault     cloudtest.Fault
		container helpers.Reason
		instance  helpers.Reason // none: there is no role
	}{
		{"refuses", cloudtest.Status(401, canary), helpers.AccessDenied, helpers.AccessDenied},
		{"is not there", cloudtest.Status(404, canary), helpers.BadAnswer, none},
		{"is switched off", cloudtest.Status(403, canary), helpers.AccessDenied, none},
		{"throttles", cloudtest.Throttle(1000), helpers.Throttled, helpers.Throttled},
		{"throttles once", cloudtest.Throttle(1), "", ""},
		{"is out of order", cloudtest.Status(500, canary), helpers.Unavailable, helpers.Unavailable},
		{"sends garbage", cloudtest.Garbage(canary), helpers.BadAnswer, helpers.BadAnswer},
		{"sends nothing", cloudtest.Status(200, ""), helpers.BadAnswer, helpers.BadAnswer},
		{"sends 2 GiB", cloudtest.Bomb(nil), helpers.BadAnswer, helpers.BadAnswer},
		{"redirects", cloudtest.Redirect("http://127.0.0.1:1/"), helpers.BadAnswer, helpers.BadAnswer},
		{"hangs", cloudtest.Hang(), helpers.Timeout, helpers.Unreachable},
		{"drips", cloudtest.Drip(), helpers.Timeout, helpers.Unreachable},
	}
	for _, test := range tests {
		for service, want := range map[string]helpers.Reason{aws.Container: test.container, aws.Instance: test.instance} {
			t.Run(service+" "+test.name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.cloud.InstanceRole = "node"
				if service == aws.Container {
					w.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", w.near()+aws.ContainerPath)
				} else {
					w.set("AWS_EC2_METADATA_DISABLED", "", "AWS_EC2_METADATA_SERVICE_ENDPOINT", w.near())
				}
				w.cloud.Gate.Order(service, test.fault)
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				_, err := w.ambient(nil).Token(ctx, registry(t, plainHost))
				if want == none {
					if !helpers.IsNotFound(err) {
						t.Errorf("got %v", err)
					}
				} else {
					wants(t, err, want)
				}
				if want != "" && w.cloud.Gate.Count(aws.ECR) != 0 {
					t.Error("a token was asked for")
				}
			})
		}
	}
}

// none stands for the outcome without a reason: nothing is there.
const none helpers.Reason = "none"
