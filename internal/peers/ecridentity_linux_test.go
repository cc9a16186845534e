package peers_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest/aws"
	"github.com/beam-cloud/docker-credential-beta9/internal/peers"
)

// The same machine for both: whose identity they find on it, and what they call for it.
func TestECRIdentities(t *testing.T) {
	t.Parallel()
	const (
		api = " sts.us-east-1.amazonaws.com,api.ecr.us-east-1.amazonaws.com"
		ecr = " api.ecr.us-east-1.amazonaws.com"
	)
	// profile writes keys as a profile holds them.
	profile := func(k aws.Keys) string {
		s := "aws_access_key_id = " + k.ID + "\naws_secret_access_key = " + k.Secret + "\n"
		if k.Session != "" {
			s += "aws_session_token = " + k.Session + "\n"
		}
		return s
	}
	role := func(a *account, name string) string {
		return "role_arn = " + a.cloud.AddRole(name, aws.Role{}) + "\nrole_session_name = s\n"
	}
	tests := []struct {
		name  string
		given func(*account)
		difference
	}{
		{"nothing", func(*account) {}, difference{ours: "none "}},
		{"keys", func(a *account) { a.setKeys(a.cloud.User("me")) }, difference{ours: "user/me" + ecr}},
		{"keys of a session", func(a *account) { a.setKeys(a.cloud.Session("me")) }, difference{ours: "assumed-role/me/test" + ecr}},
		{
			"keys go before a profile", func(a *account) {
				a.setKeys(a.cloud.User("me"))
				a.set("AWS_PROFILE", "p")
				a.write(".aws/config", "[profile p]\n"+profile(a.cloud.User("other")))
			}, difference{ours: "user/me" + ecr},
		},
		{
			"half a pair, beside a profile", func(a *account) {
				a.set("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
				a.write(".aws/credentials", "[default]\n"+profile(a.cloud.User("other")))
			}, difference{"failed: bad_material ", "user/other" + ecr, "ours is right: whoever set the keys did not mean another identity"},
		},
		{
			"web identity", func(a *account) {
				a.set("AWS_ROLE_ARN", a.cloud.AddRole("web", aws.Role{Subject: "job"}), "AWS_ROLE_SESSION_NAME", "s",
					"AWS_WEB_IDENTITY_TOKEN_FILE", a.write("token", aws.WebIdentity("job", time.Now().Add(time.Hour))))
			}, difference{ours: "assumed-role/web/s" + api},
		},
		{
			"web identity that is not trusted", func(a *account) {
				a.set("AWS_ROLE_ARN", a.cloud.AddRole("web", aws.Role{Subject: "other"}), "AWS_ROLE_SESSION_NAME", "s",
					"AWS_WEB_IDENTITY_TOKEN_FILE", a.write("token", aws.WebIdentity("job", time.Now().Add(time.Hour))))
			}, difference{"failed: access_denied sts.us-east-1.amazonaws.com", "none sts.us-east-1.amazonaws.com",
				"ours is right: \"none\" sends the client on without a credential, and hides what is wrong"},
		},
		{
			"default profile of both files", func(a *account) {
				k := a.cloud.User("me")
				a.write(".aws/config", "[default]\naws_access_key_id = "+k.ID+"\naws_secret_access_key = wrong\n")
				a.write(".aws/credentials", "[default]\naws_access_key_id = "+k.ID+"\naws_secret_access_key = "+k.Secret+"\n")
			}, difference{ours: "user/me" + ecr},
		},
		{
			"a profile by its name", func(a *account) {
				a.set("AWS_PROFILE", "two words")
				a.write(".aws/config", "# x\n[ profile\ttwo words ] # y\n"+profile(a.cloud.User("me")))
			}, difference{ours: "user/me" + ecr},
		},
		{
			"a profile by its name in quotes", func(a *account) {
				a.set("AWS_PROFILE", "two words")
				a.write(".aws/config", "[profile \"two words\"]\n"+profile(a.cloud.User("me")))
			}, difference{"user/me" + ecr, "failed ", "ours is right: the aws command writes and reads such a name in quotes; the peer panics"},
		},
		{
			"AWS_DEFAULT_PROFILE", func(a *account) {
				a.set("AWS_DEFAULT_PROFILE", "p")
				a.write(".aws/config", "[profile p]\n"+profile(a.cloud.User("me")))
			}, difference{ours: "user/me" + ecr},
		},
		{
			"files elsewhere", func(a *account) {
				a.set("AWS_PROFILE", "p", "AWS_CONFIG_FILE", a.write("config", "[profile p]\n"+role(a, "r")+"source_profile = q\n"),
					"AWS_SHARED_CREDENTIALS_FILE", a.write("credentials", "[q]\n"+profile(a.cloud.User("me"))))
			}, difference{ours: "assumed-role/r/s" + api},
		},
		{
			"no such profile", func(a *account) { a.set("AWS_PROFILE", "none") },
			difference{"failed: bad_material ", "failed ", "ours is right: the peer panics"},
		},
		{
			"comments, colons, case and line ends", func(a *account) {
				k := a.cloud.User("me")
				a.write(".aws/config", "\r\n; a\r\n[default]\r\nAWS_Access_Key_ID="+k.ID+" # mine\r\n\taws_secret_access_key =   "+k.Secret+"   \r\n")
			}, difference{ours: "user/me" + ecr},
		},
		{
			"what is nested", func(a *account) {
				a.write(".aws/config", "[default]\ns3 =\n  aws_access_key_id = nested\n  aws_secret_access_key = nested\n"+profile(a.cloud.User("me")))
			}, difference{ours: "user/me" + ecr},
		},
		{
			"source_profile", func(a *account) {
				a.write(".aws/config", "[default]\n"+role(a, "r")+"source_profile = q\n[profile q]\n"+profile(a.cloud.User("me")))
			}, difference{ours: "assumed-role/r/s" + api},
		},
		{
			"external id", func(a *account) {
				a.write(".aws/config", "[default]\nrole_arn = "+a.cloud.AddRole("r", aws.Role{ExternalID: "x"})+
					"\nrole_session_name = s\nexternal_id = x\nsource_profile = q\n[profile q]\n"+profile(a.cloud.User("me")))
			}, difference{ours: "assumed-role/r/s" + api},
		},
		{
			"source_profile that is itself", func(a *account) {
				a.write(".aws/config", "[default]\n"+role(a, "r")+"source_profile = default\n"+profile(a.cloud.User("me")))
			}, difference{ours: "assumed-role/r/s" + api},
		},
		{
			"a chain of roles", func(a *account) {
				a.write(".aws/config", "[default]\n"+role(a, "outer")+"source_profile = q\n[profile q]\n"+role(a, "inner")+
					"source_profile = z\n[profile z]\n"+profile(a.cloud.User("me")))
			}, difference{ours: "assumed-role/outer/s" + api},
		},
		{
			"a circle", func(a *account) {
				a.write(".aws/config", "[default]\n"+role(a, "outer")+"source_profile = q\n[profile q]\n"+role(a, "inner")+"source_profile = default\n")
			}, difference{"failed: bad_material ", "failed ", "ours is right: the peer panics"},
		},
		{
			"credential_source", func(a *account) {
				a.set("AWS_PROFILE", "p")
				a.setKeys(a.cloud.User("me"))
				a.write(".aws/config", "[profile p]\n"+role(a, "r")+"credential_source = Environment\n")
			}, difference{ours: "user/me" + ecr},
		},
		{
			"a role over the profile's own keys", func(a *account) {
				a.write(".aws/config", "[default]\n"+role(a, "r")+profile(a.cloud.User("me")))
			}, difference{ours: "assumed-role/r/s" + api},
		},
		{
			"the default profile by its long name", func(a *account) {
				a.write(".aws/config", "[default]\n"+profile(a.cloud.User("other"))+"[profile default]\n"+profile(a.cloud.User("me")))
			}, difference{ours: "user/me" + ecr},
		},
		{
			"a profile of the config file in the form of the other", func(a *account) {
				a.set("AWS_PROFILE", "p")
				a.write(".aws/config", "[p]\n"+profile(a.cloud.User("other"))+"[profile p]\n"+profile(a.cloud.User("me")))
			}, difference{ours: "user/me" + ecr},
		},
		{
			"a setting twice", func(a *account) {
				k := a.cloud.User("me")
				a.write(".aws/config", "[default]\naws_access_key_id = x\n"+profile(k))
			}, difference{ours: "user/me" + ecr},
		},
		{
			"a section twice", func(a *account) {
				k := a.cloud.User("me")
				a.write(".aws/config", "[default]\naws_access_key_id = "+k.ID+"\n[profile q]\n[default]\naws_secret_access_key = "+k.Secret+"\n")
			}, difference{ours: "user/me" + ecr},
		},
		{
			"keys across both files", func(a *account) {
				k := a.cloud.User("me")
				a.write(".aws/config", "[default]\naws_access_key_id = "+k.ID+"\n")
				a.write(".aws/credentials", "[default]\naws_secret_access_key = "+k.Secret+"\n")
			}, difference{"failed: bad_material ", "failed ", "ours is right: the peer panics"},
		},
		{
			"a session token left over in the other file", func(a *account) {
				a.write(".aws/config", "[default]\n"+profile(a.cloud.Session("other")))
				a.write(".aws/credentials", "[default]\n"+profile(a.cloud.User("me")))
			}, difference{"user/me" + ecr, "none" + ecr, "ours is right, as the aws command is: the token belongs to other keys"},
		},
		{
			"a role that is left over in the other file", func(a *account) {
				a.write(".aws/config", "[default]\n"+role(a, "r")+"source_profile = q\n[profile q]\n"+profile(a.cloud.User("me")))
				a.write(".aws/credentials", "[default]\n"+profile(a.cloud.User("other")))
			}, difference{ours: "assumed-role/r/s" + api},
		},
		{
			"keys and a program", func(a *account) {
				a.write(".aws/config", "[default]\ncredential_process = false\n"+profile(a.cloud.User("me")))
			}, difference{ours: "user/me" + ecr},
		},
		{
			"a program and SSO", func(a *account) {
				a.write(".aws/config", "[default]\ncredential_process = false\nsso_account_id = 123456789012\nsso_role_name = x\nsso_region = us-east-1\nsso_start_url = https://x\n")
				a.set("PATH", a.home)
			}, difference{"failed: bad_material ", "none ", "ours is right: both take SSO, which cannot be had " +
				"without the aws command or a session; ours says so, and \"none\" hides it"},
		},
		{
			"a code of a device", func(a *account) {
				a.write(".aws/config", "[default]\n"+role(a, "r")+"mfa_serial = x\nsource_profile = q\n[profile q]\n"+profile(a.cloud.User("me")))
			}, difference{"failed: login_required ", "failed ", "ours is right: the peer panics"},
		},
		{
			"web identity of a profile", func(a *account) {
				a.write(".aws/config", "[default]\nrole_session_name = s\nrole_arn = "+a.cloud.AddRole("web", aws.Role{Subject: "job"})+
					"\nweb_identity_token_file = "+a.write("token", aws.WebIdentity("job", time.Now().Add(time.Hour)))+"\n")
			}, difference{ours: "assumed-role/web/s" + api},
		},
		{
			"credential_process", func(a *account) {
				k := a.cloud.Session("me")
				a.write("keys", fmt.Sprintf(`{"Version":1,"AccessKeyId":%q,"SecretAccessKey":%q,"SessionToken":%q,"Expiration":"2099-01-01T00:00:00Z"}`, k.ID, k.Secret, k.Session))
				a.write(".aws/config", "[default]\ncredential_process = sh -c 'cat \"$HOME/keys\"'\n")
			}, difference{ours: "assumed-role/me/test" + ecr},
		},
		{
			"credential_process beside other secrets", func(a *account) {
				k := a.cloud.Session("me")
				a.set("GITHUB_TOKEN", "not-a-secret")
				a.write("keys", fmt.Sprintf(`{"Version":1,"AccessKeyId":%q,"SecretAccessKey":%q,"SessionToken":%q,"Expiration":"2099-01-01T00:00:00Z"}`, k.ID, k.Secret, k.Session))
				program := a.write("program", "#!/bin/sh\ntest -z \"$GITHUB_TOKEN\" && cat \"$HOME/keys\"\n")
				a.write(".aws/config", "[default]\ncredential_process = "+program+"\n")
			}, difference{"assumed-role/me/test" + ecr, "none ", "ours is right: a program that makes keys for AWS has no business with " +
				"what pulls from elsewhere, unless its command names that; the peer hands it everything"},
		},
		{
			"credential_process that fails", func(a *account) { a.write(".aws/config", "[default]\ncredential_process = false\n") },
			difference{"failed: login_required ", "none ", "ours is right: a person has to do something, and is told so"},
		},
		{
			"a container", func(a *account) {
				near := httptest.NewServer(a.cloud)
				a.t.Cleanup(near.Close)
				a.cloud.ContainerAuthorization = "x"
				a.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", near.URL+aws.ContainerPath, "AWS_CONTAINER_AUTHORIZATION_TOKEN", "x")
			}, difference{ours: "assumed-role/task/test" + ecr},
		},
		{
			"a container elsewhere", func(a *account) {
				a.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://192.0.2.1/")
			}, difference{"failed: bad_material ", "failed ", "ours is right: the peer panics"},
		},
		{
			"an instance", func(a *account) {
				near := httptest.NewServer(a.cloud)
				a.t.Cleanup(near.Close)
				a.cloud.InstanceRole = "node"
				a.set("AWS_EC2_METADATA_DISABLED", "", "AWS_EC2_METADATA_SERVICE_ENDPOINT", near.URL)
			}, difference{ours: "assumed-role/node/test" + ecr},
		},
		{
			"AWS_USE_FIPS_ENDPOINT", func(a *account) {
				a.setKeys(a.cloud.User("me"))
				a.set("AWS_USE_FIPS_ENDPOINT", "true")
			}, difference{ours: "user/me api.ecr-fips.us-east-1.amazonaws.com"},
		},
		{
			"AWS_USE_DUALSTACK_ENDPOINT", func(a *account) {
				a.setKeys(a.cloud.User("me"))
				a.set("AWS_USE_DUALSTACK_ENDPOINT", "true")
			}, difference{"user/me" + ecr, "user/me ecr.us-east-1.api.aws", "ours asks by the kind of name that the registry is used by: " +
				"the dual-stack endpoint has no private link, by which a registry with a plain name may be reached"},
		},
		{
			"AWS_ENDPOINT_URL_ECR", func(a *account) {
				a.setKeys(a.cloud.User("me"))
				a.proxy.Serve("vpce.example.com", a.cloud)
				a.set("AWS_ENDPOINT_URL_ECR", "https://vpce.example.com", "AWS_ENDPOINT_URL", "https://other.example.com")
			}, difference{ours: "user/me vpce.example.com"},
		},
		{
			"AWS_CA_BUNDLE", func(a *account) {
				a.setKeys(a.cloud.User("me"))
				a.set("AWS_CA_BUNDLE", a.env["SSL_CERT_FILE"], "SSL_CERT_FILE", "")
			}, difference{ours: "user/me" + ecr},
		},
		{
			"keys that are not known", func(a *account) {
				k := a.cloud.User("me")
				k.Secret = "wrong"
				a.setKeys(k)
			}, difference{"failed: bad_material" + ecr, "none" + ecr, "ours is right, as for every failure"},
		},
		{
			"denied", func(a *account) {
				a.setKeys(a.cloud.User("me"))
				a.cloud.Gate.Order(aws.ECR, aws.Refuse("AccessDeniedException", "no"))
			}, difference{"failed: access_denied" + ecr, "none" + ecr, "ours is right, as for every failure"},
		},
		{
			"throttled once", func(a *account) {
				a.setKeys(a.cloud.User("me"))
				a.cloud.Gate.Order(aws.ECR, cloudtest.Times(1, aws.Refuse("ThrottlingException", "no")))
			}, difference{ours: "user/me" + ecr},
		},
		{
			"redirected", func(a *account) {
				a.setKeys(a.cloud.User("me"))
				a.cloud.Gate.Order(aws.ECR, cloudtest.Redirect("https://other.example.com/"))
			}, difference{"failed: bad_answer" + ecr, "none" + ecr, "ours is right, as for every failure; neither follows"},
		},
	}
	peers.Program(t, peers.ECR)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			seen := func(a *account) string {
				test.given(a)
				outcome := a.get(ecrHost)
				return outcome + " " + strings.Join(a.called(), ",")
			}
			mine, theirs := bothECR(t)
			test.check(t, seen(mine), seen(theirs))
		})
	}
}
