package gcr

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/helpers/jwt"
	"github.com/beam-cloud/docker-credential-beta9/helpers/upstream"
)

// maxSubject is the largest token of somebody else's that is read, in bytes: what [upstream.MaxAnswer] is, since it comes
// from a file as well as from an address.
const maxSubject = upstream.MaxAnswer

// federated is somebody whom another identity provider knows (https://google.aip.dev/auth/4117). Its token there, the
// subject token, is exchanged by RFC 8693.
type federated struct {
	name, audience, tokenType, userProject string
	source                                 subjectSource
}

// subjectSource says where the subject token comes from. One of File, URL and EnvironmentID is set.
type subjectSource struct {
	File          string            `json:"file"`
	URL           string            `json:"url"`
	Headers       map[string]string `json:"headers"`
	EnvironmentID string            `json:"environment_id"`
	Executable    json.RawMessage   `json:"executable"`
	Certificate   json.RawMessage   `json:"certificate"`
	Format        struct {
		Type  string `json:"type"`
		Field string `json:"subject_token_field_name"`
	} `json:"format"`
}

func newFederated(name string, f keyFile) (identity, error) {
	switch {
	case f.Audience == "":
		return nil, lacks(name, "audience")
	case f.SubjectTokenType == "":
		return nil, lacks(name, "subject_token_type")
	}
	var who identity = &federated{name, f.Audience, f.SubjectTokenType, f.WorkforcePoolUserProject, f.CredentialSource}
	if f.ImpersonationURL == "" {
		return who, nil
	}
	return impersonate(name, f, who)
}

func (f *federated) token(ctx context.Context, s *service) (helpers.Credential, error) {
	subject, err := f.subject(ctx, s)
	if err != nil {
		return helpers.Credential{}, err
	}
	form := url.Values{
		"grant_type":           {"urn:ietf:params:oauth:grant-type:token-exchange"},
		"requested_token_type": {"urn:ietf:params:oauth:token-type:access_token"},
		"audience":             {f.audience},
		"scope":                {scope},
		"subject_token_type":   {f.tokenType},
		"subject_token":        {subject},
	}
	if f.userProject != "" {
		options, err := json.Marshal(map[string]string{"userProject": f.userProject})
		if err != nil {
			return helpers.Credential{}, lacks(f.name, "workforce_pool_user_project that can be written as JSON")
		}
		form.Set("options", string(options))
	}
	return s.tokenFor(ctx, stsURL, form, nil, explainFederated)
}

func explainFederated(e oauthError) *helpers.Failure {
	switch e.code {
	case "invalid_grant":
		return helpers.Fail(helpers.ExpiredIdentity, "Google does not accept the token of the federated identity",
			"see whether the token has expired, and whether its issuer and audience are those of the workload identity pool")
	case "invalid_target":
		return helpers.Fail(helpers.BadMaterial, "the workload identity pool or its provider is not there or is disabled",
			"see the audience in the identity's file")
	}
	return nil
}

// subject gets the subject token.
func (f *federated) subject(ctx context.Context, s *service) (string, error) {
	switch {
	case strings.HasPrefix(f.source.EnvironmentID, "aws"):
		return f.awsSubject(ctx, s)
	case f.source.File != "":
		text, err := f.read()
		if err != nil {
			return "", err
		}
		return f.extract("the file with the token of the federated identity", text)
	case f.source.URL != "":
		text, err := f.fetch(ctx, s)
		if err != nil {
			return "", err
		}
		return f.extract("the address with the token of the federated identity", text)
	case len(f.source.Executable) > 0:
		return "", helpers.Fail(helpers.BadMaterial, f.name+" gets its token from a program, which is not supported",
			"let the program write the token to a file, and name that in credential_source")
	case len(f.source.Certificate) > 0:
		return "", helpers.Fail(helpers.BadMaterial, f.name+" gets its token by a certificate, which is not supported",
			"use a service account, or a token in a file")
	}
	return "", lacks(f.name, "credential_source that is known")
}

func (f *federated) read() ([]byte, error) {
	file, err := os.Open(f.source.File)
	if err == nil {
		defer file.Close()
		var text []byte
		if text, err = io.ReadAll(io.LimitReader(file, maxSubject)); err == nil {
			return text, nil
		}
	}
	return nil, &helpers.Failure{Reason: helpers.BadMaterial, Cause: err,
		Text: "the file with the token of the federated identity cannot be read", Hint: "see credential_source in " + f.name}
}

// bearer returns whom the token in a file is for, when an identity rests on one: the file that names it may serve many.
// What is renewed all the time stays out. Nothing is returned when the token does not tell.
func bearer(id identity) []string {
	switch id := id.(type) {
	case *impersonated:
		return bearer(id.by)
	case *federated:
		if id.source.File == "" {
			return nil
		}
		text, err := id.read()
		if err != nil {
			return nil
		}
		var claims struct {
			Issuer  string `json:"iss"`
			Subject string `json:"sub"`
		}
		token, err := id.extract("the token", text)
		if err != nil || jwt.ReadClaims(token, &claims) != nil {
			return nil
		}
		return []string{claims.Issuer, claims.Subject}
	}
	return nil
}

func (f *federated) fetch(ctx context.Context, s *service) ([]byte, error) {
	header := http.Header{}
	for name, value := range f.source.Headers {
		header.Set(name, value)
	}
	client := s.client
	if u, err := url.Parse(f.source.URL); err == nil && u.Scheme == "http" {
		client = s.near
	}
	a, err := client.Do(ctx, upstream.Request{
		Service: "the address with the token of the federated identity", Method: http.MethodGet, URL: f.source.URL, Header: header,
	})
	if err != nil {
		return nil, err
	}
	if !a.OK() {
		return nil, a.Failure()
	}
	return a.Body, nil
}

// extract finds the token in what was read.
func (f *federated) extract(from string, text []byte) (string, error) {
	token := string(text)
	switch f.source.Format.Type {
	case "", "text":
	case "json":
		var fields map[string]json.RawMessage
		token = ""
		if json.Unmarshal(text, &fields) != nil || json.Unmarshal(fields[f.source.Format.Field], &token) != nil {
			return "", helpers.Fail(helpers.BadMaterial, from+" holds no JSON with the field that "+f.name+" names", "")
		}
	default:
		return "", helpers.Fail(helpers.BadMaterial, f.name+" has a format that is neither text nor json", "")
	}
	if token = strings.TrimSpace(token); token == "" {
		return "", helpers.Fail(helpers.BadMaterial, from+" is empty", "")
	}
	return token, nil
}

// awsMetadata6 is where the metadata service of EC2 answers over IPv6.
var awsMetadata6 = netip.MustParseAddr("fd00:ec2::254")

// isNear tells whether a host is this machine, or an address that only the machine's own link has, as the metadata
// services of the clouds do.
func isNear(host string) bool {
	if upstream.Loopback(host) {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && (address.IsLinkLocalUnicast() || address == awsMetadata6)
}
