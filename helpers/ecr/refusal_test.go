package ecr

import (
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest/aws"
)

// The reasons of both services: what ECR says in JSON and STS in XML.
func TestReasons(t *testing.T) {
	t.Parallel()
	const both = ""
	tests := []struct {
		code, service string
		want          helpers.Reason
	}{
		{"AccessDeniedException", aws.ECR, helpers.AccessDenied},
		{"AccessDenied", aws.STS, helpers.AccessDenied},
		{"RegionDisabledException", aws.STS, helpers.AccessDenied},
		{"InvalidIdentityToken", aws.STS, helpers.AccessDenied},
		{"IDPRejectedClaim", aws.STS, helpers.AccessDenied},
		{"ExpiredTokenException", both, helpers.ExpiredIdentity},
		{"ExpiredToken", aws.STS, helpers.ExpiredIdentity},
		{"UnrecognizedClientException", aws.ECR, helpers.BadMaterial},
		{"InvalidSignatureException", aws.ECR, helpers.BadMaterial},
		{"InvalidClientTokenId", aws.STS, helpers.BadMaterial},
		{"SignatureDoesNotMatch", aws.STS, helpers.BadMaterial},
		{"ValidationError", aws.STS, helpers.BadMaterial},
		{"InvalidParameterException", aws.ECR, helpers.BadMaterial},
		{"ThrottlingException", aws.ECR, helpers.Throttled},
		{"Throttling", aws.STS, helpers.Throttled},
		{"RequestLimitExceeded", both, helpers.Throttled},
		{"ServerException", aws.ECR, helpers.Unavailable},
		{"IDPCommunicationError", aws.STS, helpers.Unavailable},
		{"NobodyKnowsThisException", both, helpers.AccessDenied},
	}
	for _, test := range tests {
		for _, service := range []string{aws.ECR, aws.STS} {
			if test.service != both && test.service != service {
				continue
			}
			t.Run(service+"/"+test.code, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.setKeys(w.cloud.User("puller"))
				fault := aws.Refuse(test.code, canary)
				if service == aws.STS {
					fault = aws.RefuseXML(test.code, canary)
				}
				w.cloud.Gate.Order(service, fault)
				m := parseMap(t, `{"registries":[{"host":"`+plainHost+`","role":"`+w.cloud.AddRole("puller", aws.Role{})+`"}]}`)
				_, err := w.ambient(m).Token(t.Context(), registry(t, plainHost))
				wants(t, err, test.want)
				want := 1
				if test.want == helpers.Throttled || test.want == helpers.Unavailable {
					want = 4
				}
				if got := w.cloud.Gate.Count(service); got != want {
					t.Errorf("%d calls, not %d", got, want)
				}
			})
		}
	}
}

// A code that is known counts wherever it stands, with whatever stands around it; one that only looks like one does not.
func TestWhereTheCodeStands(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]helpers.Reason{
		`{"__type":"AccessDeniedException"}`:                                                 helpers.AccessDenied,
		`{"__type":"com.amazonaws.ecr#AccessDeniedException:http://internal.amazon.com/x/"}`: helpers.AccessDenied,
		`{"code":"AccessDeniedException"}`:                                                   helpers.AccessDenied,
		`<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>`:            helpers.AccessDenied,
		`<?xml version="1.0"?><Response><Error><Code>AccessDenied</Code></Error></Response>`: helpers.AccessDenied,
		`{"message":"AccessDeniedException"}`:                                                helpers.BadAnswer,
		`{"__type":"NobodyKnowsThisException"}`:                                              helpers.AccessDenied,
		`{"__type":["AccessDeniedException"]}`:                                               helpers.BadAnswer,
		`<ErrorResponse><Error><Message>AccessDenied</Message></Error></ErrorResponse>`:      helpers.BadAnswer,
		`<ErrorResponse><Error><Code>AccessDenied`:                                           helpers.BadAnswer,
		``: helpers.BadAnswer,
	} {
		t.Run(body, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.cloud.Gate.Order(aws.ECR, cloudtest.Status(400, body))
			_, err := Exchanger{w.machine(nil)}.Exchange(t.Context(), registry(t, plainHost), material(t, plainHost, w.cloud.User("puller")))
			wants(t, err, want)
		})
	}
}
