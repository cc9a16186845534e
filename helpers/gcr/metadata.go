package gcr

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/helpers/upstream"
)

const (
	// metadataHost answers on Google's machines only; elsewhere a packet to it may vanish, or reach another cloud's.
	metadataHost = "169.254.169.254"
	tokenPath    = "/computeMetadata/v1/instance/service-accounts/default/token"

	// productFile names the machine's maker on Linux. Reading it takes microseconds, asking the network for it a second.
	productFile = "/sys/class/dmi/id/product_name"

	// bootFile has another content after each start of the machine.
	bootFile = "/proc/sys/kernel/random/boot_id"

	// probePatience is how long the metadata server is waited for where nothing tells whether there is one. It answers
	// in milliseconds, being on the same host.
	probePatience = time.Second
)

// metadata is the machine's own account, by the server that every machine of Google's has
// (https://cloud.google.com/compute/docs/access/authenticate-workloads).
type metadata struct {
	host    string
	certain bool // there is a server, or somebody said so
}

// detectMetadata tells where the metadata server is, or why there is none. It opens no socket.
func detectMetadata(getenv func(string) string, product string) (m *metadata, why string) {
	if host := getenv("GCE_METADATA_HOST"); host != "" {
		return &metadata{host, true}, ""
	}
	name, err := os.ReadFile(product)
	switch strings.TrimSpace(string(name)) {
	case "Google", "Google Compute Engine":
		return &metadata{metadataHost, true}, ""
	}
	if err == nil || runtime.GOOS == "darwin" {
		return nil, "this machine is not one of Google's"
	}
	return &metadata{metadataHost, false}, ""
}

// token asks the metadata server. Where nobody said that there is one, that none answers is no failure.
func (m *metadata) token(ctx context.Context, s *service) (helpers.Credential, error) {
	request := upstream.Request{
		Service: "Google's metadata server", Method: http.MethodGet, URL: (&url.URL{Scheme: "http", Host: m.host, Path: tokenPath}).String(),
		Header: http.Header{"Metadata-Flavor": {"Google"}},
	}
	waiting := ctx
	if !m.certain {
		var cancel context.CancelFunc
		waiting, cancel = context.WithTimeout(ctx, probePatience)
		defer cancel()
		request.Attempts = 1
	}
	asked := s.now()
	a, err := s.near.Do(waiting, request)
	switch {
	case err != nil && !m.certain && ctx.Err() == nil:
		return m.none(ctx, helpers.ErrNoAnswer, "nothing answers at "+m.host)
	case err != nil:
		return helpers.Credential{}, err
	case a.Header.Get("Metadata-Flavor") != "Google" && !m.certain:
		return m.none(ctx, helpers.ErrNoAnswer, "what answers at "+m.host+" is not Google's")
	case a.Header.Get("Metadata-Flavor") != "Google":
		return helpers.Credential{}, helpers.Fail(helpers.BadAnswer, "what answers at "+m.host+" is not Google's metadata server", "see GCE_METADATA_HOST")
	case a.Status == http.StatusNotFound:
		return m.none(ctx, helpers.ErrNotFound, "this machine has no service account")
	case !a.OK():
		return helpers.Credential{}, a.Failure()
	}
	return s.readToken(a, asked)
}

// none is the outcome "none": [helpers.ErrNotFound] by the server's word, [helpers.ErrNoAnswer] for want of one.
func (m *metadata) none(ctx context.Context, none error, why string) (helpers.Credential, error) {
	helpers.LeaveSource(ctx, metadataSource, why)
	return helpers.Credential{}, none
}
