// Command docker-credential-reference is the least that a helper on the reference implementation of the protocol can be: it
// keeps nothing, and knows one answer. What it costs to run is what the reference costs.
package main

import (
	"github.com/docker/docker-credential-helpers/credentials"
)

type helper struct{}

func (helper) Add(*credentials.Credentials) error { return nil }

func (helper) Delete(string) error { return nil }

func (helper) Get(string) (username, secret string, err error) {
	return "reference", "not-a-secret", nil
}

func (helper) List() (map[string]string, error) { return map[string]string{}, nil }

func main() { credentials.Serve(helper{}) }
