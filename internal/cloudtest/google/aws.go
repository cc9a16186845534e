package google

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// awsTokenType marks a subject token that is a signed request to AWS.
const awsTokenType = "urn:ietf:params:aws:token-type:aws4_request"

// emptySum is the SHA-256 of nothing, which is the body of the request.
const emptySum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// awsAddress is the one request that is taken.
var awsAddress = regexp.MustCompile(`^https://sts\.([a-z0-9-]+)\.amazonaws\.com\?Action=GetCallerIdentity&Version=2011-06-15$`)

// TrustAWS makes the security token service take requests that are signed with these keys for a principal.
func (s *Server) TrustAWS(audience string, keys aws.Credentials, principal string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signers = append(s.signers, signer{audience, keys, principal})
}

// signer is somebody whose requests to AWS are taken.
type signer struct {
	audience  string
	keys      aws.Credentials
	principal string
}

// signedBy tells who signed the request: it is signed once more with the keys of everybody who is trusted
// (https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token, subjectToken).
func (s *Server) signedBy(audience, token string) (principal string, ok bool) {
	text, err := url.QueryUnescape(token)
	var request struct {
		URL     string `json:"url"`
		Method  string `json:"method"`
		Headers []struct {
			Key   string `json:"key"`
			Value string `json:"value"`
		} `json:"headers"`
	}
	if err != nil || json.Unmarshal([]byte(text), &request) != nil || request.Method != http.MethodPost {
		return "", false
	}
	address := awsAddress.FindStringSubmatch(request.URL)
	if address == nil {
		return "", false
	}
	given := http.Header{}
	for _, h := range request.Headers {
		given.Add(h.Key, h.Value)
	}
	at, err := time.Parse("20060102T150405Z", given.Get("X-Amz-Date"))
	if err != nil || time.Since(at).Abs() > clockSkew || given.Get("X-Goog-Cloud-Target-Resource") != audience ||
		given.Get("Host") != "sts."+address[1]+".amazonaws.com" {
		return "", false
	}
	for _, known := range s.signers {
		again, err := http.NewRequest(request.Method, request.URL, nil)
		if err != nil || known.audience != audience {
			continue
		}
		again.Header.Set("X-Goog-Cloud-Target-Resource", audience)
		if v4.NewSigner().SignHTTP(context.Background(), known.keys, again, emptySum, "sts", address[1], at) == nil &&
			again.Header.Get("Authorization") == given.Get("Authorization") &&
			again.Header.Get("X-Amz-Security-Token") == given.Get("X-Amz-Security-Token") {
			return known.principal, true
		}
	}
	return "", false
}
