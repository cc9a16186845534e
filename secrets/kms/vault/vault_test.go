package vault_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/vault/api"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
	"github.com/beam-cloud/docker-credential-beta9/secrets/kms/internal/kmstest"
	"github.com/beam-cloud/docker-credential-beta9/secrets/kms/vault"
)

const token = "not-a-token"

// server stands in for Vault with a transit engine at team/transit.
type server struct {
	keys map[string]kmstest.Box
	down atomic.Bool
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Plaintext  []byte `json:"plaintext"`
		Ciphertext string `json:"ciphertext"`
		Associated []byte `json:"associated_data"`
	}
	refuse := func(code int, why string) {
		w.WriteHeader(code)
		json.NewEncoder(w).Encode(map[string]any{"errors": []string{why}})
	}
	verb, key, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v1/team/transit/"), "/")
	box, known := s.keys[key]
	switch {
	case s.down.Load():
		refuse(http.StatusBadRequest, "the key is disabled")
		return
	case r.Header.Get("X-Vault-Token") != token:
		refuse(http.StatusForbidden, "permission denied")
		return
	case r.Method != http.MethodPut, !ok, !known, json.NewDecoder(r.Body).Decode(&in) != nil, len(in.Associated) == 0:
		refuse(http.StatusNotFound, "no handler for route")
		return
	}
	data := map[string]any{}
	switch verb {
	case "encrypt":
		data["ciphertext"] = "vault:v1:" + base64.StdEncoding.EncodeToString(box.Seal(in.Plaintext, in.Associated))
	case "decrypt":
		text, ok := strings.CutPrefix(in.Ciphertext, "vault:v1:")
		sealed, err := base64.StdEncoding.DecodeString(text)
		if !ok || err != nil {
			refuse(http.StatusBadRequest, "invalid ciphertext: no prefix")
			return
		}
		plain, err := box.Open(sealed, in.Associated)
		if err != nil {
			refuse(http.StatusBadRequest, "cipher: message authentication failed")
			return
		}
		data["plaintext"] = base64.StdEncoding.EncodeToString(plain)
	}
	json.NewEncoder(w).Encode(map[string]any{"data": data})
}

func TestWrapper(t *testing.T) {
	s := &server{keys: map[string]kmstest.Box{}}
	for _, key := range []string{"first", "second"} {
		box, err := kmstest.NewBox()
		if err != nil {
			t.Fatal(err)
		}
		s.keys[key] = box
	}
	web := httptest.NewServer(s)
	defer web.Close()
	client, err := api.NewClient(&api.Config{Address: web.URL})
	if err != nil {
		t.Fatal(err)
	}
	client.SetToken(token)
	wrap := func(key string) secrets.Wrapper {
		w, err := vault.New(client, "/team/transit/", key)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	kmstest.Run(t, kmstest.Service{First: wrap("first"), Second: wrap("second"), Down: &s.down})
}

func TestPathsThatAreRefused(t *testing.T) {
	client, err := api.NewClient(&api.Config{Address: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{{"", "k"}, {"transit", ""}, {"transit", "a/b"}, {"transit", "../../sys"}, {"..", "k"}, {"transit", "k?x"}} {
		if _, err := vault.New(client, c[0], c[1]); helpers.ReasonOf(err) != helpers.BadRequest {
			t.Errorf("mount %q, key %q: %v", c[0], c[1], err)
		}
	}
}
