package acr

import (
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// maxAssertion is the largest federated token that is read, in bytes. Real ones have 2 KiB.
const maxAssertion = 64 << 10

// tokenFile is the path of a file with an assertion, which is read when it is needed: whoever writes it renews it.
type tokenFile string

func (path tokenFile) add(form url.Values, client, address string, now time.Time) error {
	text, err := readFile(string(path))
	if err != nil {
		if e, ok := errors.AsType[*fs.PathError](err); ok {
			err = e.Err // without the path: the variable may hold what it should name
		}
		return &helpers.Failure{Reason: helpers.BadMaterial, Text: "the file that AZURE_FEDERATED_TOKEN_FILE names cannot be read",
			Hint: "give its absolute path, and check its permissions", Cause: err}
	}
	token := strings.TrimSpace(string(text))
	if !visible(token) {
		return helpers.Fail(helpers.BadMaterial, "the file that AZURE_FEDERATED_TOKEN_FILE names holds no token", "")
	}
	return assertion(token).add(form, client, address, now)
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxAssertion))
}
