package peers_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest/google"
	"github.com/beam-cloud/docker-credential-beta9/internal/peers"
)

const (
	gcrHost = "us-docker.pkg.dev"
	person  = "person@example.com"
	robot   = "puller@project.iam.gserviceaccount.com"
	oauth2  = " oauth2.googleapis.com"
)

// A project is Google's services with one of the helpers before them.
type project struct {
	*side
	cloud *google.Server
}

func newProject(t *testing.T, program string) *project {
	t.Helper()
	p := &project{newSide(t, program), google.New(t)}
	p.cloud.Join(p.proxy)
	// Without a word about it the peer looks for a metadata server on the network.
	p.set("GCE_METADATA_HOST", nobody(t))
	return p
}

// get returns whom the token is for, or the outcome.
func (p *project) get(host string) string {
	p.t.Helper()
	outcome := p.run("get", host)
	if who, ok := p.cloud.Principal(outcome); ok {
		return who
	}
	if strings.Count(outcome, ".") == 2 && strings.HasPrefix(outcome, "eyJ") {
		return "an assertion"
	}
	return outcome
}

// login makes the machine's owner log in as a person.
func (p *project) login() {
	p.write(".config/gcloud/application_default_credentials.json", p.cloud.User(p.t, person))
}

func (p *project) metadata() {
	near := httptest.NewServer(p.cloud.Handlers()[google.Metadata])
	p.t.Cleanup(near.Close)
	p.set("GCE_METADATA_HOST", strings.TrimPrefix(near.URL, "http://"))
}

func bothGCR(t *testing.T) (mine, theirs *project) {
	t.Helper()
	return newProject(t, ours(t, "gcr")), newProject(t, peers.Program(t, peers.GCR))
}

func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Every host of the table: the peer gives Google's token for any of them.
func TestGCRHosts(t *testing.T) {
	t.Parallel()
	peers.Program(t, peers.GCR)
	for _, host := range append(hosts(t, "types.txt"), "gcr.io.example.com", "example.com/gcr.io/x", "user@gcr.io", "localhost:5000") {
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			mine, theirs := bothGCR(t)
			mine.login()
			theirs.login()
			want := difference{"none", person, "ours is right: the token is worth all that the person may do in Google's cloud, and would " +
				"be sent to whoever runs this host"}
			if r, err := helpers.ParseServerURL(host); err == nil {
				if row, ok := helpers.Lookup(r); ok && row.Name == "gcr" {
					want = difference{ours: person}
				}
			}
			want.check(t, mine.get(host), theirs.get(host))
		})
	}
}

// The same machine for both: whose identity they find on it, and what they call for it.
func TestGCRIdentities(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		given func(*project)
		difference
	}{
		{"a person's login", (*project).login, difference{ours: person + oauth2}},
		{
			"a login by the variable", func(p *project) {
				p.set("GOOGLE_APPLICATION_CREDENTIALS", p.write("key.json", p.cloud.User(p.t, person)))
			}, difference{ours: person + oauth2},
		},
		{
			"a service account", func(p *project) {
				p.set("GOOGLE_APPLICATION_CREDENTIALS", p.write("key.json", p.cloud.ServiceAccount(p.t, robot, 0)))
			}, difference{robot + oauth2, "an assertion ", "both are taken: the peer hands out an assertion that it has signed, which " +
				"nobody can revoke; ours has it exchanged, and knows thereby whether the key is still good"},
		},
		{
			"the metadata server", (*project).metadata, difference{ours: google.MachineAccount + " "},
		},
		{
			"the metadata server, with a minute left", func(p *project) {
				p.cloud.SetLifetime(time.Minute)
				p.metadata()
			}, difference{ours: google.MachineAccount + " "},
		},
		{
			"the variable goes before the login", func(p *project) {
				p.login()
				p.set("GOOGLE_APPLICATION_CREDENTIALS", p.write("key.json", p.cloud.User(p.t, "other@example.com")))
			}, difference{ours: "other@example.com" + oauth2},
		},
		{
			"the login goes before the metadata server", func(p *project) {
				p.login()
				p.metadata()
			}, difference{ours: person + oauth2},
		},
		{
			"no such file, beside a login", func(p *project) {
				p.login()
				p.set("GOOGLE_APPLICATION_CREDENTIALS", p.home+"/none")
			}, difference{"failed: bad_material ", "failed ", "both fail, and use nobody else's identity"},
		},
		{
			"a file of garbage", func(p *project) {
				p.set("GOOGLE_APPLICATION_CREDENTIALS", p.write("key.json", "garbage"))
			}, difference{"failed: bad_material ", "failed ", "both fail"},
		},
		{
			"a revoked login", func(p *project) {
				p.login()
				p.cloud.EndLogin(person, "revoked")
			}, difference{"failed: expired_identity" + oauth2, "failed" + oauth2, "both fail; ours says what to do"},
		},
		{
			"a login that wants the person again", func(p *project) {
				p.login()
				p.cloud.EndLogin(person, "invalid_rapt")
			}, difference{"failed: login_required" + oauth2, "failed" + oauth2, "both fail; ours says what to do"},
		},
		{
			"throttled once", func(p *project) {
				p.login()
				p.cloud.Order(google.OAuth2, cloudtest.Throttle(1))
			}, difference{person + oauth2, "failed" + oauth2, "ours is right: later it works, and there is time to try again"},
		},
		{
			"redirected", func(p *project) {
				p.login()
				p.proxy.Serve("other.example.com", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.FormValue("refresh_token") != "" && r.FormValue("client_secret") != "" {
						w.Header().Set("Content-Type", "application/json")
						_, _ = io.WriteString(w, `{"access_token":"of.the.thief","token_type":"Bearer","expires_in":3600}`)
					}
				}))
				p.cloud.Order(google.OAuth2, cloudtest.Redirect("https://other.example.com/token"))
			}, difference{"failed: bad_answer" + oauth2, "of.the.thief" + oauth2 + ",other.example.com",
				"ours is right: the peer takes the refresh token and the client's secret along to the second host"},
		},
	}
	peers.Program(t, peers.GCR)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			seen := func(p *project) string {
				test.given(p)
				outcome := p.get(gcrHost)
				return outcome + " " + strings.Join(p.called(), ",")
			}
			mine, theirs := bothGCR(t)
			test.check(t, seen(mine), seen(theirs))
		})
	}
}

// How often the two call the service for the same work.
func TestGCRCalls(t *testing.T) {
	t.Parallel()
	const cached = "ours is right: a token is good for an hour, and for all of Google's registries; the peer keeps none"
	tests := []struct {
		name     string
		runs     int
		together bool
		host     func(int) string
		difference
	}{
		{name: "again", runs: 5, host: func(int) string { return gcrHost }, difference: difference{"1", "5", cached}},
		{
			name: "other hosts", runs: 3, difference: difference{"1", "3", cached},
			host: func(i int) string { return []string{"gcr.io", "eu.gcr.io", "europe-west4-docker.pkg.dev"}[i] },
		},
		{name: "twenty at once", runs: 20, together: true, host: func(int) string { return gcrHost }, difference: difference{"1", "20", cached}},
	}
	peers.Program(t, peers.GCR)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			seen := func(p *project) string {
				p.login()
				p.cloud.Order(google.OAuth2, cloudtest.Delay(100*time.Millisecond))
				var group sync.WaitGroup
				for i := range test.runs {
					group.Go(func() {
						if who := p.get(test.host(i)); who != person {
							t.Errorf("got %s", who)
						}
					})
					if !test.together {
						group.Wait()
					}
				}
				group.Wait()
				return fmt.Sprint(p.cloud.Count(google.OAuth2))
			}
			mine, theirs := bothGCR(t)
			test.check(t, seen(mine), seen(theirs))
		})
	}
}

func TestGCRVerbs(t *testing.T) {
	t.Parallel()
	tests := []struct {
		verb, stdin string
		difference
	}{
		{"store", `{"ServerURL":"https://gcr.io","Username":"oauth2accesstoken","Secret":"not-a-secret"}`,
			difference{"ok", "failed", "ours is right: docker login stores what it has logged in with, and fails when that fails"}},
		{"erase", gcrHost, difference{"ok", "failed", "ours is right: docker logout erases, and says that it failed; skopeo dies of it"}},
		{"list", "unused", difference{"ok", "failed", "ours is right: regctl and docker's build call list before anything else"}},
	}
	for _, test := range tests {
		t.Run(test.verb, func(t *testing.T) {
			t.Parallel()
			mine, theirs := bothGCR(t)
			test.check(t, mine.run(test.verb, test.stdin), theirs.run(test.verb, test.stdin))
		})
	}
}

// A service that does not answer: ours ends by its deadline, and the peer goes on, for it has none.
func TestGCRThatHangs(t *testing.T) {
	t.Parallel()
	mine, theirs := bothGCR(t)
	for _, p := range []*project{mine, theirs} {
		p.login()
		p.cloud.Order(google.OAuth2, cloudtest.Hang())
	}
	mine.set("BETA9_CREDENTIAL_TIMEOUT", "2s")
	peer := theirs.command("get", gcrHost)
	if err := peer.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- peer.Wait() }()
	if outcome := mine.get(gcrHost); outcome != "failed: timeout" {
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

// What the service says goes to the peer's stdout, which clients print; whatever it says stays out of ours.
func TestGCRQuotesTheService(t *testing.T) {
	t.Parallel()
	const canary = "not-a-secret-canary"
	mine, theirs := bothGCR(t)
	for _, p := range []*project{mine, theirs} {
		p.login()
		p.cloud.Order(google.OAuth2, cloudtest.Status(400, `{"error":"invalid_grant","error_description":"`+canary+`"}`))
		cmd := p.command("get", gcrHost)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if cmd.Run() == nil {
			t.Errorf("%s succeeds", p.program)
		}
		if quotes := strings.Contains(out.String(), canary); quotes != (p == theirs) {
			t.Errorf("%s: quotes the service: %v", p.program, quotes)
		}
	}
}
