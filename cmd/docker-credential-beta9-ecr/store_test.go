package main_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest/aws"
)

// A login that is stored is stored, whatever becomes of the tokens that were made before.
func TestStoreWithoutTheCache(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, w *world, k map[string]string){
		"a link in its place": func(t *testing.T, w *world, _ map[string]string) {
			tokens := filepath.Join(w.home, "beta9", "tokens")
			if err := errors.Join(os.Rename(tokens, tokens+".moved"), os.Symlink(tokens+".moved", tokens)); err != nil {
				t.Fatal(err)
			}
		},
		"somebody waits for an answer that does not come": func(t *testing.T, w *world, k map[string]string) {
			if r := w.run("erase", host, k); r.code != 0 {
				t.Fatalf("exit %d, %q", r.code, r.stdout)
			}
			calls := w.cloud.Gate.Count(aws.ECR)
			w.cloud.Gate.Order(aws.ECR, cloudtest.Hang())
			done := make(chan result)
			go func() { done <- w.run("get", host, k, map[string]string{"BETA9_CREDENTIAL_TIMEOUT": "15s"}) }()
			t.Cleanup(func() { <-done })
			for w.cloud.Gate.Count(aws.ECR) == calls && t.Context().Err() == nil {
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			k := w.cloud.User("me")
			w.get(host, keys(k))
			spoil(t, w, keys(k))
			login, _ := json.Marshal(map[string]string{"ServerURL": host, "Username": k.ID, "Secret": k.Secret}) // strings
			r := w.run("store", string(login), keys(k), map[string]string{"BETA9_CREDENTIAL_TIMEOUT": "4s"})
			if r.code != 0 || r.stdout != "" || !strings.Contains(r.stderr, "the login is stored") {
				t.Errorf("exit %d, %q, %q", r.code, r.stdout, r.stderr)
			}
			if r := w.run("list", ""); !strings.Contains(r.stdout, k.ID) {
				t.Errorf("the login is not listed: %q", r.stdout)
			}
		})
	}
}
