package gcr

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/helpers/upstream"
)

// usualLife is how long an impersonated account's token is asked to live: the longest that needs no exception in the
// organization's policy.
const usualLife = time.Hour

// impersonated speaks for a service account with the token of somebody who may
// (https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken).
type impersonated struct {
	account   string
	delegates []string
	life      time.Duration
	by        identity
}

func newImpersonated(name string, f keyFile, depth int) (identity, error) {
	if depth >= maxDepth {
		return nil, helpers.Fail(helpers.BadMaterial, name+" impersonates through more than "+strconv.Itoa(maxDepth)+" accounts",
			"name the accounts in between as delegates")
	}
	if len(f.SourceCredentials) == 0 {
		return nil, lacks(name, "source_credentials")
	}
	source, err := readKeyFile(name, f.SourceCredentials)
	if err != nil {
		return nil, err
	}
	by, err := source.identity(name, depth+1)
	if err != nil {
		return nil, err
	}
	return impersonate(name, f, by)
}

// impersonate puts the account that the file names in front of an identity, if it names one.
func impersonate(name string, f keyFile, by identity) (identity, error) {
	account, ok := accountOf(f.ImpersonationURL)
	if !ok {
		return nil, helpers.Fail(helpers.BadMaterial, name+" has a service_account_impersonation_url that names no service account",
			"make the file again with gcloud")
	}
	life := usualLife
	if n := f.Impersonation.LifetimeSeconds; n > 0 {
		life = min(time.Duration(min(n, 1<<20))*time.Second, longestLife)
	}
	return &impersonated{account, f.Delegates, life, by}, nil
}

// accountOf reads the account out of a URL that ends in /serviceAccounts/ACCOUNT:generateAccessToken. The host of the URL
// does not count.
func accountOf(address string) (string, bool) {
	u, err := url.Parse(address)
	if err != nil {
		return "", false
	}
	_, account, ok := strings.Cut(u.Path, "/serviceAccounts/")
	account, generates := strings.CutSuffix(account, ":generateAccessToken")
	return account, ok && generates && account != "" && !strings.ContainsAny(account, "/:?#% ")
}

func (i *impersonated) token(ctx context.Context, s *service) (helpers.Credential, error) {
	by, err := i.by.token(ctx, s)
	if err != nil {
		return helpers.Credential{}, err
	}
	body, err := json.Marshal(map[string]any{
		"delegates": i.delegates, "scope": []string{scope}, "lifetime": strconv.Itoa(int(i.life.Seconds())) + "s",
	})
	if err != nil {
		return helpers.Credential{}, helpers.Fail(helpers.BadMaterial, "the delegates of "+i.account+" cannot be written as JSON", "")
	}
	a, err := s.client.Do(ctx, upstream.Request{
		Service: "Google's IAM", Method: http.MethodPost, URL: accountsURL + url.PathEscape(i.account) + ":generateAccessToken", Body: body,
		Header: http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + by.Secret()}},
	})
	if err != nil {
		return helpers.Credential{}, err
	}
	if !a.OK() {
		return helpers.Credential{}, i.refusal(a)
	}
	var answer struct {
		AccessToken string    `json:"accessToken"`
		ExpireTime  time.Time `json:"expireTime"`
	}
	if err := a.JSON(&answer); err != nil {
		return helpers.Credential{}, err
	}
	return s.takeToken(a, answer.AccessToken, s.local(a, answer.ExpireTime))
}

func (i *impersonated) refusal(a upstream.Answer) error {
	switch a.Status {
	case http.StatusForbidden, http.StatusNotFound:
		return helpers.Fail(helpers.AccessDenied, "Google does not let this identity impersonate "+i.account,
			"grant it roles/iam.serviceAccountTokenCreator on "+i.account)
	}
	return a.Failure()
}
