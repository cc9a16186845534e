package ecr

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/helpers/upstream"
)

const (
	// metadataPatience is how long one call of the instance's metadata service may take: it answers within milliseconds, and
	// where there is none, packets vanish.
	metadataPatience = time.Second
	// metadataLife is the life of its session token, in seconds: that of one call of a helper, and room.
	metadataLife = "60"
	// metadataTries is how often it is asked where it ought to be.
	metadataTries = 2
)

// instance takes the role of the instance, by version 2 of its metadata service
// (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html). Where nothing says
// that this is an instance of EC2 the service is asked once, and silence means that it is none.
func (c *chain) instance(ctx context.Context) (identity, error) { return c.instanceRole(ctx, false) }

// instanceRole is the identity of the instance, which somebody may have asked for. The role may be exchanged for another
// while the instance runs; a token of the one before then lives on for its time. What is kept across a restart, or in an
// image that other instances are started from, is told apart by the boot.
func (c *chain) instanceRole(ctx context.Context, wanted bool) (identity, error) {
	if strings.EqualFold(c.machine.Getenv("AWS_EC2_METADATA_DISABLED"), "true") {
		helpers.LeaveSource(ctx, instanceSource, "AWS_EC2_METADATA_DISABLED is true")
		return identity{}, helpers.ErrNotFound
	}
	endpoint, configured, err := c.instanceURL()
	if err != nil {
		return identity{}, err
	}
	certain := wanted || configured
	if !certain {
		switch onEC2(c.system) {
		case no:
			helpers.LeaveSource(ctx, instanceSource, "this machine is not an instance of EC2, by its firmware")
			return identity{}, helpers.ErrNotFound
		case yes:
			certain = true
		}
	}
	return c.instanceAt(endpoint, certain), nil
}

func (c *chain) instanceAt(endpoint string, certain bool) identity {
	boot, _ := os.ReadFile(filepath.Join(c.system, "proc/sys/kernel/random/boot_id")) // where there is none, there is none
	return identity{
		source: instanceSource, parts: []string{"instance", endpoint, string(boot)},
		keys: func(ctx context.Context, reach reach) (helpers.Material, error) {
			m, err := (&metadata{client: reach.near, endpoint: endpoint}).keys(ctx, c, certain)
			if err == nil || certain || helpers.ReasonOf(err) == helpers.Canceled || ctx.Err() != nil {
				return m, err
			}
			if helpers.IsNotFound(err) {
				return helpers.Material{}, err
			}
			helpers.LeaveSource(ctx, instanceSource, "nothing says that this is an instance of EC2, and "+err.Error())
			return helpers.Material{}, noneBy(err)
		},
	}
}

// instanceURL returns where the service is, and whether a variable says so.
func (c *chain) instanceURL() (endpoint string, configured bool, err error) {
	if endpoint := c.machine.Getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT"); endpoint != "" {
		u, err := url.Parse(endpoint)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return "", true, helpers.Fail(helpers.BadMaterial, "AWS_EC2_METADATA_SERVICE_ENDPOINT is not a URL", "")
		}
		return strings.TrimSuffix(endpoint, "/"), true, nil
	}
	switch mode := c.machine.Getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"); {
	case strings.EqualFold(mode, "IPv6"):
		return "http://[fd00:ec2::254]", true, nil
	case mode == "", strings.EqualFold(mode, "IPv4"):
		return "http://169.254.169.254", false, nil
	}
	return "", true, helpers.Fail(helpers.BadMaterial, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE is neither IPv4 nor IPv6", "")
}

// metadata is the instance's metadata service.
type metadata struct {
	client   *upstream.Client
	endpoint string
}

const rolePath = "/latest/meta-data/iam/security-credentials/"

// keys asks for a session token, the name of the role and its keys. The error is [helpers.ErrNotFound] when the instance
// has no role.
func (m *metadata) keys(ctx context.Context, c *chain, certain bool) (helpers.Material, error) {
	tries := 1
	if certain {
		tries = metadataTries
	}
	a, err := m.ask(ctx, tries, http.MethodPut, "/latest/api/token", "X-Aws-Ec2-Metadata-Token-Ttl-Seconds", metadataLife)
	if err != nil {
		return helpers.Material{}, err
	}
	token := strings.TrimSpace(string(a.Body))
	if !a.OK() || token == "" || strings.ContainsFunc(token, notGraphic) {
		return helpers.Material{}, m.refused(ctx, a, "gives no session token")
	}
	if a, err = m.ask(ctx, tries, http.MethodGet, rolePath, "X-Aws-Ec2-Metadata-Token", token); err != nil {
		return helpers.Material{}, err
	}
	name, _, _ := strings.Cut(string(a.Body), "\n")
	name = strings.TrimSpace(name)
	if !a.OK() || name == "" || strings.ContainsFunc(name, notGraphic) {
		return helpers.Material{}, m.refused(ctx, a, "the instance has no role")
	}
	if a, err = m.ask(ctx, tries, http.MethodGet, rolePath+url.PathEscape(name), "X-Aws-Ec2-Metadata-Token", token); err != nil {
		return helpers.Material{}, err
	}
	if !a.OK() {
		return helpers.Material{}, m.refused(ctx, a, "the instance's role has no keys")
	}
	return c.metadataKeys(a)
}

// ask makes one call. Each attempt has its own limit, since what vanishes is the answer as well: in a container the
// answer dies when the instance allows it one hop only.
func (m *metadata) ask(ctx context.Context, tries int, method, path, header, value string) (upstream.Answer, error) {
	for {
		limited, cancel := context.WithTimeout(ctx, metadataPatience)
		a, err := m.client.Do(limited, upstream.Request{
			Service: "the " + instanceSource, Method: method, URL: m.endpoint + path, Header: http.Header{header: {value}}, Attempts: tries,
		})
		cancel()
		if tries--; helpers.ReasonOf(err) != helpers.Timeout || ctx.Err() != nil {
			return a, err
		}
		if tries <= 0 {
			return a, helpers.Fail(helpers.Unreachable, "the "+instanceSource+" does not answer",
				"in a container, raise the hop limit of the instance's metadata options to 2, or set AWS_EC2_METADATA_DISABLED=true")
		}
	}
}

// refused reads an answer that is no success. 403 and 404 are how the service says that it is switched off, or that there
// is no role; anything that answers so is no reason to fail.
func (m *metadata) refused(ctx context.Context, a upstream.Answer, why string) error {
	switch {
	case a.Status == http.StatusForbidden, a.Status == http.StatusNotFound:
		helpers.LeaveSource(ctx, instanceSource, why)
		return helpers.ErrNotFound
	case a.OK():
		return helpers.Fail(helpers.BadAnswer, a.Service()+" answered something that is not expected", "")
	}
	return a.Failure()
}
