package helpers

import "strings"

// A Partition is one of Amazon's separate clouds: which regions it has and under which names Elastic Container
// Registry answers there. The table is data so that a partition newer than this release can be added in the map file.
type Partition struct {
	Name string
	// Regions holds what stands in front of -<word>-<number> in the names of the regions, such as "us" and "us-gov".
	Regions []string
	// Suffix is the domain of <account>.dkr.ecr.<region>.<suffix> and of api.ecr.<region>.<suffix>.
	Suffix string
	// DualStack is the domain of <account>.dkr-ecr.<region>.on.<domain>; empty where there is none.
	DualStack string
	// DualStackAPI is the domain of ecr.<region>.<domain>; empty where it is not known.
	DualStackAPI string
}

// partitions is the compiled-in table. The dual-stack domain of aws-eusc is not verified against a live service, and the
// dual-stack names of registries in the isolated partitions are not published: those hosts are not taken for ECR.
var partitions = []Partition{
	{"aws", []string{"us", "eu", "ap", "sa", "ca", "me", "af", "il", "mx"}, "amazonaws.com", "aws", "api.aws"},
	{"aws-us-gov", []string{"us-gov"}, "amazonaws.com", "aws", "api.aws"},
	{"aws-cn", []string{"cn"}, "amazonaws.com.cn", "amazonwebservices.com.cn", "api.amazonwebservices.com.cn"},
	{"aws-eusc", []string{"eusc-de"}, "amazonaws.eu", "amazonwebservices.eu", "api.amazonwebservices.eu"},
	{"aws-iso", []string{"us-iso"}, "c2s.ic.gov", "", ""},
	{"aws-iso-b", []string{"us-isob"}, "sc2s.sgov.gov", "", ""},
	{"aws-iso-e", []string{"eu-isoe"}, "cloud.adc-e.uk", "", ""},
	{"aws-iso-f", []string{"us-isof"}, "csp.hci.ic.gov", "", ""},
}

// An ECRHost is what the name of an Elastic Container Registry tells.
type ECRHost struct {
	Account   string // 12 digits; empty for the public registry, and where only the region is known
	Region    string
	Partition Partition
	FIPS      bool
	DualStack bool
	Public    bool // public.ecr.aws, whose tokens come from us-east-1
}

// parseECRHost reads a canonical host without port against a table of partitions. The region has to be one of the
// partition whose domain the host ends in.
func parseECRHost(host string, table []Partition) (ECRHost, bool) {
	if host == "public.ecr.aws" || host == "ecr-public.aws.com" {
		return ECRHost{Region: "us-east-1", Partition: partitions[0], Public: true, DualStack: host != "public.ecr.aws"}, true
	}
	account, rest, _ := strings.Cut(host, ".")
	if len(account) != 12 || !isDigits(account) {
		return ECRHost{}, false
	}
	h := ECRHost{Account: account}
	service, rest, _ := strings.Cut(rest, ".")
	switch service {
	case "dkr":
		service, rest, _ = strings.Cut(rest, ".")
		if service != "ecr" && service != "ecr-fips" {
			return ECRHost{}, false
		}
		h.FIPS = service == "ecr-fips"
	case "dkr-ecr", "dkr-ecr-fips":
		h.DualStack = true
		h.FIPS = service == "dkr-ecr-fips"
	default:
		return ECRHost{}, false
	}
	region, domain, _ := strings.Cut(rest, ".")
	if h.DualStack {
		on, rest, _ := strings.Cut(domain, ".")
		if on != "on" {
			return ECRHost{}, false
		}
		domain = rest
	}
	for _, p := range table {
		want := p.Suffix
		if h.DualStack {
			want = p.DualStack
		}
		if want != "" && domain == want && p.hasRegion(region) {
			h.Region, h.Partition = region, p
			return h, true
		}
	}
	return ECRHost{}, false
}

// hasRegion holds <prefix>-<word>-<number> for one of the prefixes of the partition.
func (p Partition) hasRegion(region string) bool {
	for _, prefix := range p.Regions {
		rest, ok := strings.CutPrefix(region, prefix+"-")
		if !ok {
			continue
		}
		word, number, ok := strings.Cut(rest, "-")
		if ok && isLetters(word) && isDigits(number) {
			return true
		}
	}
	return false
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

func isLetters(s string) bool {
	for i := range len(s) {
		if s[i] < 'a' || s[i] > 'z' {
			return false
		}
	}
	return s != ""
}
