package ecr

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest/aws"
)

func TestExchangeAsksTheRegionsOwnEndpoint(t *testing.T) {
	t.Parallel()
	const account = "123456789012"
	tests := []struct{ host, api, region string }{
		{account + ".dkr.ecr.us-east-1.amazonaws.com", "api.ecr.us-east-1.amazonaws.com", "us-east-1"},
		{account + ".dkr.ecr.mx-central-1.amazonaws.com", "api.ecr.mx-central-1.amazonaws.com", "mx-central-1"},
		{account + ".dkr.ecr-fips.us-west-2.amazonaws.com", "api.ecr-fips.us-west-2.amazonaws.com", "us-west-2"},
		{account + ".dkr-ecr.eu-west-1.on.aws", "ecr.eu-west-1.api.aws", "eu-west-1"},
		{account + ".dkr-ecr-fips.us-east-2.on.aws", "ecr-fips.us-east-2.api.aws", "us-east-2"},
		{account + ".dkr.ecr.us-gov-west-1.amazonaws.com", "api.ecr.us-gov-west-1.amazonaws.com", "us-gov-west-1"},
		{account + ".dkr.ecr-fips.us-gov-east-1.amazonaws.com", "api.ecr-fips.us-gov-east-1.amazonaws.com", "us-gov-east-1"},
		{account + ".dkr.ecr.cn-north-1.amazonaws.com.cn", "api.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1"},
		{account + ".dkr-ecr.cn-northwest-1.on.amazonwebservices.com.cn", "ecr.cn-northwest-1.api.amazonwebservices.com.cn", "cn-northwest-1"},
		{account + ".dkr.ecr.eusc-de-east-1.amazonaws.eu", "api.ecr.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"},
		{account + ".dkr.ecr.us-iso-east-1.c2s.ic.gov", "api.ecr.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"},
		{account + ".dkr.ecr.us-isob-east-1.sc2s.sgov.gov", "api.ecr.us-isob-east-1.sc2s.sgov.gov", "us-isob-east-1"},
		{account + ".dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk", "api.ecr.eu-isoe-west-1.cloud.adc-e.uk", "eu-isoe-west-1"},
		{account + ".dkr.ecr.us-isof-south-1.csp.hci.ic.gov", "api.ecr.us-isof-south-1.csp.hci.ic.gov", "us-isof-south-1"},
		{"public.ecr.aws", "api.ecr-public.us-east-1.amazonaws.com", "us-east-1"},
		{"ecr-public.aws.com", "ecr-public.us-east-1.api.aws", "us-east-1"},
	}
	for _, test := range tests {
		t.Run(test.host, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.proxy.Serve(test.api, w.cloud)
			for _, keys := range []aws.Keys{w.cloud.User("puller"), w.cloud.Session("puller")} {
				c, err := Exchanger{w.machine(nil)}.Exchange(t.Context(), registry(t, test.host), material(t, test.host, keys))
				wants(t, err, "")
				if got := w.principal(c); got != keys.Principal {
					t.Errorf("the token is for %s", got)
				}
				if token, _ := w.cloud.Issued(c.Secret()); token.Region != test.region {
					t.Errorf("the token is for %s", token.Region)
				}
			}
			if got := w.called(); !slices.Equal(got, []string{test.api}) {
				t.Errorf("called %q", got)
			}
		})
	}
}

// A tenant's keys are used as they are: whatever the machine's owner has set up for himself stays out of it.
func TestExchangeIgnoresTheMachinesSettings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	elsewhere := "https://elsewhere.example.com"
	w.set("AWS_ENDPOINT_URL", elsewhere, "AWS_ENDPOINT_URL_ECR", elsewhere, "AWS_ENDPOINT_URL_STS", elsewhere,
		"AWS_PROFILE", "other", "AWS_REGION", "eu-west-1", "AWS_DEFAULT_REGION", "eu-west-1", "AWS_USE_FIPS_ENDPOINT", "true",
		"AWS_CA_BUNDLE", w.write("empty.pem", ""), "AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/other",
		"AWS_WEB_IDENTITY_TOKEN_FILE", w.write("token", "x"), "AWS_CONFIG_FILE", w.write("config", "[default]\nrole_arn = x\n"))
	w.setKeys(w.cloud.User("owner"))
	tenant := w.cloud.User("tenant")
	c, err := Exchanger{w.machine(nil)}.Exchange(t.Context(), registry(t, plainHost), material(t, plainHost, tenant))
	wants(t, err, "")
	if got := w.principal(c); got != tenant.Principal {
		t.Errorf("the token is for %s", got)
	}
	if got := w.called(); !slices.Equal(got, []string{"api.ecr.us-east-1.amazonaws.com"}) {
		t.Errorf("called %q", got)
	}
}

func TestExchangeRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	keys := w.cloud.User("puller")
	ghcr, _ := helpers.TypeNamed("ghcr")
	token, err := helpers.NewMaterial(ghcr, registry(t, "ghcr.io"), map[string]string{"GITHUB_TOKEN": canary})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		host string
		m    helpers.Material
		want helpers.Reason
	}{
		"another account":    {"999999999999.dkr.ecr.us-east-1.amazonaws.com", material(t, plainHost, keys), helpers.WrongHost},
		"another region":     {"123456789012.dkr.ecr.eu-west-1.amazonaws.com", material(t, plainHost, keys), helpers.WrongHost},
		"not ECR":            {"example.com", material(t, "example.com", keys), helpers.WrongHost},
		"a look-alike":       {plainHost + ".example.com", material(t, plainHost+".example.com", keys), helpers.WrongHost},
		"another type":       {"ghcr.io", token, helpers.WrongHost},
		"a port":             {plainHost + ":8443", material(t, plainHost+":8443", keys), helpers.WrongHost},
		"one half of a pair": {plainHost, half(t, accessKeyID), helpers.BadMaterial},
		"the other half":     {plainHost, half(t, secretAccessKey), helpers.BadMaterial},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Exchanger{w.machine(nil)}.Exchange(t.Context(), registry(t, test.host), test.m)
			wants(t, err, test.want)
		})
	}
	if got := w.called(); len(got) != 0 {
		t.Errorf("called %q", got)
	}
}

func half(t *testing.T, key string) helpers.Material {
	row, _ := helpers.TypeNamed(typeName)
	m, err := helpers.NewMaterial(row, registry(t, plainHost), map[string]string{key: canary})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestExchangeWhenTheServiceMisbehaves(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		fault cloudtest.Fault
		limit time.Duration
		calls int // 0: any number
		want  helpers.Reason
	}{
		{name: "hangs", fault: cloudtest.Hang(), limit: 3 * time.Second, calls: 1, want: helpers.Timeout},
		{name: "drips", fault: cloudtest.Drip(), limit: 3 * time.Second, calls: 1, want: helpers.Timeout},
		{name: "sends 2 GiB", fault: cloudtest.Bomb(nil), calls: 1, want: helpers.BadAnswer},
		{name: "sends garbage", fault: cloudtest.Garbage(canary), calls: 1, want: helpers.BadAnswer},
		{name: "redirects", fault: cloudtest.Redirect("https://elsewhere.example.com/"), calls: 1, want: helpers.BadAnswer},
		{name: "throttles once", fault: cloudtest.Times(1, aws.Refuse("ThrottlingException", canary)), calls: 2},
		{name: "throttles with 429 once", fault: cloudtest.Throttle(1), calls: 2},
		{name: "throttles", fault: aws.Refuse("ThrottlingException", canary), calls: 4, want: helpers.Throttled},
		{name: "is out of order once", fault: cloudtest.Times(1, cloudtest.Status(503, canary)), calls: 2},
		{name: "is out of order", fault: cloudtest.Status(500, canary), calls: 4, want: helpers.Unavailable},
		{name: "answers nothing", fault: cloudtest.Status(200, ""), calls: 1, want: helpers.BadAnswer},
		{name: "answers no token", fault: cloudtest.Status(200, `{"authorizationData":[]}`), calls: 1, want: helpers.BadAnswer},
		{name: "answers no pair", fault: cloudtest.Status(200, `{"authorizationData":[{"authorizationToken":"QVdT","expiresAt":7e9}]}`), calls: 1, want: helpers.BadAnswer},
		{name: "answers no base64", fault: cloudtest.Status(200, `{"authorizationData":[{"authorizationToken":"`+canary+`!","expiresAt":7e9}]}`), calls: 1, want: helpers.BadAnswer},
		{name: "answers no end", fault: cloudtest.Status(200, `{"authorizationData":[{"authorizationToken":"QVdTOng="}]}`), calls: 1, want: helpers.BadAnswer},
		{name: "answers an odd end", fault: cloudtest.Status(200, `{"authorizationData":[{"authorizationToken":"QVdTOng=","expiresAt":1e300}]}`), calls: 1, want: helpers.BadAnswer},
		{name: "answers a past end", fault: cloudtest.Status(200, `{"authorizationData":[{"authorizationToken":"QVdTOng=","expiresAt":1.5e9}]}`), calls: 1, want: helpers.BadAnswer},
		{name: "answers a user with a line", fault: cloudtest.Status(200, `{"authorizationData":[{"authorizationToken":"QVcKUzp4","expiresAt":7e9}]}`), calls: 1, want: helpers.BadAnswer},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.proxy.Serve("elsewhere.example.com", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
				t.Error("a redirect was followed")
			}))
			w.cloud.Gate.Order(aws.ECR, test.fault)
			ctx := t.Context()
			if test.limit > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, test.limit)
				defer cancel()
			}
			_, err := Exchanger{w.machine(nil)}.Exchange(ctx, registry(t, plainHost), material(t, plainHost, w.cloud.User("puller")))
			wants(t, err, test.want)
			if got := w.cloud.Gate.Count(aws.ECR); got != test.calls {
				t.Errorf("%d calls, not %d", got, test.calls)
			}
			if got := w.called(); !slices.Equal(got, []string{"api.ecr.us-east-1.amazonaws.com"}) {
				t.Errorf("called %q", got)
			}
		})
	}
}

func TestAWrongSecretIsNoKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	known := w.cloud.User("puller")
	wrong, session := known, w.cloud.Session("puller")
	wrong.Secret += "x"
	session.Session = ""
	gone := w.cloud.User("gone")
	w.cloud.Forget(gone)
	for name, keys := range map[string]aws.Keys{"wrong secret": wrong, "no session token": session, "unknown": gone} {
		t.Run(name, func(t *testing.T) {
			_, err := Exchanger{w.machine(nil)}.Exchange(t.Context(), registry(t, plainHost), material(t, plainHost, keys))
			wants(t, err, helpers.BadMaterial)
		})
	}
	_, err := newKeys(registry(t, plainHost), "the test", known.ID, known.Secret+"\r\nX: y", "")
	wants(t, err, helpers.BadMaterial)
}

// A clock that is off is found out by the server's, both ways.
func TestTheClockOfTheMachineIsOff(t *testing.T) {
	t.Parallel()
	for _, off := range []time.Duration{-25 * time.Hour, -10 * time.Minute, -time.Minute, time.Minute, 10 * time.Minute, 25 * time.Hour} {
		t.Run(off.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.cloud.Now = func() time.Time { return time.Now().Add(off) }
			w.cloud.Gate.Order(aws.ECR, func(rw http.ResponseWriter, r *http.Request, next http.Handler) {
				rw.Header().Set("Date", w.cloud.Now().UTC().Format(http.TimeFormat))
				next.ServeHTTP(rw, r)
			})
			w.setKeys(w.cloud.User("puller"))
			before := time.Now()
			c, err := w.ambient(nil).Token(t.Context(), registry(t, plainHost))
			wants(t, err, "")
			token, issued := w.cloud.Issued(c.Secret())
			// A token ends when it ends, by the clock of the machine that will look at it.
			end := token.Expires.Add(-off)
			if d := c.ExpiresAt().Sub(end); !issued || d < -time.Second || d > time.Since(before)+time.Second {
				t.Errorf("the credential is good until %v, and ends at %v", c.ExpiresAt(), end)
			}
			want := 1
			if off.Abs() > 5*time.Minute {
				want = 2
			}
			if got := w.cloud.Gate.Count(aws.ECR); got != want {
				t.Errorf("%d calls, not %d", got, want)
			}
		})
	}
}

func TestPublicWithoutATokenIsAnonymous(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := material(t, "public.ecr.aws", w.cloud.User("puller"))
	for code, outage := range map[string]bool{
		"AccessDeniedException": false, "UnrecognizedClientException": false, "ExpiredTokenException": false,
		"ThrottlingException": true, "ServerException": true,
	} {
		w.cloud.Gate.Order(aws.ECRPublic, aws.Refuse(code, canary))
		var l log
		_, err := Exchanger{w.machine(nil)}.Exchange(l.context(t.Context()), registry(t, "public.ecr.aws"), m)
		if !helpers.IsNotFound(err) || errors.Is(err, helpers.ErrNoAnswer) != outage {
			t.Errorf("%s: got %v, for want of an answer %v", code, err, !outage)
		}
		if len(l.left) != 1 || strings.Contains(l.left[0], canary) {
			t.Errorf("%s: reported %q", code, l.left)
		}
	}
	w.cloud.Gate.Order(aws.ECRPublic, cloudtest.Hang())
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := Exchanger{w.machine(nil)}.Exchange(ctx, registry(t, "public.ecr.aws"), m)
	wants(t, err, helpers.Timeout)
}

func TestShare(t *testing.T) {
	t.Parallel()
	cloud := aws.New()
	keys, other, session := cloud.User("a"), cloud.User("b"), cloud.Session("a")
	guessed := keys
	guessed.Secret = "x"
	share := func(host string, k aws.Keys) string {
		key := Share(nil, registry(t, host), material(t, host, k))
		if key.Token == "" || strings.Contains(key.Token+key.Origin, k.Secret) {
			t.Errorf("%s: the key is %q", host, key.Token)
		}
		return key.Token
	}
	want := share(plainHost, keys)
	for _, account := range []string{"000000000001", "000000000002", "999999999999"} {
		if share(account+".dkr.ecr.us-east-1.amazonaws.com", keys) != want {
			t.Errorf("account %s does not share", account)
		}
	}
	seen := map[string]string{}
	for name, key := range map[string]string{
		"plain": want, "other keys": share(plainHost, other), "session": share(plainHost, session), "guessed": share(plainHost, guessed),
		"region":     share("123456789012.dkr.ecr.eu-west-1.amazonaws.com", keys),
		"FIPS":       share("123456789012.dkr.ecr-fips.us-east-1.amazonaws.com", keys),
		"dual-stack": share("123456789012.dkr-ecr.us-east-1.on.aws", keys),
		"public":     share("public.ecr.aws", keys),
	} {
		if seen[key] != "" {
			t.Errorf("%s and %s share", name, seen[key])
		}
		seen[key] = name
	}
	if Share(nil, registry(t, "example.com"), material(t, "example.com", keys)) != (helpers.Key{}) {
		t.Error("what is not ECR's shares")
	}
}
