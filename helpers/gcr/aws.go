package gcr

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/helpers/sigv4"
	"github.com/beam-cloud/docker-credential-beta9/helpers/upstream"
)

// awsMetadata is where the metadata service of EC2 is.
const awsMetadata = "http://169.254.169.254"

// complete tells whether the keys can sign.
func complete(k sigv4.Keys) bool { return k.ID != "" && k.Secret != "" }

// awsSubject makes the subject token of a machine at AWS: a request of its own identity, signed but not sent. Google sends
// it, and so learns who signed it. As with Google's own libraries the keys are those of the environment or those of the
// instance's role (https://google.aip.dev/auth/4117#determining-the-subject-token-in-aws). The addresses in the file are
// not looked at.
func (f *federated) awsSubject(ctx context.Context, s *service) (string, error) {
	if f.source.EnvironmentID != "aws1" {
		return "", helpers.Fail(helpers.BadMaterial, f.name+" has an environment_id other than aws1", "")
	}
	keys := sigv4.Keys{
		ID: s.getenv("AWS_ACCESS_KEY_ID"), Secret: s.getenv("AWS_SECRET_ACCESS_KEY"), Session: s.getenv("AWS_SESSION_TOKEN"),
	}
	region := cmp.Or(s.getenv("AWS_REGION"), s.getenv("AWS_DEFAULT_REGION"))
	if !complete(keys) || region == "" {
		var err error
		if keys, region, err = s.instance(ctx, keys, region); err != nil {
			return "", err
		}
	}
	for i := range len(region) {
		if c := region[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return "", helpers.Fail(helpers.BadMaterial, "the region of AWS is malformed", "see AWS_REGION")
		}
	}
	return url.QueryEscape(signedIdentity(keys, region, f.audience, s.now())), nil
}

// signedIdentity returns sts:GetCallerIdentity as the JSON that Google takes, signed by AWS's Signature Version 4
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html). The audience is signed along, so that
// the request is of use for this pool only.
func signedIdentity(keys sigv4.Keys, region, audience string, now time.Time) string {
	r := &http.Request{
		Method: http.MethodPost,
		URL: &url.URL{
			Scheme: "https", Host: "sts." + region + ".amazonaws.com", RawQuery: "Action=GetCallerIdentity&Version=2011-06-15",
		},
		Header: http.Header{"X-Goog-Cloud-Target-Resource": {audience}},
	}
	sigv4.Sign(r, nil, keys, "sts", region, now)
	type pair struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	}
	headers := []pair{{"host", r.URL.Host}}
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		headers = append(headers, pair{strings.ToLower(name), r.Header.Get(name)})
	}
	text, _ := json.Marshal(map[string]any{"url": r.URL.String(), "method": r.Method, "headers": headers}) // strings always marshal
	return string(text)
}

// instance fills in what the environment did not say from the metadata service of EC2, in its second version
// (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html).
func (s *service) instance(ctx context.Context, keys sigv4.Keys, region string) (sigv4.Keys, string, error) {
	if strings.EqualFold(s.getenv("AWS_EC2_METADATA_DISABLED"), "true") {
		return keys, "", helpers.Fail(helpers.BadMaterial, "the federated identity of AWS has no keys",
			"set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION, or allow the instance metadata")
	}
	session, err := s.askInstance(ctx, http.MethodPut, "/latest/api/token", "X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "300")
	if err != nil {
		return keys, "", err
	}
	get := func(path string) (string, error) {
		return s.askInstance(ctx, http.MethodGet, "/latest/meta-data"+path, "X-Aws-Ec2-Metadata-Token", session)
	}
	if region == "" {
		if region, err = get("/placement/region"); err != nil {
			return keys, "", err
		}
	}
	if complete(keys) {
		return keys, region, nil
	}
	role, err := get("/iam/security-credentials/")
	if err != nil {
		return keys, "", err
	}
	text, err := get("/iam/security-credentials/" + url.PathEscape(role))
	if err != nil {
		return keys, "", err
	}
	var answer struct {
		ID      string `json:"AccessKeyId"`
		Secret  string `json:"SecretAccessKey"`
		Session string `json:"Token"`
	}
	if json.Unmarshal([]byte(text), &answer) != nil || answer.ID == "" || answer.Secret == "" {
		return keys, "", helpers.Fail(helpers.BadAnswer, "the metadata service of EC2 answered without keys", "see whether the instance has a role")
	}
	return sigv4.Keys{ID: answer.ID, Secret: answer.Secret, Session: answer.Session}, region, nil
}

func (s *service) askInstance(ctx context.Context, method, path, header, value string) (string, error) {
	base := strings.TrimSuffix(cmp.Or(s.getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT"), awsMetadata), "/")
	a, err := s.near.Do(ctx, upstream.Request{
		Service: "the metadata service of EC2", Method: method, URL: base + path, Header: http.Header{header: {value}},
	})
	if err != nil {
		return "", err
	}
	if !a.OK() {
		return "", a.Failure()
	}
	return strings.TrimSpace(string(a.Body)), nil
}
