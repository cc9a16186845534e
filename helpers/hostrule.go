package helpers

import "strings"

// matchHost matches a host against a rule, label by label. A label of the rule is literal, or has one asterisk, which
// stands for one or more letters, digits and hyphens inside this label: "*-docker.pkg.dev" has three labels and so has
// every host it matches. An internationalised label (xn--) is matched by no asterisk, so that a look-alike cannot pass
// for a location or a region.
func matchHost(rule, host string) bool {
	for {
		want, moreRule, ruleGoesOn := strings.Cut(rule, ".")
		label, moreHost, hostGoesOn := strings.Cut(host, ".")
		if ruleGoesOn != hostGoesOn || !matchLabel(want, label) {
			return false
		}
		if !ruleGoesOn {
			return true
		}
		rule, host = moreRule, moreHost
	}
}

func matchLabel(want, label string) bool {
	before, after, wild := strings.Cut(want, "*")
	if !wild {
		return want == label
	}
	if len(label) <= len(before)+len(after) || label[:len(before)] != before || label[len(label)-len(after):] != after {
		return false
	}
	if len(label) >= 4 && label[:4] == "xn--" {
		return false
	}
	middle := label[len(before) : len(label)-len(after)]
	for i := range len(middle) {
		if !isAlnum(middle[i]) && middle[i] != '-' {
			return false
		}
	}
	return isAlnum(middle[0]) && isAlnum(middle[len(middle)-1])
}

func matchAny(rules []string, host string) bool {
	for _, rule := range rules {
		if matchHost(rule, host) {
			return true
		}
	}
	return false
}

// publicHosts serve public images only, or blobs by signed URLs; no credential is ever sent to them.
var publicHosts = []string{
	"registry.k8s.io", "k8s.gcr.io", "mirror.gcr.io",
	"mcr.microsoft.com", "registry.access.redhat.com",
	"*.data.azurecr.io", "*.data.azurecr.cn", "*.data.azurecr.us",
	"*.*.data.azurecr.io", "*.*.data.azurecr.cn", "*.*.data.azurecr.us",
	"layers.nvcr.io", "layers.*.nvcr.io",
}

// isACR holds name[-hash][.region.geo].azurecr.{io,cn,us}, where the name has 5 to 50 letters and digits.
func isACR(host string) bool {
	labels := strings.Split(host, ".")
	switch len(labels) {
	case 3:
	case 5:
		if labels[2] != "geo" || !isAlnums(labels[1]) {
			return false
		}
		labels = append(labels[:1], labels[3:]...)
	default:
		return false
	}
	name, hash, hashed := strings.Cut(labels[0], "-")
	if len(name) < 5 || len(name) > 50 || !isAlnums(name) || hashed && !isAlnums(hash) {
		return false
	}
	return labels[1] == "azurecr" && (labels[2] == "io" || labels[2] == "cn" || labels[2] == "us")
}

func isAlnums(s string) bool {
	for i := range len(s) {
		if !isAlnum(s[i]) {
			return false
		}
	}
	return s != ""
}
