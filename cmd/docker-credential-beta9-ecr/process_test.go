package main_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest/aws"
	"github.com/beam-cloud/docker-credential-beta9/internal/needs"
)

func TestStampedeMakesOneCall(t *testing.T) {
	const processes, rounds = 64, 20
	w := newWorld(t)
	k := w.cloud.User("me")
	for round := range rounds {
		w.env["BETA9_CREDENTIAL_HOME"] = filepath.Join(w.home, strconv.Itoa(round))
		together(processes, func(int) {
			if got := w.get(host, keys(k)); got != k.Principal {
				t.Errorf("the token is for %s", got)
			}
		})
		w.asked(aws.ECR, round+1)
	}
}

func TestAccountsOfARegionShareOneCall(t *testing.T) {
	w := newWorld(t)
	k := w.cloud.User("me")
	together(100, func(i int) { w.get(fmt.Sprintf("%012d.dkr.ecr.us-east-1.amazonaws.com", i), keys(k)) })
	w.asked(aws.ECR, 1)
	together(10, func(i int) { w.get(fmt.Sprintf("%012d.dkr.ecr.eu-west-1.amazonaws.com", i), keys(k)) })
	w.asked(aws.ECR, 2)
}

func TestKeysOfManyLoseNoEntry(t *testing.T) {
	const users = 200
	w := newWorld(t)
	var all []aws.Keys
	for i := range users {
		all = append(all, w.cloud.User(strconv.Itoa(i)))
	}
	for range 2 { // the second time all of them are there
		together(users, func(i int) {
			if got := w.get(host, keys(all[i])); got != all[i].Principal {
				t.Errorf("user %d got the token of %s", i, got)
			}
		})
		w.asked(aws.ECR, users)
	}
}

// Each run comes with a new session of its role, as the steps of a build do.
func TestSessionsOfARoleShareOneCall(t *testing.T) {
	const runs = 1000
	w := newWorld(t)
	roles := []string{"a", "b"}
	for _, role := range roles {
		w.cloud.AddRole(role, aws.Role{Subject: "job"})
	}
	for _, role := range roles {
		want := "arn:aws:sts::" + aws.Account + ":assumed-role/" + role + "/docker-credential-beta9"
		for first := 0; first < runs; first += 20 {
			together(20, func(i int) {
				token := w.write("token"+role+strconv.Itoa(i), aws.WebIdentity("job", time.Now().Add(time.Duration(first+i+1)*time.Hour)))
				got := w.get(host, map[string]string{
					"AWS_ROLE_ARN": "arn:aws:iam::" + aws.Account + ":role/" + role, "AWS_WEB_IDENTITY_TOKEN_FILE": token,
				})
				if got != want {
					t.Errorf("role %s got the token of %s", role, got)
				}
			})
		}
	}
	w.asked(aws.ECR, len(roles))
	w.asked(aws.STS, len(roles))
}

// Each run comes with new keys of a session, by which a role is assumed.
func TestARolePinnedOverSessionKeysSharesOneCall(t *testing.T) {
	const runs = 1000
	w := newWorld(t)
	w.cloud.AddRole("puller", aws.Role{})
	w.env["BETA9_CREDENTIAL_REGISTRIES"] = w.write("registries.json",
		`{"registries":[{"host":"*.dkr.ecr.*.amazonaws.com","role":"arn:aws:iam::`+aws.Account+`:role/puller"}]}`)
	for first := 0; first < runs; first += 20 {
		together(20, func(i int) {
			if got := w.get(host, keys(w.cloud.Session("step"+strconv.Itoa(first+i)))); !strings.Contains(got, "/puller/") {
				t.Errorf("the token is for %s", got)
			}
		})
	}
	w.asked(aws.ECR, 1)
	w.asked(aws.STS, 1)
}

// A partition that is newer than the release is one in the map file: its hosts are this helper's, and its endpoint is asked.
func TestAPartitionOfTheMapFile(t *testing.T) {
	const (
		newer = "123456789012.dkr.ecr.xx-north-1.aws.example"
		api   = "api.ecr.xx-north-1.aws.example"
	)
	w := newWorld(t)
	w.proxy.Serve(api, w.cloud)
	k := w.cloud.User("me")
	if r := w.run("get", newer, keys(k)); r.code != 1 || r.stdout != notFound || len(w.proxy.Called()) != 0 {
		t.Errorf("without the map: exit %d, %q, called %q", r.code, r.stdout, w.proxy.Called())
	}
	w.env["BETA9_CREDENTIAL_REGISTRIES"] = w.write("registries.json",
		`{"partitions":[{"name":"aws-xx","regions":["xx"],"suffix":"aws.example"}]}`)
	if got := w.get(newer, keys(k)); got != k.Principal {
		t.Errorf("the token is for %s", got)
	}
	if r := w.run("get", "123456789012.dkr.ecr.us-east-1.aws.example", keys(k)); r.stdout != notFound {
		t.Errorf("a region of another partition: exit %d, %q", r.code, r.stdout)
	}
	if called := w.proxy.Called(); len(called) != 1 || called[0] != api+":443" {
		t.Errorf("called %q", called)
	}
}

// Bare session keys tell nobody whose they are: each session has a token of its own, and no other's.
func TestBareSessionsDoNotShare(t *testing.T) {
	w := newWorld(t)
	for i := range 6 {
		k := w.cloud.Session([]string{"a", "b"}[i%2])
		for range 2 {
			if got := w.get(host, keys(k)); got != k.Principal {
				t.Errorf("the token is for %s", got)
			}
		}
	}
	w.asked(aws.ECR, 6)
}

// A hit needs neither identity nor network, however the identity is configured.
func TestAHitOpensNoSocket(t *testing.T) {
	strace := needs.Tool(t, "strace")
	w := newWorld(t)
	w.cloud.InstanceRole = "node"
	w.cloud.AddRole("a", aws.Role{Subject: "job"})
	near := httptest.NewServer(w.cloud)
	t.Cleanup(near.Close)
	for name, env := range map[string]map[string]string{
		"keys": keys(w.cloud.User("me")),
		"web identity": {
			"AWS_ROLE_ARN":                "arn:aws:iam::" + aws.Account + ":role/a",
			"AWS_WEB_IDENTITY_TOKEN_FILE": w.write("token", aws.WebIdentity("job", time.Now().Add(time.Hour))),
		},
		"container": {"AWS_CONTAINER_CREDENTIALS_FULL_URI": near.URL + aws.ContainerPath},
		"instance":  {"AWS_EC2_METADATA_DISABLED": "", "AWS_EC2_METADATA_SERVICE_ENDPOINT": near.URL},
	} {
		t.Run(name, func(t *testing.T) {
			calls := filepath.Join(w.home, "calls")
			by := []string{strace, "-f", "-e", "trace=socket,connect", "-o", calls}
			sockets := func() int {
				if r := w.wrapped(by, "get", host, env); r.code != 0 {
					t.Fatalf("exit %d, %q, %s", r.code, r.stdout, r.stderr)
				}
				data, err := os.ReadFile(calls)
				if err != nil {
					t.Fatal(err)
				}
				return strings.Count(string(data), "socket(")
			}
			if n := sockets(); n == 0 {
				t.Error("a miss opened no socket, so that nothing is shown here")
			}
			services := []string{aws.ECR, aws.STS, aws.Instance, aws.Container}
			for _, service := range services {
				w.cloud.Gate.Order(service, cloudtest.Hang())
			}
			if n := sockets(); n != 0 {
				t.Errorf("a hit opened %d sockets", n)
			}
			for _, service := range services {
				w.cloud.Gate.Order(service, nil)
			}
		})
	}
}

func TestLogoutMakesAFreshToken(t *testing.T) {
	w := newWorld(t)
	k := keys(w.cloud.User("me"))
	w.get(host, k)
	w.get(host, k)
	w.asked(aws.ECR, 1)
	for range 4 { // as docker logout does
		if r := w.run("erase", "https://"+host, k); r.code != 0 {
			t.Errorf("exit %d, %q", r.code, r.stdout)
		}
	}
	w.get(host, k)
	w.asked(aws.ECR, 2)
}

// docker login stores what it has logged in with, whatever that is.
func TestStoreNeverFails(t *testing.T) {
	w := newWorld(t)
	k := w.cloud.User("me")
	other := keys(w.cloud.User("other"))
	store := func(username, secret string) {
		t.Helper()
		in, err := json.Marshal(map[string]string{"ServerURL": "https://" + host, "Username": username, "Secret": secret})
		if err != nil {
			t.Fatal(err)
		}
		if r := w.run("store", string(in), other); r.code != 0 || r.stdout != "" {
			t.Errorf("%s: exit %d, %q, %s", username, r.code, r.stdout, r.stderr)
		}
	}
	store("somebody", "not-a-secret")
	store("AWS", "not-a-secret")
	store("ASIAIOSFODNN7EXAMPLE", "not-a-secret")
	if got := w.get(host, other); !strings.HasSuffix(got, "/other") {
		t.Errorf("what was dropped is used: the token is for %s", got)
	}
	store(k.ID, k.Secret)
	if got := w.get(host, other); got != k.Principal {
		t.Errorf("the login is not used: the token is for %s", got)
	}
	token := w.run("get", host, other).secret
	store("AWS", token)
	before := w.cloud.Gate.Count(aws.ECR)
	if r := w.run("get", host, other); r.secret != token {
		t.Errorf("the token that was stored is not used: %q", r.stdout)
	}
	w.asked(aws.ECR, before)
}

// A tenant's material is used as it is, with nothing of the machine's.
func TestATenantsMaterial(t *testing.T) {
	w := newWorld(t)
	tenant := w.cloud.User("tenant")
	blob := fmt.Sprintf(`{"version":1,"registry":%q,"type":"aws","credentials":{"AWS_ACCESS_KEY_ID":%q,"AWS_SECRET_ACCESS_KEY":%q}}`,
		host, tenant.ID, tenant.Secret)
	env := keys(w.cloud.User("owner"))
	maps.Copy(env, map[string]string{
		"BETA9_CREDENTIAL_FILE": w.write("material", blob), "AWS_ENDPOINT_URL": "https://elsewhere.example.com", "AWS_PROFILE": "none",
	})
	if got := w.get(host, env); got != tenant.Principal {
		t.Errorf("the token is for %s", got)
	}
	r := w.run("get", "000000000000.dkr.ecr.us-east-1.amazonaws.com", env)
	if r.code != 1 || !strings.HasPrefix(r.stdout, "wrong_host:") && r.stdout != notFound {
		t.Errorf("another registry: exit %d, %q", r.code, r.stdout)
	}
	w.asked(aws.ECR, 1)
	for _, called := range w.proxy.Called() {
		if called != "api.ecr.us-east-1.amazonaws.com:443" {
			t.Errorf("called %s", called)
		}
	}
}

func TestWithoutTheMachinesIdentity(t *testing.T) {
	w := newWorld(t)
	k := w.cloud.User("me")
	w.write(".aws/credentials", "[default]\naws_access_key_id = "+k.ID+"\naws_secret_access_key = "+k.Secret+"\n")
	w.get(host)
	off := map[string]string{"BETA9_CREDENTIAL_AMBIENT": "off"}
	if r := w.run("get", host, off); r.code != 1 || r.stdout != notFound {
		t.Errorf("exit %d, %q", r.code, r.stdout)
	}
	w.asked(aws.ECR, 1)
	w.get(host, off, keys(w.cloud.User("given")))
	w.asked(aws.ECR, 2)
}

// Whatever fails, the line and what is said besides show no secret, in no spelling, and the call ends in time.
func TestFailuresTellNoSecret(t *testing.T) {
	const canary = "not-a-secret-canary-0123456789"
	w := newWorld(t)
	k := w.cloud.User("me")
	k.Secret, k.Session = canary+"secret", canary+"session"
	env := keys(k)
	env["BETA9_CREDENTIAL_DEBUG"] = "1"
	for name, test := range map[string]struct {
		fault cloudtest.Fault
		env   map[string]string
		want  string
	}{
		"unknown keys": {nil, nil, "bad_material:"},
		"denied":       {aws.Refuse("AccessDeniedException", canary), nil, "access_denied:"},
		"throttled":    {aws.Refuse("ThrottlingException", canary), nil, "throttled:"},
		"expired":      {aws.Refuse("ExpiredTokenException", canary), nil, "expired_identity:"},
		"out of order": {cloudtest.Status(500, canary), nil, "unavailable:"},
		"garbage":      {cloudtest.Garbage(canary), nil, "bad_answer:"},
		"2 GiB":        {cloudtest.Bomb(nil), nil, "bad_answer:"},
		"redirect":     {cloudtest.Redirect("https://" + canary + ".example.com"), nil, "bad_answer:"},
		"hangs":        {cloudtest.Hang(), map[string]string{"BETA9_CREDENTIAL_TIMEOUT": "1s"}, "timeout:"},
		"drips":        {cloudtest.Drip(), map[string]string{"BETA9_CREDENTIAL_TIMEOUT": "1s"}, "timeout:"},
		"no proxy":     {nil, map[string]string{"HTTPS_PROXY": "http://user:" + canary + "@" + nobody(t)}, "unreachable:"},
		"an odd proxy": {nil, map[string]string{"HTTPS_PROXY": "http://" + canary + ":x"}, "bad_material:"},
	} {
		t.Run(name, func(t *testing.T) {
			w.cloud.Gate.Order(aws.ECR, test.fault)
			r := w.run("get", host, env, test.env)
			if r.code != 1 || !strings.HasPrefix(r.stdout, test.want) || strings.Contains(r.stdout, "\n") {
				t.Errorf("exit %d, %q", r.code, r.stdout)
			}
			said := strings.ToLower(r.stdout + r.stderr)
			for _, spelled := range []string{
				canary, base64.StdEncoding.EncodeToString([]byte(canary))[:32], hex.EncodeToString([]byte(canary)), url.QueryEscape(canary),
			} {
				if strings.Contains(said, strings.ToLower(spelled)) {
					t.Errorf("%q is said in %q", spelled, said)
				}
			}
		})
	}
}

// nobody returns an address at which nobody listens.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
