package peers_test

import (
	"fmt"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest/aws"
	"github.com/beam-cloud/docker-credential-beta9/internal/peers"
)

const ecrHost = "123456789012.dkr.ecr.us-east-1.amazonaws.com"

// An account is a cloud with one of the helpers before it.
type account struct {
	*side
	cloud *aws.Cloud
}

func newAccount(t *testing.T, program string) *account {
	t.Helper()
	a := &account{newSide(t, program), aws.New()}
	a.cloud.Behind(a.proxy, "us-east-1", "eu-west-1")
	a.set("AWS_EC2_METADATA_DISABLED", "true")
	return a
}

func (a *account) setKeys(k aws.Keys) {
	a.set("AWS_ACCESS_KEY_ID", k.ID, "AWS_SECRET_ACCESS_KEY", k.Secret)
	if k.Session != "" {
		a.set("AWS_SESSION_TOKEN", k.Session)
	}
}

// get returns whom the token is for, or the outcome.
func (a *account) get(host string) string {
	a.t.Helper()
	outcome := a.run("get", host)
	if token, ok := a.cloud.Issued(outcome); ok {
		return token.Principal[strings.LastIndexByte(token.Principal, ':')+1:]
	}
	return outcome
}

func bothECR(t *testing.T) (mine, theirs *account) {
	t.Helper()
	return newAccount(t, ours(t, "ecr")), newAccount(t, peers.Program(t, peers.ECR))
}

// regionOf finds what may be a region in what may be a host of ECR, and the domain behind it.
var regionOf = regexp.MustCompile(`dkr.ecr(?:-fips)?\.([a-z0-9-]+)\.(?:on\.)?(.+)$`)

// hostDifferences are the kinds of hosts that the two do not agree about. The first that matches counts.
var hostDifferences = []struct {
	hosts string
	why   string
}{
	{`:\d+$`, "ours is right: what answers on another port of the host is not Amazon's"},
	{`-fips\.`, "ours is right: the peer asks an endpoint that is not validated, for a registry that is used by its FIPS name " +
		"because it has to be; it switches endpoint discovery on, which ECR does not have"},
	{`^\d{12}\.dkr-ecr\..*\.on\.amazonwebservices\.eu$`, "ours takes the name that follows from the partition's domain, " +
		"which is not verified against a live service; the peer has no pattern for it"},
	{`^\d{12}\.dkr-ecr\.(us-east-1\.on\.aws|cn-north-1\.on\.amazonwebservices\.com\.cn)$`, "ours is right: who uses the dual-stack " +
		"name may have no other protocol than IPv6, by which the endpoint that the peer asks is not reached"},
	{`^ecr-public\.aws\.com$`, "ours is right, as for every dual-stack name"},
	{`^\d{12}\.dkr\.ecr\.[a-z-]+-\d\.(amazonaws\.(com|com\.cn|eu)|c2s\.ic\.gov)$|^\d{12}\.dkr-ecr\.cn-north-1\.on\.aws$`, "ours is right: there is no such region " +
		"in the partition whose domain this is, so that the host is nobody's registry, and a token is not to be sent there"},
	{`^\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com$`, "ours is right: no region has such a name, and it becomes part of " +
		"the name of the host that a signed request is sent to"},
	{`^\d{12}\.dkr-ecr\.us-east-1\.amazonaws\.com$|^\d{12}\.dkr\.ecr\.us-east-1\.on\.aws$`, "ours is right: the two forms of " +
		"the name do not mix, and nobody answers by this one"},
}

// Every host of the tables, by both: whether it is taken for ECR, and which endpoint is asked.
func TestECRHosts(t *testing.T) {
	t.Parallel()
	peers.Program(t, peers.ECR) // before the others wait for it
	for _, host := range append(hosts(t, "ecr.txt"), hosts(t, "types.txt")...) {
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			seen := func(a *account) string {
				if m := regionOf.FindStringSubmatch(host); m != nil {
					for _, form := range []string{"api.ecr%s.%s.%s", "ecr%s.%s.api.%s"} {
						for _, fips := range []string{"", "-fips"} {
							a.proxy.Serve(fmt.Sprintf(form, fips, m[1], m[2]), a.cloud)
						}
					}
				}
				a.setKeys(a.cloud.User("me"))
				outcome := a.get(host)
				return outcome + " " + strings.Join(a.called(), ",")
			}
			a, b := bothECR(t)
			mine, theirs := seen(a), seen(b)
			if mine == theirs {
				return
			}
			for _, d := range hostDifferences {
				if regexp.MustCompile(d.hosts).MatchString(host) {
					t.Logf("ours: %s; theirs: %s; %s", mine, theirs, d.why)
					return
				}
			}
			t.Errorf("ours: %s; theirs: %s; and nobody has said why", mine, theirs)
		})
	}
}

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
			}, difference{"failed: bad_material ", "none ", "both take SSO; ours needs the aws command for it, and says so; the peer says nothing"},
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

// How often the two call the services for the same work.
func TestECRCalls(t *testing.T) {
	t.Parallel()
	get := func(host string) func(*account, int) {
		return func(a *account, _ int) {
			if outcome := a.get(host); !strings.HasPrefix(outcome, "user/") && !strings.HasPrefix(outcome, "assumed-role/") {
				a.t.Errorf("got %s", outcome)
			}
		}
	}
	keys := func(a *account) { a.setKeys(a.cloud.User("me")) }
	tests := []struct {
		name     string
		given    func(*account)
		runs     int
		together bool
		run      func(*account, int)
		difference
	}{
		{name: "again", given: keys, runs: 5, run: get(ecrHost), difference: difference{ours: "1 of ecr, 0 of sts"}},
		{
			name: "ten accounts", given: keys, runs: 10,
			run: func(a *account, i int) { get(fmt.Sprintf("%012d.dkr.ecr.us-east-1.amazonaws.com", i))(a, i) },
			difference: difference{"1 of ecr, 0 of sts", "10 of ecr, 0 of sts",
				"ours is right: a token is for every registry of the region that its principal may reach"},
		},
		{
			name: "a role", runs: 5, run: get(ecrHost),
			given: func(a *account) {
				k := a.cloud.User("me")
				a.write(".aws/config", "[default]\nrole_arn = "+a.cloud.AddRole("r", aws.Role{})+"\nsource_profile = q\n[profile q]\naws_access_key_id = "+
					k.ID+"\naws_secret_access_key = "+k.Secret+"\n")
			},
			difference: difference{"1 of ecr, 1 of sts", "5 of ecr, 5 of sts", "ours is right: what tells identities apart is where they " +
				"come from; the peer goes by the access key id, for which it has to assume the role first, and which is a new one each time"},
		},
		{
			name: "twenty at once", given: keys, runs: 20, together: true, run: get(ecrHost),
			difference: difference{"1 of ecr, 0 of sts", "20 of ecr, 0 of sts", "ours is right: one asks, and the others wait for what it gets"},
		},
		{
			name: "public", given: keys, runs: 5, run: get("public.ecr.aws"), difference: difference{ours: "1 of ecr-public, 0 of sts"},
		},
	}
	peers.Program(t, peers.ECR)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			seen := func(a *account) string {
				test.given(a)
				// A service that answers at once hides who does not wait.
				a.cloud.Gate.Order(aws.ECR, cloudtest.Delay(300*time.Millisecond))
				var group sync.WaitGroup
				for i := range test.runs {
					group.Go(func() { test.run(a, i) })
					if !test.together {
						group.Wait()
					}
				}
				group.Wait()
				service := aws.ECR
				if a.cloud.Gate.Count(aws.ECRPublic) > 0 {
					service = aws.ECRPublic
				}
				return fmt.Sprintf("%d of %s, %d of sts", a.cloud.Gate.Count(service), service, a.cloud.Gate.Count(aws.STS))
			}
			mine, theirs := bothECR(t)
			test.check(t, seen(mine), seen(theirs))
		})
	}
}

// The verbs that have little to do for a type whose credentials are computed.
func TestECRVerbs(t *testing.T) {
	t.Parallel()
	login := `{"ServerURL":"https://` + ecrHost + `","Username":"AWS","Secret":"not-a-secret"}`
	tests := []struct {
		verb, stdin string
		difference
	}{
		{"store", login, difference{"ok", "failed", "ours is right: docker login stores what it has logged in with, and fails when that fails"}},
		{"erase", ecrHost, difference{"ok", "failed", "ours is right: docker logout erases, and says that it failed; skopeo dies of it"}},
		{"list", "unused", difference{ours: "ok"}},
		{"get", "", difference{ours: "failed", theirs: "failed"}},
		{"get", "example.com", difference{ours: "none"}},
	}
	for _, test := range tests {
		t.Run(test.verb+" "+test.stdin, func(t *testing.T) {
			t.Parallel()
			mine, theirs := bothECR(t)
			test.check(t, mine.run(test.verb, test.stdin), theirs.run(test.verb, test.stdin))
			if called := mine.called(); len(called) != 0 {
				t.Errorf("ours called %q", called)
			}
		})
	}
}

// A service that does not answer: ours ends by its deadline, and the peer goes on, for it has none.
func TestECRThatHangs(t *testing.T) {
	t.Parallel()
	mine, theirs := bothECR(t)
	for _, a := range []*account{mine, theirs} {
		a.setKeys(a.cloud.User("me"))
		a.cloud.Gate.Order(aws.ECR, cloudtest.Hang())
	}
	mine.set("BETA9_CREDENTIAL_TIMEOUT", "2s")
	peer := theirs.command("get", ecrHost)
	if err := peer.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- peer.Wait() }()
	if outcome := mine.get(ecrHost); outcome != "failed: timeout" {
		t.Errorf("ours: %s", outcome)
	}
	select {
	case err := <-ended:
		t.Errorf("theirs has ended: %v", err)
	default:
		if err := peer.Process.Kill(); err != nil {
			t.Error(err)
		}
		<-ended
	}
}
