package aws_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/beam-cloud/docker-credential-beta9/secrets/kms/aws"
	"github.com/beam-cloud/docker-credential-beta9/secrets/kms/internal/kmstest"
)

// server stands in for AWS KMS: the two operations of its JSON protocol,
// https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html.
type server struct {
	keys map[string]kmstest.Box
	down atomic.Bool
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct {
		KeyId             string
		Plaintext         []byte
		CiphertextBlob    []byte
		EncryptionContext map[string]string
	}
	refuse := func(kind string) {
		w.Header().Set("X-Amzn-ErrorType", kind)
		w.WriteHeader(http.StatusBadRequest)
		json.NewEncoder(w).Encode(map[string]string{"__type": kind})
	}
	switch {
	case s.down.Load():
		refuse("DisabledException")
		return
	case !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/"):
		refuse("MissingAuthenticationTokenException")
		return
	case json.NewDecoder(r.Body).Decode(&in) != nil:
		refuse("SerializationException")
		return
	}
	box, ok := s.keys[in.KeyId]
	if !ok {
		refuse("NotFoundException")
		return
	}
	about, err := json.Marshal(in.EncryptionContext) // in the order of its keys
	if err != nil || len(in.EncryptionContext) == 0 {
		refuse("ValidationException")
		return
	}
	switch r.Header.Get("X-Amz-Target") {
	case "TrentService.Encrypt":
		json.NewEncoder(w).Encode(map[string]any{"KeyId": in.KeyId, "CiphertextBlob": box.Seal(in.Plaintext, about)})
	case "TrentService.Decrypt":
		plain, err := box.Open(in.CiphertextBlob, about)
		if err != nil {
			refuse("InvalidCiphertextException")
			return
		}
		json.NewEncoder(w).Encode(map[string]any{"KeyId": in.KeyId, "Plaintext": plain})
	default:
		refuse("UnknownOperationException")
	}
}

func TestWrapper(t *testing.T) {
	s := &server{keys: map[string]kmstest.Box{}}
	for _, key := range []string{"alias/first", "alias/second"} {
		box, err := kmstest.NewBox()
		if err != nil {
			t.Fatal(err)
		}
		s.keys[key] = box
	}
	web := httptest.NewServer(s)
	defer web.Close()
	client := kms.New(kms.Options{
		Region:       "us-east-1",
		BaseEndpoint: &web.URL,
		Credentials: sdk.CredentialsProviderFunc(func(context.Context) (sdk.Credentials, error) {
			return sdk.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}, nil
		}),
	})
	kmstest.Run(t, kmstest.Service{First: aws.New(client, "alias/first"), Second: aws.New(client, "alias/second"), Down: &s.down})
}
