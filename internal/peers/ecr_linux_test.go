package peers_test

import (
	"fmt"
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

// none is what is seen of a helper that takes a host for nobody's and calls nobody.
const none = `^none $`

// regionOf finds what may be a region in what may be a host of ECR, and the domain behind it.
var regionOf = regexp.MustCompile(`dkr.ecr(?:-fips)?\.([a-z0-9-]+)\.(?:on\.)?(.+)$`)

// hostDifferences are the kinds of hosts that the two do not agree about, what ours makes of them, and why. The first that
// matches counts.
var hostDifferences = []struct {
	hosts string
	ours  string
	why   string
}{
	{`:\d+$`, none, "ours is right: what answers on another port of the host is not Amazon's"},
	{`-fips\.`, `^user/me (api\.ecr-fips|ecr-fips)\.[a-z0-9-]+\.(amazonaws\.com|api\.aws)$`, "ours is right: the peer asks an endpoint that is not validated, for a registry that is used by its FIPS name " +
		"because it has to be; it switches endpoint discovery on, which ECR does not have"},
	{`^\d{12}\.dkr-ecr\..*\.on\.amazonwebservices\.eu$`, `^user/me ecr\.[a-z0-9-]+\.api\.amazonwebservices\.eu$`, "ours takes the name that follows from the partition's domain, " +
		"which is not verified against a live service; the peer has no pattern for it"},
	{`^\d{12}\.dkr-ecr\.(us-east-1\.on\.aws|cn-north-1\.on\.amazonwebservices\.com\.cn)$`, `^user/me ecr\.[a-z0-9-]+\.api\.(aws|amazonwebservices\.com\.cn)$`, "ours is right: who uses the dual-stack " +
		"name may have no other protocol than IPv6, by which the endpoint that the peer asks is not reached"},
	{`^ecr-public\.aws\.com$`, `^user/me ecr-public\.us-east-1\.api\.aws$`, "ours is right, as for every dual-stack name"},
	{`^\d{12}\.dkr\.ecr\.[a-z-]+-\d\.(amazonaws\.(com|com\.cn|eu)|c2s\.ic\.gov)$|^\d{12}\.dkr-ecr\.cn-north-1\.on\.aws$`, none, "ours is right: there is no such region " +
		"in the partition whose domain this is, so that the host is nobody's registry, and a token is not to be sent there"},
	{`^\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com$`, none, "ours is right: no region has such a name, and it becomes part of " +
		"the name of the host that a signed request is sent to"},
	{`^\d{12}\.dkr-ecr\.us-east-1\.amazonaws\.com$|^\d{12}\.dkr\.ecr\.us-east-1\.on\.aws$`, none, "ours is right: the two forms of " +
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
					if !regexp.MustCompile(d.ours).MatchString(mine) {
						t.Errorf("ours: %s, not %s", mine, d.ours)
					}
					t.Logf("ours: %s; theirs: %s; %s", mine, theirs, d.why)
					return
				}
			}
			t.Errorf("ours: %s; theirs: %s; and nobody has said why", mine, theirs)
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
