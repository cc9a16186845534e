package cloudtest

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// Secretless fails the test when an error, however it is printed, holds the canary or an encoding of it. Nil holds none.
func Secretless(t testing.TB, err error, canary string) {
	t.Helper()
	if err == nil {
		return
	}
	text := fmt.Sprintf("%v %+v %#v %q %s %s", err, err, err, err, helpers.ErrorLine(err), helpers.HintOf(err))
	for _, inner := range chain(err) {
		text += fmt.Sprintf(" %s %#v", inner, inner)
	}
	for _, form := range []string{
		canary, base64.StdEncoding.EncodeToString([]byte(canary)), base64.RawURLEncoding.EncodeToString([]byte(canary)),
		hex.EncodeToString([]byte(canary)), url.QueryEscape(canary),
	} {
		if strings.Contains(text, form) {
			t.Errorf("the error holds the canary: %s", text)
			return
		}
	}
}

// chain returns everything that an error wraps.
func chain(err error) []error {
	var all []error
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		all = e.Unwrap()
	default:
		if inner := errors.Unwrap(err); inner != nil {
			all = []error{inner}
		}
	}
	for _, inner := range all {
		all = append(all, chain(inner)...)
	}
	return all
}
