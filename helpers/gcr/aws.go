package gcr

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/helpers/upstream"
)

// awsMetadata is where the metadata service of EC2 is.
const awsMetadata = "http://169.254.169.254"

// awsKeys are somebody's at AWS.
type awsKeys struct{ id, secret, session string }

func (k awsKeys) complete() bool { return k.id != "" && k.secret != "" }

// awsSubject makes the subject token of a machine at AWS: a request of its own identity, signed but not sent. Google sends
// it, and so learns who signed it. As with Google's own libraries the keys are those of the environment or those of the
// instance's role (https://google.aip.dev/auth/4117#determining-the-subject-token-in-aws). The addresses in the file are
// not looked at.
func (f *federated) awsSubject(ctx context.Context, s *service) (string, error) {
	if f.source.EnvironmentID != "aws1" {
		return "", helpers.Fail(helpers.BadMaterial, f.name+" has an environment_id other than aws1", "")
	}
	keys := awsKeys{s.getenv("AWS_ACCESS_KEY_ID"), s.getenv("AWS_SECRET_ACCESS_KEY"), s.getenv("AWS_SESSION_TOKEN")}
	region := cmp.Or(s.getenv("AWS_REGION"), s.getenv("AWS_DEFAULT_REGION"))
	if !keys.complete() || region == "" {
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
// the request is of use for this pool only. It is the one request that is ever signed here, which makes canonical form a
// matter of writing it down.
func signedIdentity(keys awsKeys, region, audience string, now time.Time) string {
	const query = "Action=GetCallerIdentity&Version=2011-06-15"
	host := "sts." + region + ".amazonaws.com"
	date := now.UTC().Format("20060102T150405Z")
	type pair struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	}
	headers := []pair{{"host", host}, {"x-amz-date", date}} // in the order of the alphabet
	if keys.session != "" {
		headers = append(headers, pair{"x-amz-security-token", keys.session})
	}
	headers = append(headers, pair{"x-goog-cloud-target-resource", audience})
	names, lines := "", ""
	for i, h := range headers {
		if i > 0 {
			names += ";"
		}
		names += h.Key
		lines += h.Key + ":" + h.Value + "\n"
	}
	scope := date[:8] + "/" + region + "/sts/aws4_request"
	canonical := "POST\n/\n" + query + "\n" + lines + "\n" + names + "\n" + hexSum("")
	key := []byte("AWS4" + keys.secret)
	for _, part := range []string{date[:8], region, "sts", "aws4_request", "AWS4-HMAC-SHA256\n" + date + "\n" + scope + "\n" + hexSum(canonical)} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	headers = append(headers, pair{"authorization", "AWS4-HMAC-SHA256 Credential=" + keys.id + "/" + scope +
		", SignedHeaders=" + names + ", Signature=" + hex.EncodeToString(key)})
	text, _ := json.Marshal(map[string]any{"url": "https://" + host + "?" + query, "method": "POST", "headers": headers}) // strings always marshal
	return string(text)
}

func hexSum(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// instance fills in what the environment did not say from the metadata service of EC2, in its second version
// (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html).
func (s *service) instance(ctx context.Context, keys awsKeys, region string) (awsKeys, string, error) {
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
	if keys.complete() {
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
	return awsKeys{answer.ID, answer.Secret, answer.Session}, region, nil
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
