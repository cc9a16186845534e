package ecr

import (
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest/aws"
)

// key returns the key of the machine's token for a registry.
func (w *world) key(m *helpers.Map, host string) helpers.Key {
	w.t.Helper()
	key, err := w.ambient(m).Key(w.t.Context(), registry(w.t, host))
	wants(w.t, err, "")
	return key
}

// A thousand runs, each with a new session of the same role: where the source tells the role they have one key, and
// another role of the same account has another.
func TestSessionsOfOneRoleShare(t *testing.T) {
	t.Parallel()
	const runs = 1000
	expires := func(i int) time.Time { return time.Unix(int64(2_000_000_000+i), 0) }
	tests := []struct {
		name string
		// run sets up the machine for a role, in a session that is new with i.
		run    func(w *world, role string, i int)
		m      string
		shares bool
	}{
		{
			name: "web identity, with a token file that is renewed", shares: true,
			run: func(w *world, role string, i int) {
				w.set("AWS_ROLE_ARN", roleARN+role, "AWS_WEB_IDENTITY_TOKEN_FILE", w.write("token", aws.WebIdentity("pod", expires(i))))
			},
		},
		{
			name: "web identity, with a new token file each time", shares: true,
			run: func(w *world, role string, i int) {
				w.set("AWS_ROLE_ARN", roleARN+role,
					"AWS_WEB_IDENTITY_TOKEN_FILE", w.write("token"+strconv.Itoa(i%10), aws.WebIdentity("job", expires(i))))
			},
		},
		{
			name: "a role pinned in the map file, over session keys", shares: true,
			m:   `{"registries":[{"host":"` + plainHost + `","role":"` + roleARN + `%s"}]}`,
			run: func(w *world, _ string, _ int) { w.setKeys(w.cloud.Session("ci")) },
		},
		{
			name: "a profile's role, over session keys", shares: true,
			run: func(w *world, role string, _ int) {
				w.setKeys(w.cloud.Session("ci"))
				w.set("AWS_PROFILE", "p", accessKeyID, "", secretAccessKey, "", sessionToken, "")
				k := w.cloud.Session("ci")
				w.write(".aws/config", "[profile p]\nrole_arn = "+roleARN+role+"\nsource_profile = q\n[profile q]\naws_access_key_id = "+k.ID+
					"\naws_secret_access_key = "+k.Secret+"\naws_session_token = "+k.Session+"\n")
			},
		},
		{
			name: "a program that prints a new session each time", shares: true,
			run: func(w *world, role string, i int) {
				w.set("ROLE", role, "UNRELATED", strconv.Itoa(i))
				w.write(".aws/config", "[default]\ncredential_process = assume --role \"$ROLE\"\n")
			},
		},
		{
			name: "SSO", shares: true,
			run: func(w *world, role string, i int) {
				w.write("bin/aws", "#!/bin/sh\n")
				w.set("PATH", w.home+"/bin")
				w.write(".aws/config", "[default]\nsso_session = x\nsso_role_name = "+role+"\n; "+strconv.Itoa(i)+"\n")
			},
		},
		{
			name: "a container of EKS, with a token that is renewed", shares: true,
			run: func(w *world, role string, i int) {
				w.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials",
					"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", w.write("token", aws.WebIdentity("system:serviceaccount:ns:"+role, expires(i))))
			},
		},
		{
			name: "a container of ECS", shares: true,
			run: func(w *world, role string, _ int) {
				w.set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/"+role)
			},
		},
		{
			name: "session keys of the environment, which do not tell their role", shares: false,
			run: func(w *world, role string, _ int) { w.setKeys(w.cloud.Session(role)) },
		},
		{
			name: "session keys of a profile, which do not tell their role", shares: false,
			run: func(w *world, role string, _ int) {
				k := w.cloud.Session(role)
				w.write(".aws/config", "[default]\naws_access_key_id = "+k.ID+"\naws_secret_access_key = "+k.Secret+"\naws_session_token = "+k.Session+"\n")
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			seen := map[string]string{} // role by key
			for _, role := range []string{"a", "b"} {
				var m *helpers.Map
				if test.m != "" {
					m = parseMap(t, fmt.Sprintf(test.m, role))
				}
				for i := range runs {
					test.run(w, role, i)
					key := w.key(m, plainHost).Token
					if other, ok := seen[key]; ok && other != role {
						t.Fatalf("run %d of role %s shares with role %s", i, role, other)
					}
					seen[key] = role
				}
			}
			want := 2
			if !test.shares {
				want = 2 * runs
			}
			if len(seen) != want {
				t.Errorf("%d keys, not %d", len(seen), want)
			}
			if len(w.called()) != 0 {
				t.Errorf("called %q", w.called())
			}
		})
	}
}

// What makes another token makes another key.
func TestWhatDoesNotShare(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	base := func(w *world) {
		k := aws.New().User("me") // the same keys each time
		w.set("AWS_PROFILE", "p")
		w.write(".aws/config", "[profile p]\nrole_arn = "+roleARN+"a\nsource_profile = q\n[profile q]\naws_access_key_id = "+k.ID+
			"\naws_secret_access_key = "+k.Secret+"\n[profile other]\ncredential_process = x\n[profile same]\ncredential_process = x\n")
	}
	base(w)
	seen := map[string]string{w.key(nil, plainHost).Token: "a profile's role"}
	for _, test := range []struct {
		name, host string
		env        []string
	}{
		{name: "another region", host: "123456789012.dkr.ecr.eu-west-1.amazonaws.com"},
		{name: "FIPS", host: "123456789012.dkr.ecr-fips.us-east-1.amazonaws.com"},
		{name: "dual-stack", host: "123456789012.dkr-ecr.us-east-1.on.aws"},
		{name: "public", host: "public.ecr.aws"},
		{name: "another endpoint", env: []string{"AWS_ENDPOINT_URL_ECR", "https://vpce.example.com"}},
		{name: "another profile", env: []string{"AWS_PROFILE", "q"}},
		{name: "a program", env: []string{"AWS_PROFILE", "other"}},
		{name: "the same program for another profile", env: []string{"AWS_PROFILE", "same"}},
		{name: "keys of the environment", env: []string{accessKeyID, "AKIAIOSFODNN7EXAMPLE", secretAccessKey, "x"}},
		{name: "the same id with another secret", env: []string{accessKeyID, "AKIAIOSFODNN7EXAMPLE", secretAccessKey, "y"}},
	} {
		w := newWorld(t)
		base(w)
		w.set(test.env...)
		if test.host == "" {
			test.host = plainHost
		}
		key := w.key(nil, test.host).Token
		if other, ok := seen[key]; ok {
			t.Errorf("%s shares with %s", test.name, other)
		}
		seen[key] = test.name
	}
	if w.key(nil, "000000000000.dkr.ecr.us-east-1.amazonaws.com") != w.key(nil, plainHost) {
		t.Error("two accounts of one region do not share")
	}
}

// The origin changes with everything that may make another outcome, and only with that.
func TestTheOriginIsTheConfiguration(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.set("AWS_EC2_METADATA_DISABLED", "", "AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1")
	first := w.key(nil, plainHost)
	w.set("UNRELATED", "x")
	if w.key(nil, plainHost) != first {
		t.Error("a variable that is not looked at changes the key")
	}
	for _, change := range []func(){
		func() { w.set("AWS_PROFILE", "default") },
		func() { w.write(".aws/config", "[default]\nregion = x\n") },
		func() { w.write(".aws/config", "[default]\nregion = y\n") },
		func() { w.write(".aws/credentials", "[x]\n") },
		func() { w.set("HTTPS_PROXY", "http://proxy.example.com") },
	} {
		change()
		next := w.key(nil, plainHost)
		if next.Origin == first.Origin || next.Token != first.Token {
			t.Error("a change of the configuration is not told, or changes whom the token is for")
		}
		first = next
	}
}

// The instance's role is that of one boot of one instance: an image of its disk belongs to others.
func TestAnInstanceIsTheOneThatBooted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.set("AWS_EC2_METADATA_DISABLED", "")
	w.write("sys/class/dmi/id/sys_vendor", "Amazon EC2\n")
	w.write("proc/sys/kernel/random/boot_id", "one\n")
	one := w.key(nil, plainHost)
	if again := w.key(nil, plainHost); again != one {
		t.Error("the same boot does not share")
	}
	w.write("proc/sys/kernel/random/boot_id", "two\n")
	if two := w.key(nil, plainHost); two.Token == one.Token {
		t.Error("two boots share")
	}
}

func TestAccountOf(t *testing.T) {
	t.Parallel()
	cloud := aws.New()
	for id, want := range map[string]string{
		cloud.User("me").ID: aws.Account, cloud.Session("me").ID: aws.Account,
		"ASIAY34FZKBOKMUTVV7A": "609629065308", // a published example
		"":                     "", "AKIA": "", "AKIAIOSFODNN7EXAMPL!": "", "AKIAIOSFODNN7EXAMPLEEXAMPLE": "",
	} {
		if got := accountOf(id); got != want {
			t.Errorf("%q is of account %q, not %q", id, got, want)
		}
	}
}

// One value for many callers at once, as a test of the race detector.
func TestManyCallers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.cloud.User("me")
	w.setKeys(k)
	a := w.ambient(nil)
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			host := fmt.Sprintf("%012d.dkr.ecr.us-east-1.amazonaws.com", i%4)
			if _, err := a.Key(t.Context(), registry(t, host)); err != nil {
				t.Error(err)
			}
			if c, err := a.Token(t.Context(), registry(t, host)); err != nil || w.principal(c) != k.Principal {
				t.Errorf("%s: %v", host, err)
			}
		})
	}
	group.Wait()
}
