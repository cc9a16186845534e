package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// margin is what a token has to live on to be kept.
const margin = 5 * time.Minute

// computing tells whether credentials come from a service.
func computing() bool { return os.Getenv("FAULTY_COMPUTES") != "" }

func cached() string { return filepath.Join(os.Getenv("BETA9_CREDENTIAL_HOME"), "token") }

type token struct {
	Secret string
	Ends   time.Time
}

// forget drops the cached token.
func forget() error {
	if !fault("keeps the token") {
		_ = os.Remove(cached()) // it may not be there
	}
	return nil
}

// compute takes the token from the cache, or asks the service.
func compute(helpers.Registry) (helpers.Credential, error) {
	service := os.Getenv("FAULTY_SERVICE")
	if service == "" {
		return helpers.Credential{}, helpers.ErrNotFound
	}
	var t token
	mode := os.Getenv("BETA9_CREDENTIAL_CACHE")
	if data, err := os.ReadFile(cached()); err == nil && (mode != "off" && mode != "renew" || fault("keeps to its cache")) {
		if json.Unmarshal(data, &t) == nil && time.Until(t.Ends) > 0 {
			return helpers.NewCredential("user", t.Secret, t.Ends), nil
		}
	}
	if err := ask(service, &t); err != nil {
		return helpers.Credential{}, err
	}
	if time.Now().After(t.Ends) && !fault("hands out what has ended") {
		return helpers.Credential{}, helpers.Fail(helpers.BadAnswer, "the token has ended", "")
	}
	if fault("keeps no token") || mode == "off" || mode == "renew" && fault("renews for itself alone") || time.Until(t.Ends) < margin && !fault("keeps what is about to end") {
		return helpers.NewCredential("user", t.Secret, t.Ends), nil
	}
	data, _ := json.Marshal(t) // it always has an encoding
	_ = os.MkdirAll(filepath.Dir(cached()), 0o700)
	if err := os.WriteFile(cached(), data, 0o600); err != nil && fault("needs a cache") {
		return helpers.Credential{}, helpers.Fail(helpers.StoreFailed, "no cache", "")
	}
	return helpers.NewCredential("user", t.Secret, t.Ends), nil
}

func ask(service string, t *token) error {
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if fault("follows redirects") {
		client = http.DefaultClient
	}
	answer, err := client.Get(service)
	if err != nil {
		return helpers.Fail(helpers.Unreachable, "the service cannot be reached", "")
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	switch {
	case err != nil:
		return helpers.Fail(helpers.Unreachable, "the service stopped in the middle", "")
	case answer.StatusCode != http.StatusOK && fault("takes failure for nothing"):
		return helpers.ErrNotFound
	case answer.StatusCode != http.StatusOK && fault("shows the answer"):
		return helpers.Fail(helpers.Unavailable, "the service says "+string(body), "")
	case answer.StatusCode != http.StatusOK:
		return helpers.Fail(helpers.Unavailable, "the service refuses", "")
	case json.Unmarshal(body, t) != nil || t.Secret == "":
		return helpers.Fail(helpers.BadAnswer, "the service says something else", "")
	}
	return nil
}
