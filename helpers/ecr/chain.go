package ecr

import (
	"cmp"
	"context"
	"strconv"
	"strings"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// The names of the sources, as they are reported.
const (
	environmentSource = "environment keys"
	webSource         = "web identity"
	containerSource   = "container endpoint"
	instanceSource    = "instance metadata"
)

// consulted are the variables that decide about the machine's identity and about where it is used.
var consulted = []string{
	accessKeyID, secretAccessKey, sessionToken,
	"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME",
	"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "HOME", "USERPROFILE",
	"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
	"AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
	"AWS_EC2_METADATA_DISABLED", "AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
	"AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL", "AWS_CA_BUNDLE",
	"HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR", "PATH",
}

// A chain finds the machine's identity for one registry.
type chain struct {
	machine  helpers.Machine
	registry helpers.Registry
	host     helpers.ECRHost
	system   string

	files *profiles // once they were read
}

// identity goes through the sources in their order and takes the first that is configured. The error is
// [helpers.ErrNotFound] when none is.
func (c *chain) identity(ctx context.Context, pin helpers.Pin) (identity, error) {
	i, err := c.unassumed(ctx, pin)
	if err != nil || pin.Role == "" {
		return i, err
	}
	return c.assume(i, role{
		arn: pin.Role, externalID: pin.ExternalID, session: cmp.Or(pin.SessionName, sessionName), named: "the map file",
	})
}

func (c *chain) unassumed(ctx context.Context, pin helpers.Pin) (identity, error) {
	if pin.Profile != "" {
		i, err := c.profile(pin.Profile, nil)
		if helpers.IsNotFound(err) {
			err = helpers.Fail(helpers.BadMaterial, "the profile "+pin.Profile+", which the map file names, has no credentials", "")
		}
		return i, err
	}
	for _, next := range []func(context.Context) (identity, error){
		c.environment, c.webIdentity, c.chosenProfile, c.container, c.instance,
	} {
		if i, err := next(ctx); !helpers.IsNotFound(err) {
			return i, err
		}
	}
	return identity{}, helpers.ErrNotFound
}

// environment takes the access keys of the environment. Half a pair is a failure: whoever set it did not mean another
// identity.
func (c *chain) environment(ctx context.Context) (identity, error) {
	if c.machine.Getenv(accessKeyID) == "" && c.machine.Getenv(secretAccessKey) == "" {
		helpers.LeaveSource(ctx, environmentSource, accessKeyID+" and "+secretAccessKey+" are not set")
		return identity{}, helpers.ErrNotFound
	}
	return c.static(environmentSource, c.machine.Getenv(accessKeyID), c.machine.Getenv(secretAccessKey),
		c.machine.Getenv(sessionToken))
}

// static is an identity of access keys as they are.
func (c *chain) static(source, id, secret, session string) (identity, error) {
	m, err := newKeys(c.registry, source, id, secret, session)
	if err != nil {
		return identity{}, err
	}
	i := identity{
		source: source, parts: []string{"keys", id, secret, session},
		keys: func(context.Context, reach) (helpers.Material, error) { return m, nil },
	}
	if session != "" {
		i.account = accountOf(id)
	}
	return i, nil
}

// accountOf reads the account out of an access key id, where it stands in 40 of the 80 bits behind the prefix. Amazon does
// not document it. It returns nothing for what is no access key id; ids from before 2019 hold a number that is no account,
// which tells them apart just as well.
func accountOf(id string) string {
	if len(id) != 20 {
		return ""
	}
	var bits uint64 // the first 50 of them
	for i, c := range []byte(id[4:]) {
		digit := strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", c) // RFC 4648, section 6
		if digit < 0 {
			return ""
		}
		if i < 10 {
			bits = bits<<5 | uint64(digit)
		}
	}
	return strconv.FormatUint(bits>>2&0x7fffffffff80>>7, 10)
}

// configuration returns everything that the identity is configured by.
func (c *chain) configuration() []string {
	parts := make([]string, 0, len(consulted)+1)
	for _, name := range consulted {
		parts = append(parts, c.machine.Getenv(name))
	}
	if c.files != nil {
		parts = append(parts, c.files.digest)
	}
	return parts
}

// bundle returns the file of certificates that the environment or the profile gives, or nothing.
func (c *chain) bundle(pin helpers.Pin) string {
	if path := c.machine.Getenv("AWS_CA_BUNDLE"); path != "" {
		return path
	}
	if c.files == nil {
		return ""
	}
	return c.files.profiles[cmp.Or(pin.Profile, c.profileName())]["ca_bundle"]
}
