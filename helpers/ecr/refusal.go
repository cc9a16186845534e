package ecr

import (
	"encoding/json"
	"strings"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/helpers/upstream"
)

// A refusal is what an error code of the services comes down to.
type refusal int

const (
	unknown refusal = iota
	denied
	expired
	badIdentityToken
	badKeys
	badSignature
	badParameter
	disabledRegion
	throttling
	outOfOrder
)

// refusals holds the codes of https://docs.aws.amazon.com/AmazonECR/latest/APIReference/CommonErrors.html, of
// https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html and of the operations that are called, several
// of which have an older and a newer name.
var refusals = map[string]refusal{
	"AccessDenied":                denied,
	"AccessDeniedException":       denied,
	"NotAuthorized":               denied,
	"OptInRequired":               denied,
	"UnauthorizedException":       denied,
	"ExpiredToken":                expired,
	"ExpiredTokenException":       expired,
	"IDPRejectedClaim":            badIdentityToken,
	"InvalidIdentityToken":        badIdentityToken,
	"InvalidClientTokenId":        badKeys,
	"MissingAuthenticationToken":  badKeys,
	"UnrecognizedClientException": badKeys,
	"IncompleteSignature":         badSignature,
	"InvalidSignatureException":   badSignature,
	"RequestExpired":              badSignature,
	"RequestInTheFuture":          badSignature,
	"RequestTimeTooSkewed":        badSignature,
	"SignatureDoesNotMatch":       badSignature,
	"InvalidParameterException":   badParameter,
	"ValidationError":             badParameter,
	"ValidationException":         badParameter,
	"RegionDisabledException":     disabledRegion,
	"LimitExceededException":      throttling,
	"RequestLimitExceeded":        throttling,
	"RequestThrottled":            throttling,
	"RequestThrottledException":   throttling,
	"SlowDown":                    throttling,
	"Throttling":                  throttling,
	"ThrottledException":          throttling,
	"ThrottlingException":         throttling,
	"TooManyRequestsException":    throttling,
	"IDPCommunicationError":       outOfOrder,
	"InternalFailure":             outOfOrder,
	"ServerException":             outOfOrder,
	"ServiceUnavailable":          outOfOrder,
}

// passes tells of an answer that the same call may bring something else in a moment. The services throttle with status
// 400.
func passes(a upstream.Answer) bool {
	r := refusalOf(a)
	return r == throttling || r == outOfOrder
}

// refused turns an answer into a failure of the action that was asked for. The code decides, and the status for a code
// that is not known; nothing of the answer is quoted.
func refused(a upstream.Answer, action string) *helpers.Failure {
	switch refusalOf(a) {
	case denied:
		return helpers.Fail(helpers.AccessDenied, a.Service()+" denies "+action,
			"allow "+action+" to the user or role in IAM")
	case expired:
		return helpers.Fail(helpers.ExpiredIdentity, a.Service()+" says that the session has expired",
			"renew the session keys, or log in again")
	case badIdentityToken:
		return helpers.Fail(helpers.AccessDenied, a.Service()+" does not take the web identity token",
			"see whether the role trusts the token's issuer, audience and subject")
	case badKeys:
		return helpers.Fail(helpers.BadMaterial, a.Service()+" does not know the access keys",
			"see whether the keys are active, belong to this partition and come with their session token")
	case badSignature:
		return helpers.Fail(helpers.BadMaterial, a.Service()+" does not take the signature",
			"see whether the secret access key belongs to the access key id")
	case badParameter:
		return helpers.Fail(helpers.BadMaterial, a.Service()+" does not take the parameters of "+action,
			"see whether the role is written as arn:aws:iam::<account>:role/<name>")
	case disabledRegion:
		return helpers.Fail(helpers.AccessDenied, a.Service()+" is not switched on for this account",
			"enable the region in the account")
	case throttling:
		return helpers.Fail(helpers.Throttled, a.Service()+" throttles", "try again later")
	case outOfOrder:
		return helpers.Fail(helpers.Unavailable, a.Service()+" is out of order", "try again later")
	}
	general := a.Failure()
	if general.Reason == helpers.BadAnswer && a.Status >= 400 && errorCode(a) != "" {
		// It says that it refuses, and so it is a denial, and no garbage: a token from before is not to hide it.
		return helpers.Fail(helpers.AccessDenied, a.Service()+" refuses "+action+" for a reason that is not known here",
			"see what the aws command is told, or CloudTrail")
	}
	return general
}

func refusalOf(a upstream.Answer) refusal {
	if a.OK() {
		return unknown
	}
	return refusals[errorCode(a)]
}

// errorCode finds the code of an answer that is a refusal: in a header or a field of JSON, where a name space may stand
// in front of it and an address behind it (https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html), or in XML.
func errorCode(a upstream.Answer) string {
	code := a.Header.Get("X-Amzn-Errortype")
	if code == "" {
		var v struct {
			Type string `json:"__type"`
			Code string `json:"code"`
		}
		if json.Unmarshal(a.Body, &v) == nil {
			code = v.Type
			if code == "" {
				code = v.Code
			}
		}
	}
	if code == "" {
		code = document(a.Body).at("Error").text("Code")
	}
	code, _, _ = strings.Cut(code, ":")
	return code[strings.LastIndexByte(code, '#')+1:]
}
