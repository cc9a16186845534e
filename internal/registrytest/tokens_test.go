package registrytest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
)

// tokenFor asks the token server as alice and returns the token.
func tokenFor(t *testing.T, reg *Registry, scope string) string {
	t.Helper()
	query := url.Values{"service": {reg.Name()}, "scope": {scope}}
	res, body := ask(t, "GET", "http://"+reg.Name()+tokenPath+"?"+query.Encode(), func(req *http.Request) {
		req.SetBasicAuth("alice", "not-a-real-password")
	})
	var a answer
	if err := json.Unmarshal(body, &a); err != nil || res.StatusCode != 200 || a.Token == "" || a.Token != a.AccessToken {
		t.Fatalf("token server: %s: %s", res.Status, body)
	}
	return a.Token
}

func bearer(token string) func(*http.Request) {
	return func(req *http.Request) { req.Header.Set("Authorization", "Bearer "+token) }
}

func TestTokensHoldForTheirScopeAndTime(t *testing.T) {
	t.Parallel()
	var now atomic.Int64
	now.Store(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).Unix())
	reg := Start(t, Options{
		Auth: Bearer, Accounts: accounts(), TokenLifetime: time.Minute,
		Now: func() time.Time { return time.Unix(now.Load(), 0) },
	})
	other := Start(t, Options{Auth: Bearer, Accounts: accounts(), Now: reg.options.Now})
	reg.MustPush(t, "acme/app:1", SmallImage(t))
	reg.MustPush(t, "acme/other:1", SmallImage(t))
	manifest := func(repository string) string {
		return "http://" + reg.Name() + "/v2/" + repository + "/manifests/1"
	}
	token := tokenFor(t, reg, "repository:acme/app:pull")

	refused := func(what, url, token, reason string) {
		t.Helper()
		res, _ := ask(t, "GET", url, bearer(token))
		if got := res.Header.Get("WWW-Authenticate"); res.StatusCode != 401 || !strings.Contains(got, `error="`+reason+`"`) {
			t.Errorf("%s: %s, challenge %q; want 401 with %s", what, res.Status, got, reason)
		}
	}
	if res, body := ask(t, "GET", manifest("acme/app"), bearer(token)); res.StatusCode != 200 {
		t.Errorf("in scope: %s: %s", res.Status, body)
	}
	refused("another repository", manifest("acme/other"), token, "insufficient_scope")
	refused("another registry's token", manifest("acme/app"), tokenFor(t, other, "repository:acme/app:pull"), "invalid_token")
	refused("a token with one bit turned", manifest("acme/app"), token[:len(token)-10]+flip(token[len(token)-10:]), "invalid_token")
	if res, _ := ask(t, "POST", "http://"+reg.Name()+"/v2/acme/app/blobs/uploads/", bearer(token)); res.StatusCode != 401 {
		t.Errorf("pushing with a token to pull: %s", res.Status)
	}

	now.Add(59)
	if res, _ := ask(t, "GET", manifest("acme/app"), bearer(token)); res.StatusCode != 200 {
		t.Errorf("a second before its end: %s", res.Status)
	}
	now.Add(1)
	refused("at its end", manifest("acme/app"), token, "invalid_token")
}

// flip changes the first character to another of the alphabet.
func flip(s string) string {
	if s[0] == 'A' {
		return "B" + s[1:]
	}
	return "A" + s[1:]
}

func TestIdentityTokens(t *testing.T) {
	t.Parallel()
	reg := Start(t, Options{
		Auth: Bearer, Accounts: accounts(), OfferIdentityTokens: true,
		IdentityTokens: map[string]string{"false-identity-token": "alice"},
	})
	ref := reg.MustPush(t, "acme/app:1", SmallImage(t))
	identity := func(token string) authn.Authenticator {
		return authn.FromConfig(authn.AuthConfig{IdentityToken: token})
	}
	if _, err := pull(t, ref, identity("false-identity-token")); err != nil {
		t.Error(err)
	}
	grants := requests(reg, func(q Request) bool {
		return q.Path == tokenPath && q.Scheme == "refresh_token" && q.User == "alice" && q.Authenticated
	})
	if len(grants) == 0 {
		t.Errorf("no refresh_token grant in %+v", reg.Requests())
	}
	if _, err := pull(t, ref, identity("made-up")); err == nil {
		t.Error("a made-up identity token was good")
	}

	// What docker login asks for.
	query := url.Values{"service": {reg.Name()}, "offline_token": {"true"}, "account": {"alice"}}
	_, body := ask(t, "GET", "http://"+reg.Name()+tokenPath+"?"+query.Encode(), func(req *http.Request) {
		req.SetBasicAuth("alice", "not-a-real-password")
	})
	var a answer
	if err := json.Unmarshal(body, &a); err != nil || a.RefreshToken == "" {
		t.Fatalf("no identity token for a login: %s", body)
	}
	if _, err := pull(t, ref, identity(a.RefreshToken)); err != nil {
		t.Errorf("the identity token of a login: %v", err)
	}
}

func TestTokenServerOfItsOwn(t *testing.T) {
	t.Parallel()
	reg := Start(t, Options{Auth: Bearer, Accounts: accounts(), TokenListen: []string{"127.0.0.1:0"}})
	ref := reg.MustPush(t, "acme/app:1", SmallImage(t))
	if _, err := pull(t, ref, alice); err != nil {
		t.Fatal(err)
	}
	hosts := map[bool]string{}
	for _, q := range reg.Requests() {
		hosts[q.Path == tokenPath] = q.Host
	}
	if hosts[true] == hosts[false] || hosts[false] != reg.Name() {
		t.Errorf("token server and registry were asked as %v", hosts)
	}
}
