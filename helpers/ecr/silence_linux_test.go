package ecr

import (
	"context"
	"testing"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/island"
)

// A machine of nobody's, with nothing configured, in a network that swallows everything: there is no identity, and that
// is known before the deadline of a second and a half, which would make a failure of it.
func TestNoIdentityOnASilentNetwork(t *testing.T) {
	island.Run(t, island.Config{Silent: true}, func(t *testing.T, _ *island.Island) {
		for _, host := range []string{plainHost, "public.ecr.aws"} {
			t.Run(host, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
				defer cancel()
				w := newWorld(t)
				w.set("AWS_EC2_METADATA_DISABLED", "", "HTTPS_PROXY", "", "SSL_CERT_FILE", "")
				var heard log
				a := w.ambient(nil)
				key, err := a.Key(heard.context(ctx), registry(t, host))
				wants(t, err, "")
				if key.Token == "" || key.Origin == "" {
					t.Error("the outcome cannot be remembered")
				}
				if _, err := a.Token(heard.context(ctx), registry(t, host)); !helpers.IsNotFound(err) {
					t.Errorf("got %v", err)
				}
				if len(heard.left) != 5 || len(heard.taken) != 0 {
					t.Errorf("left %q, took %q", heard.left, heard.taken)
				}
			})
		}
	})
}
