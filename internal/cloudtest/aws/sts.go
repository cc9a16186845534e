package aws

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest"
)

// stsVersion is that of the API: https://docs.aws.amazon.com/STS/latest/APIReference/
const stsVersion = "2011-06-15"

// xmlRefusal and xmlAnswer are of the query protocol:
// https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
type xmlRefusal struct {
	XMLName xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ ErrorResponse"`
	Type    string   `xml:"Error>Type"`
	Code    string   `xml:"Error>Code"`
	Message string   `xml:"Error>Message"`
}

type xmlAnswer struct {
	XMLName xml.Name
	Result  struct {
		XMLName xml.Name
		Keys    xmlKeys `xml:"Credentials"`
	}
}

type xmlKeys struct {
	AccessKeyID     string `xml:"AccessKeyId"`
	SecretAccessKey string
	SessionToken    string
	Expiration      string
}

// RefuseXML answers as STS refuses. The message is one that must not be shown.
func RefuseXML(code, message string) cloudtest.Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { refuseXML(w, code, message) }
}

func refuseXML(w http.ResponseWriter, code, message string) {
	status := http.StatusBadRequest
	if code == "AccessDenied" || code == "SignatureDoesNotMatch" || code == "InvalidClientTokenId" {
		status = http.StatusForbidden
	}
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(status)
	_ = xml.NewEncoder(w).Encode(xmlRefusal{Type: "Sender", Code: code, Message: message}) // the client may have gone
}

// sts answers AssumeRole and AssumeRoleWithWebIdentity.
func (c *Cloud) sts(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	form, err2 := url.ParseQuery(string(body))
	if err != nil || err2 != nil || r.Method != http.MethodPost || form.Get("Version") != stsVersion {
		refuseXML(w, "InvalidAction", "this is not an action")
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	arn, session := form.Get("RoleArn"), form.Get("RoleSessionName")
	if !strings.HasPrefix(arn, "arn:aws:iam::") || session == "" {
		refuseXML(w, "ValidationError", "a parameter is malformed")
		return
	}
	c.mu.Lock()
	role, ok := c.roles[arn]
	c.mu.Unlock()
	action, by, region := form.Get("Action"), "", ""
	switch action {
	case "AssumeRole":
		keys, in, code := c.verify(r, "sts")
		if code == "UnrecognizedClientException" {
			code = "InvalidClientTokenId"
		}
		if code != "" {
			refuseXML(w, code, "see the code")
			return
		}
		by, region = keys.Principal, in
		ok = ok && role.Subject == "" && form.Get("ExternalId") == role.ExternalID &&
			(len(role.By) == 0 || slices.Contains(role.By, by))
	case "AssumeRoleWithWebIdentity":
		subject, expires := claims(form.Get("WebIdentityToken"))
		if subject != "" && c.Now().After(expires) {
			refuseXML(w, "ExpiredTokenException", "the token has expired")
			return
		}
		if subject == "" || r.Header.Get("Authorization") != "" {
			refuseXML(w, "InvalidIdentityToken", "the token is not one")
			return
		}
		by, ok = subject, ok && role.Subject == subject
	default:
		refuseXML(w, "InvalidAction", "this is not an action")
		return
	}
	if !ok {
		refuseXML(w, "AccessDenied", "the role may not be assumed")
		return
	}
	c.called(Call{Service: STS, Host: r.Host, Region: region, Principal: by})
	keys := c.add("ASIA", Keys{
		Principal: "arn:aws:sts::" + Account + ":assumed-role/" + arn[strings.LastIndexByte(arn, '/')+1:] + "/" + session,
		Expires:   c.Now().Add(time.Hour),
	})
	w.Header().Set("Content-Type", "text/xml")
	var answer xmlAnswer
	answer.XMLName = xml.Name{Space: "https://sts.amazonaws.com/doc/2011-06-15/", Local: action + "Response"}
	answer.Result.XMLName.Local = action + "Result"
	answer.Result.Keys = xmlKeys{keys.ID, keys.Secret, keys.Session, keys.Expires.UTC().Format(time.RFC3339)}
	_ = xml.NewEncoder(w).Encode(answer) // the client may have gone
}

// WebIdentity makes a token that an identity provider could have issued for the subject. Nothing verifies its signature.
func WebIdentity(subject string, expires time.Time) string {
	payload, _ := json.Marshal(map[string]any{ // of strings and numbers
		"iss": "https://issuer.example.com", "sub": subject, "aud": "sts.amazonaws.com", "exp": expires.Unix(),
	})
	return "eyJhbGciOiJub25lIn0." + base64.RawURLEncoding.EncodeToString(payload) + ".not-a-signature"
}

func claims(token string) (string, time.Time) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", time.Time{}
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	var v struct {
		Subject string `json:"sub"`
		Expires int64  `json:"exp"`
	}
	if err != nil || json.Unmarshal(payload, &v) != nil {
		return "", time.Time{}
	}
	return v.Subject, time.Unix(v.Expires, 0)
}
