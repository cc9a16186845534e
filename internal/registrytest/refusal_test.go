package registrytest

import (
	"net/http"
	"strings"
	"testing"
)

func TestRefusals(t *testing.T) {
	t.Parallel()
	reg := Start(t, Options{Auth: Basic, Accounts: accounts()})
	reg.MustPush(t, "acme/app:1", SmallImage(t))
	manifest := "http://" + reg.Name() + "/v2/acme/app/manifests/1"
	asAlice := func(req *http.Request) { req.SetBasicAuth("alice", "not-a-real-password") }

	reg.Refuse(ExpiredECRToken())
	res, body := ask(t, "GET", manifest, asAlice)
	if res.StatusCode != 403 || len(res.Header["Www-Authenticate"]) != 0 || !strings.Contains(string(body), "Your authorization token has expired") {
		t.Errorf("ECR's expired token: %s, %v, %s", res.Status, res.Header, body)
	}
	if res, _ := ask(t, "GET", manifest, nil); res.StatusCode != 401 {
		t.Errorf("without credentials, ECR's own 401: got %s", res.Status)
	}

	reg.Refuse(Refusal{Status: 401, Code: "UNAUTHORIZED", Challenge: true, Times: 1})
	if res, _ := ask(t, "GET", manifest, asAlice); res.StatusCode != 401 || res.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("refused once: %s, %v", res.Status, res.Header)
	}
	if res, _ := ask(t, "GET", manifest, asAlice); res.StatusCode != 200 {
		t.Errorf("the second time: %s", res.Status)
	}

	reg.Refuse(Refusal{Status: 429, Code: "TOOMANYREQUESTS"})
	if res, _ := ask(t, "GET", manifest, asAlice); res.StatusCode != 429 {
		t.Errorf("refused for good: %s", res.Status)
	}
	reg.Relent()
	if res, _ := ask(t, "GET", manifest, asAlice); res.StatusCode != 200 {
		t.Errorf("after relenting: %s", res.Status)
	}
}

func TestRefusalOfTheTokenServer(t *testing.T) {
	t.Parallel()
	reg := Start(t, Options{Auth: Bearer, Accounts: accounts()})
	ref := reg.MustPush(t, "acme/app:1", SmallImage(t))
	reg.Refuse(Refusal{Status: 403, Code: "DENIED", When: func(q Request) bool { return q.Path == tokenPath }})
	if _, err := pull(t, ref, alice); err == nil || !strings.Contains(err.Error(), tokenPath+"?") || !strings.Contains(err.Error(), "DENIED") {
		t.Errorf("got %v, want the token server's refusal", err)
	}
}
