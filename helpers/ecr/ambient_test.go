package ecr

import (
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest/aws"
)

const (
	roleARN = "arn:aws:iam::" + aws.Account + ":role/"
	session = "arn:aws:sts::" + aws.Account + ":assumed-role/"
)

// near starts the cloud's metadata services on this machine.
func (w *world) near() string {
	s := httptest.NewServer(w.cloud)
	w.t.Cleanup(s.Close)
	return s.URL
}

// Every source by itself: who the token is for, and what is said to have been left before it was taken.
func TestSources(t *testing.T) {
	t.Parallel()
	environment := environmentSource + ": AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set"
	web := webSource + ": AWS_WEB_IDENTITY_TOKEN_FILE is not set"
	profile := "profile default: there is none"
	container := containerSource + ": AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and AWS_CONTAINER_CREDENTIALS_FULL_URI are not set"
	tests := []struct {
		name  string
		given func(*world) string // returns the principal
		left  []string
		taken string
	}{
		{
			name: "environment", taken: environmentSource,
			given: func(w *world) string { k := w.cloud.User("me"); w.setKeys(k); return k.Principal },
		},
		{
			name: "environment with a session", taken: environmentSource,
			given: func(w *world) string { k := w.cloud.Session("me"); w.setKeys(k); return k.Principal },
		},
		{
			name: "web identity", left: []string{environment}, taken: "web identity as " + roleARN + "web",
			given: func(w *world) string {
				token := aws.WebIdentity("system:serviceaccount:a:b", time.Now().Add(time.Hour))
				w.set("AWS_ROLE_ARN", w.cloud.AddRole("web", aws.Role{Subject: "system:serviceaccount:a:b"}),
					"AWS_ROLE_SESSION_NAME", "pod", "AWS_WEB_IDENTITY_TOKEN_FILE", w.write("token", token+"\n"))
				return session + "web/pod"
			},
		},
		{
			name: "default profile", left: []string{environment, web}, taken: "profile default",
			given: func(w *world) string {
				k := w.cloud.User("me")
				w.write(".aws/credentials", "[default]\naws_access_key_id="+k.ID+"\naws_secret_access_key="+k.Secret+"\n")
				return k.Principal
			},
		},
		{
			name: "AWS_PROFILE", left: []string{environment, web}, taken: "profile work",
			given: func(w *world) string {
				k := w.cloud.Session("me")
				w.set("AWS_PROFILE", "work", "AWS_CONFIG_FILE", w.write("elsewhere", "[profile work]\naws_access_key_id = "+k.ID+
					"\naws_secret_access_key = "+k.Secret+"\naws_session_token = "+k.Session+"\n"))
				return k.Principal
			},
		},
		{
			name: "source_profile", left: []string{environment, web}, taken: "profile default as " + roleARN + "puller",
			given: func(w *world) string {
				k := w.cloud.User("me")
				w.write(".aws/config", "[default]\nrole_arn = "+w.cloud.AddRole("puller", aws.Role{ExternalID: "x", By: []string{k.Principal}})+
					"\nexternal_id = x\nrole_session_name = me\nsource_profile = base\n")
				w.write(".aws/credentials", "[base]\naws_access_key_id = "+k.ID+"\naws_secret_access_key = "+k.Secret+"\n")
				return session + "puller/me"
			},
		},
		{
			name: "a chain of roles", left: []string{environment, web}, taken: "profile default as " + roleARN + "outer",
			given: func(w *world) string {
				k := w.cloud.User("me")
				inner := w.cloud.AddRole("inner", aws.Role{By: []string{k.Principal}})
				outer := w.cloud.AddRole("outer", aws.Role{By: []string{session + "inner/" + sessionName}})
				w.write(".aws/config", "[default]\nrole_arn = "+outer+"\nsource_profile = inner\n"+
					"[profile inner]\nrole_arn = "+inner+"\nsource_profile = inner\naws_access_key_id = "+k.ID+"\naws_secret_access_key = "+k.Secret+"\n")
				return session + "outer/" + sessionName
			},
		},
		{
			name: "web identity of a profile", left: []string{environment, web}, taken: "profile default as " + roleARN + "web",
			given: func(w *world) string {
				w.write(".aws/config", "[default]\nrole_arn = "+w.cloud.AddRole("web", aws.Role{Subject: "s"})+
					"\nweb_identity_token_file = "+w.write("token", aws.WebIdentity("s", time.Now().Add(time.Hour)))+"\n")
				return session + "web/" + sessionName
			},
		},
		{
			name: "credential_process", left: []string{environment, web}, taken: "profile default",
			given: func(w *world) string {
				k := w.cloud.Session("me")
				w.write(".aws/config", "[default]\ncredential_process = cat \"$HOME/keys.json\"\n")
				w.write("keys.json", fmt.Sprintf(`{"Version":1,"AccessKeyId":%q,"SecretAccessKey":%q,"SessionToken":%q}`, k.ID, k.Secret, k.Session))
				return k.Principal
			},
		},
		{
			name: "SSO", left: []string{environment, web}, taken: "profile default",
			given: func(w *world) string {
				k := w.cloud.Session("me")
				w.write(".aws/config", "[default]\nsso_session = corp\nsso_account_id = 1\nsso_role_name = me\n[sso-session corp]\nsso_start_url = https://x\n")
				w.write("keys.json", fmt.Sprintf(`{"Version":1,"AccessKeyId":%q,"SecretAccessKey":%q,"SessionToken":%q}`, k.ID, k.Secret, k.Session))
				w.write("bin/aws", "#!/bin/sh\ntest \"$*\" = 'configure export-credentials --profile default --format process' && exec cat \"$HOME/keys.json\"\n")
				w.set("PATH", w.home+"/none:"+w.home+"/bin:"+w.env["PATH"])
				return k.Principal
			},
		},
		{
			name: "container", left: []string{environment, web, profile}, taken: containerSource,
			given: func(w *world) string {
				w.cloud.ContainerAuthorization = "Bearer not-a-secret"
				w.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", w.near()+aws.ContainerPath, "AWS_CONTAINER_AUTHORIZATION_TOKEN", "Bearer not-a-secret")
				return session + "task/test"
			},
		},
		{
			name: "container with a token file", left: []string{environment, web, profile}, taken: containerSource,
			given: func(w *world) string {
				w.cloud.ContainerAuthorization = aws.WebIdentity("pod", time.Unix(0, 0))
				w.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", w.near()+aws.ContainerPath, "AWS_CONTAINER_AUTHORIZATION_TOKEN", "another",
					"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", w.write("token", w.cloud.ContainerAuthorization))
				return session + "task/test"
			},
		},
		{
			name: "credential_source", left: []string{environment, web}, taken: "profile default as " + roleARN + "puller",
			given: func(w *world) string {
				w.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", w.near()+aws.ContainerPath)
				w.write(".aws/config", "[default]\ncredential_source = EcsContainer\nrole_arn = "+
					w.cloud.AddRole("puller", aws.Role{By: []string{session + "task/test"}})+"\n")
				return session + "puller/" + sessionName
			},
		},
		{
			name: "instance", left: []string{environment, web, profile, container}, taken: instanceSource,
			given: func(w *world) string {
				w.cloud.InstanceRole = "node"
				w.set("AWS_EC2_METADATA_DISABLED", "", "AWS_EC2_METADATA_SERVICE_ENDPOINT", w.near()+"/")
				return session + "node/test"
			},
		},
		{
			name: "an empty profile leads on", left: []string{environment, web, "profile default: it has no credentials", container}, taken: instanceSource,
			given: func(w *world) string {
				w.cloud.InstanceRole = "node"
				w.write(".aws/config", "[default]\nregion = eu-west-1\noutput = json\n")
				w.set("AWS_EC2_METADATA_DISABLED", "", "AWS_EC2_METADATA_SERVICE_ENDPOINT", w.near())
				return session + "node/test"
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			want := test.given(w)
			var heard log
			ctx, a := heard.context(t.Context()), w.ambient(nil)
			key, err := a.Key(ctx, registry(t, plainHost))
			wants(t, err, "")
			if calls := w.cloud.Gate.Total() + len(w.called()); calls != 0 {
				t.Errorf("%d calls were made for a key", calls)
			}
			c, err := a.Token(ctx, registry(t, plainHost))
			wants(t, err, "")
			if got := w.principal(c); got != want {
				t.Errorf("the token is for %s, not %s", got, want)
			}
			if !slices.Equal(heard.left, test.left) || !slices.Equal(heard.taken, []string{test.taken}) || c.Source() != test.taken {
				t.Errorf("left %q, took %q for %q", heard.left, heard.taken, c.Source())
			}
			again, err := w.ambient(nil).Key(t.Context(), registry(t, plainHost))
			if err != nil || again != key || key.Token == "" {
				t.Errorf("the key is %v, and then %v", key, again)
			}
			if said := strings.Join(append(heard.left, heard.hints...), ""); strings.Contains(said, "not-a-secret") {
				t.Errorf("said %q", said)
			}
		})
	}
}

func TestNothingIsConfigured(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, host := range []string{plainHost, "public.ecr.aws"} {
		var heard log
		a := w.ambient(nil)
		if _, err := a.Key(heard.context(t.Context()), registry(t, host)); !helpers.IsNotFound(err) {
			t.Errorf("%s: the key: %v", host, err)
		}
		if _, err := a.Token(heard.context(t.Context()), registry(t, host)); !helpers.IsNotFound(err) {
			t.Errorf("%s: the token: %v", host, err)
		}
		if len(heard.left) != 5 {
			t.Errorf("%s: left %q", host, heard.left)
		}
	}
	if got := w.called(); len(got) != 0 {
		t.Errorf("called %q", got)
	}
}

// What is configured and cannot work is a failure, and nothing else is used in its place.
func TestWhatIsConfiguredAndCannotWork(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		config string
		env    []string
		want   helpers.Reason
	}{
		{name: "half a pair", env: []string{accessKeyID, "AKIAIOSFODNN7EXAMPLE"}, want: helpers.BadMaterial},
		{name: "the other half", env: []string{secretAccessKey, "not-a-secret"}, want: helpers.BadMaterial},
		{name: "keys with a line end", env: []string{accessKeyID, "AKIAIOSFODNN7EXAMPLE", secretAccessKey, "not-a-secret\n"}, want: helpers.BadMaterial},
		{name: "no token file", env: []string{"AWS_WEB_IDENTITY_TOKEN_FILE", "/none", "AWS_ROLE_ARN", roleARN + "x"}, want: helpers.BadMaterial},
		{name: "no role", env: []string{"AWS_WEB_IDENTITY_TOKEN_FILE", "/dev/null"}, want: helpers.BadMaterial},
		{name: "an empty token file", env: []string{"AWS_WEB_IDENTITY_TOKEN_FILE", "/dev/null", "AWS_ROLE_ARN", roleARN + "x"}, want: helpers.BadMaterial},
		{name: "an endless token file", env: []string{"AWS_WEB_IDENTITY_TOKEN_FILE", "/dev/zero", "AWS_ROLE_ARN", roleARN + "x"}, want: helpers.BadMaterial},
		{name: "a role that is none", env: []string{"AWS_WEB_IDENTITY_TOKEN_FILE", "/dev/null", "AWS_ROLE_ARN", "x"}, want: helpers.BadMaterial},
		{name: "no such profile", env: []string{"AWS_PROFILE", "none"}, want: helpers.BadMaterial},
		{name: "a folder of profiles", env: []string{"AWS_CONFIG_FILE", "/"}, want: helpers.BadMaterial},
		{name: "half a pair in a profile", config: "aws_access_key_id = x", want: helpers.BadMaterial},
		{name: "no such source", config: "role_arn = " + roleARN + "x\nsource_profile = none", want: helpers.BadMaterial},
		{name: "a circle", config: "role_arn = " + roleARN + "x\nsource_profile = b\n[profile b]\nrole_arn = " + roleARN + "y\nsource_profile = default", want: helpers.BadMaterial},
		{name: "two sources", config: "role_arn = " + roleARN + "x\nsource_profile = b\ncredential_source = Environment", want: helpers.BadMaterial},
		{name: "no source", config: "role_arn = " + roleARN + "x", want: helpers.BadMaterial},
		{name: "an empty source", config: "role_arn = " + roleARN + "x\nsource_profile = b\n[profile b]\nregion = x", want: helpers.BadMaterial},
		{name: "an unknown source", config: "role_arn = " + roleARN + "x\ncredential_source = Elsewhere", want: helpers.BadMaterial},
		{name: "a source that is not there", config: "role_arn = " + roleARN + "x\ncredential_source = Environment", want: helpers.BadMaterial},
		{name: "an instance that is switched off", config: "role_arn = " + roleARN + "x\ncredential_source = Ec2InstanceMetadata", want: helpers.BadMaterial},
		{name: "a source without a role", config: "source_profile = b", want: helpers.BadMaterial},
		{name: "a user as role", config: "role_arn = arn:aws:iam::123456789012:user/x\naws_access_key_id = x\naws_secret_access_key = x", want: helpers.BadMaterial},
		{name: "a code", config: "role_arn = " + roleARN + "x\nsource_profile = b\nmfa_serial = y", want: helpers.LoginRequired},
		{name: "SSO without the aws command", config: "sso_session = x", env: []string{"PATH", "/none:relative"}, want: helpers.BadMaterial},
		{name: "half of SSO", config: "sso_start_url = https://example.com/start", env: []string{"PATH", "/none"}, want: helpers.BadMaterial},
		{name: "the other half of SSO", config: "sso_role_name = x", env: []string{"PATH", "/none"}, want: helpers.BadMaterial},
		{name: "a container elsewhere", env: []string{"AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://example.com/"}, want: helpers.BadMaterial},
		{name: "an instance that is no URL", env: []string{"AWS_CONTAINER_CREDENTIALS_FULL_URI", "", "AWS_EC2_METADATA_DISABLED", "", "AWS_EC2_METADATA_SERVICE_ENDPOINT", "169.254.169.254"}, want: helpers.BadMaterial},
		{name: "an odd mode", env: []string{"AWS_CONTAINER_CREDENTIALS_FULL_URI", "", "AWS_EC2_METADATA_DISABLED", "", "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "IPv5"}, want: helpers.BadMaterial},
		{name: "an endpoint that is no URL", env: []string{"AWS_ENDPOINT_URL", "x"}, want: helpers.BadMaterial},
		{name: "an endpoint in the clear", env: []string{"AWS_ENDPOINT_URL_ECR", "http://api.example.com"}, want: helpers.BadMaterial},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.cloud.InstanceRole = "node"
			w.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", w.near()+aws.ContainerPath)
			w.write(".aws/config", "[default]\n"+test.config+"\n")
			w.set(test.env...)
			var heard log
			a := w.ambient(nil)
			_, err := a.Key(heard.context(t.Context()), registry(t, plainHost))
			wants(t, err, test.want)
			_, err = a.Token(heard.context(t.Context()), registry(t, plainHost))
			wants(t, err, test.want)
			if calls := w.cloud.Gate.Total() + len(w.called()); calls != 0 || len(heard.taken) != 0 {
				t.Errorf("%d calls, took %q", calls, heard.taken)
			}
		})
	}
}
