package ecr

import (
	"net/url"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/helpers/upstream"
)

// An api is the endpoint that hands out the tokens of one registry.
type api struct {
	url       string
	service   string // in the scope of a signature
	target    string // X-Amz-Target, https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html
	partition string
	region    string
	public    bool
}

// apiOf returns the endpoint under its own name. A FIPS registry's is the FIPS endpoint and a dual-stack registry's the
// dual-stack one. A plain registry's is never the dual-stack one, which has no private link: a machine in a network
// without a way out reaches api.ecr only.
func apiOf(h helpers.ECRHost) api {
	a := api{
		service: "ecr", target: "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken",
		partition: h.Partition.Name, region: h.Region, public: h.Public,
	}
	name, fips := "ecr", ""
	if h.Public {
		a.service, a.target, name = "ecr-public", "SpencerFrontendService.GetAuthorizationToken", "ecr-public"
	} else if h.FIPS {
		fips = "-fips"
	}
	a.url = "https://api." + name + fips + "." + h.Region + "." + h.Partition.Suffix
	if h.DualStack && h.Partition.DualStackAPI != "" {
		a.url = "https://" + name + fips + "." + h.Region + "." + h.Partition.DualStackAPI
	}
	return a
}

// stsURL returns the endpoint of the Security Token Service that goes with a registry: the region's own, so that
// nothing leaves the region. In us-gov the plain names are the FIPS endpoints.
func stsURL(h helpers.ECRHost) string {
	name := "sts"
	if h.FIPS && h.Partition.Name != "aws-us-gov" {
		name = "sts-fips"
	}
	domain := h.Partition.Suffix
	if h.DualStack && h.Partition.DualStackAPI != "" {
		domain = h.Partition.DualStackAPI
	}
	return "https://" + name + "." + h.Region + "." + domain
}

// given returns the endpoint that the environment of the machine gives in the place of a service's own, or nothing.
// A registry that is used by its FIPS name is not led elsewhere.
func given(getenv func(string) string, variable string, h helpers.ECRHost) (string, error) {
	for _, name := range []string{variable, "AWS_ENDPOINT_URL"} {
		value := getenv(name)
		if value == "" || getenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") == "true" {
			continue
		}
		if h.FIPS {
			return "", helpers.Fail(helpers.BadMaterial, name+" is set, but a FIPS registry is used with FIPS endpoints only",
				"unset "+name+", or use the registry by its plain name")
		}
		u, err := url.Parse(value)
		if err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !upstream.Loopback(u.Hostname())) {
			return "", helpers.Fail(helpers.BadMaterial, name+" is not an https URL",
				"give an https URL; http is for this machine's own loopback address")
		}
		return value, nil
	}
	return "", nil
}
