package aws

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest"
)

// jsonType is the media type of the protocol that ECR speaks:
// https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
const jsonType = "application/x-amz-json-1.1"

// Refuse answers as ECR refuses. The message is one that must not be shown.
func Refuse(code, message string) cloudtest.Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { refuse(w, code, message) }
}

func refuse(w http.ResponseWriter, code, message string) {
	body, _ := json.Marshal(map[string]string{"__type": "com.amazonaws.ecr#" + code, "message": message}) // strings
	w.Header().Set("Content-Type", jsonType)
	w.WriteHeader(http.StatusBadRequest)
	_, _ = w.Write(body)
}

// ecr answers GetAuthorizationToken, in private registries and in the public one.
func (c *Cloud) ecr(w http.ResponseWriter, r *http.Request) {
	service, public := ECR, r.Header.Get("X-Amz-Target") == "SpencerFrontendService.GetAuthorizationToken"
	if public {
		service = ECRPublic
	}
	body, err := io.ReadAll(r.Body)
	var asked struct {
		RegistryIDs []string `json:"registryIds"` // deprecated, and still taken
	}
	if err != nil || r.Method != http.MethodPost || r.URL.Path != "/" || json.Unmarshal(body, &asked) != nil ||
		r.Header.Get("Content-Type") != jsonType {
		refuse(w, "SerializationException", "this is not GetAuthorizationToken")
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	keys, region, code := c.verify(r, service)
	if code != "" {
		refuse(w, code, "see the code")
		return
	}
	password, expires := c.password(Token{Principal: keys.Principal, Region: region, Public: public})
	authorization := map[string]any{
		"authorizationToken": base64.StdEncoding.EncodeToString([]byte("AWS:" + password)),
		"expiresAt":          json.Number(fmt.Sprintf("%d.%03d", expires.Unix(), expires.Nanosecond()/1e6)),
	}
	var answer any = map[string]any{"authorizationData": authorization}
	if !public {
		account := Account // the caller's own
		if len(asked.RegistryIDs) > 0 {
			account = asked.RegistryIDs[0]
		}
		authorization["proxyEndpoint"] = "https://" + account + ".dkr.ecr." + region + ".amazonaws.com"
		answer = map[string]any{"authorizationData": []any{authorization}}
	}
	c.called(Call{Service: service, Host: r.Host, Region: region, Principal: keys.Principal})
	w.Header().Set("Content-Type", jsonType)
	_ = json.NewEncoder(w).Encode(answer) // a client that has gone needs no answer
}

// password makes one of the form that ECR's have, and returns it with the end of its life.
func (c *Cloud) password(t Token) (string, time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.serial++
	t.Expires = c.Now().Add(c.life)
	data, _ := json.Marshal(map[string]any{ // of strings and numbers
		"payload": fmt.Sprintf("not-a-secret-payload-%d", c.serial), "datakey": "not-a-secret", "version": "2",
		"type": "DATA_KEY", "expiration": t.Expires.Unix(),
	})
	password := base64.StdEncoding.EncodeToString(data)
	c.issued[password] = t
	return password, t.Expires
}
