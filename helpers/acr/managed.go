package acr

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/helpers/upstream"
)

const (
	// instanceURL answers on Azure's machines only; elsewhere a packet to it may vanish, or reach another cloud's.
	instanceURL = "http://169.254.169.254/metadata/identity/oauth2/token"

	// assetFile names the machine's maker on Linux, and assetTag is what every machine of Azure's says there. Reading it
	// takes microseconds, asking the network for it a second.
	assetFile = "/sys/class/dmi/id/chassis_asset_tag"
	assetTag  = "7783-7084-3265-9085-8269-3286-77"

	// bootFile has another content after each start of the machine.
	bootFile = "/proc/sys/kernel/random/boot_id"

	// serviceHeader carries IDENTITY_HEADER.
	serviceHeader = "X-Identity-Header"

	// probePatience is how long the metadata service is waited for where nothing tells whether there is one. It answers
	// in milliseconds, being on the same host.
	probePatience = time.Second
)

// managed is an identity that Azure gives to the machine
// (https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token and
// https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference).
type managed struct {
	source  string
	address string
	version string
	header  http.Header
	client  string // one of several identities; empty for the machine's own
	certain bool   // there is an endpoint, or somebody said so
}

// detectManaged tells where the endpoint of the machine's identity is, or why there is none. It opens no socket.
func detectManaged(getenv func(string) string, instance, asset string) (m *managed, why string) {
	client := getenv(clientKey)
	if address, header := getenv("IDENTITY_ENDPOINT"), getenv("IDENTITY_HEADER"); address != "" && header != "" {
		return &managed{serviceSource, address, "2019-08-01", http.Header{serviceHeader: {header}}, client, true}, ""
	}
	m = &managed{instanceSource, instance, "2018-02-01", http.Header{"Metadata": {"true"}}, client, true}
	tag, err := os.ReadFile(asset)
	switch {
	case strings.TrimSpace(string(tag)) == assetTag:
		return m, ""
	case err == nil || runtime.GOOS == "darwin":
		return nil, "this machine is not one of Azure's"
	}
	m.certain = false
	return m, ""
}

// token asks the endpoint. Where nobody said that there is one, that none answers is no failure.
func (m *managed) token(ctx context.Context, s *service) (entraToken, error) {
	address, err := url.Parse(m.address)
	if err != nil {
		return entraToken{}, helpers.Fail(helpers.BadMaterial, "IDENTITY_ENDPOINT is not an address", "")
	}
	query := address.Query()
	query.Set("api-version", m.version)
	query.Set("resource", resource)
	if m.client != "" {
		query.Set("client_id", m.client)
	}
	address.RawQuery = query.Encode()
	request := upstream.Request{
		Service: "the endpoint of the managed identity", Method: http.MethodGet, URL: address.String(), Header: m.header,
		// 404 and 410 say that the service is being started or replaced.
		Throttled: func(a upstream.Answer) bool { return m.certain && isRestarting(a) },
	}
	waiting := ctx
	if !m.certain {
		var cancel context.CancelFunc
		waiting, cancel = context.WithTimeout(ctx, probePatience)
		defer cancel()
		request.Attempts = 1
	}
	a, err := s.near.Do(waiting, request)
	if err != nil {
		return m.guessed(ctx, err)
	}
	if !a.OK() {
		return m.refusal(ctx, a)
	}
	token, err := readEntra(a, "")
	if err != nil {
		return m.guessed(ctx, err)
	}
	return token, nil
}

// guessed makes "none" of a failure where nothing tells whether there is an endpoint.
func (m *managed) guessed(ctx context.Context, err error) (entraToken, error) {
	switch {
	case m.certain || ctx.Err() != nil:
		return entraToken{}, err
	case helpers.IsOutage(err):
		return m.none(ctx, helpers.ErrNoAnswer, "nothing of Azure's answers: "+err.Error())
	}
	return m.none(ctx, helpers.ErrNotFound, "nothing says that this machine is one of Azure's, and "+err.Error())
}

func isRestarting(a upstream.Answer) bool {
	return a.Status == http.StatusNotFound || a.Status == http.StatusGone
}

func (m *managed) refusal(ctx context.Context, a upstream.Answer) (entraToken, error) {
	switch {
	case a.Status == http.StatusBadRequest && m.client == "":
		return m.none(ctx, helpers.ErrNotFound, "this machine has no identity of its own; "+clientKey+" names one of several")
	case a.Status == http.StatusBadRequest:
		return m.guessed(ctx, helpers.Fail(helpers.BadMaterial, "this machine has no managed identity with the "+clientKey+" that is set",
			"assign the identity to the machine, or unset "+clientKey))
	case isRestarting(a):
		return m.guessed(ctx, helpers.Fail(helpers.Unavailable, a.Service()+" is not ready", "try again later"))
	}
	return m.guessed(ctx, a.Failure())
}

// none is the outcome "none": [helpers.ErrNotFound] by the endpoint's word, [helpers.ErrNoAnswer] for want of one.
func (m *managed) none(ctx context.Context, none error, why string) (entraToken, error) {
	helpers.LeaveSource(ctx, m.source, why)
	return entraToken{}, none
}

// isNear tells whether a host is this machine or link-local, as the endpoints of managed identities are.
func isNear(host string) bool {
	if upstream.Loopback(host) {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLinkLocalUnicast()
}
