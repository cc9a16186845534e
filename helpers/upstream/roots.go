package upstream

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// rootsOf returns the certificates to trust, or nil for the verifier of the platform.
//
// The standard library's pool on Linux is made of the first bundle file and of every file of the system's folder of
// certificates, which on Debian holds the same certificates once more, each in a file of its own: reading those
// takes several times what a call of a token service does. So the first bundle is all that is read, unless SSL_CERT_FILE
// or SSL_CERT_DIR says otherwise; these two count on every platform.
func rootsOf(bundle string, getenv func(string) string) (*roots, error) {
	if bundle != "" {
		return read("the bundle of certificates", []string{bundle})
	}
	file, folders := getenv("SSL_CERT_FILE"), getenv("SSL_CERT_DIR")
	if file == "" && folders == "" {
		for _, path := range bundles {
			r, err := read("the system's bundle of certificates", []string{path})
			if !errors.Is(err, fs.ErrNotExist) {
				return r, err
			}
		}
		return nil, nil
	}
	var files []string
	if file != "" {
		files = append(files, file)
	}
	for _, folder := range filepath.SplitList(folders) {
		entries, err := os.ReadDir(folder)
		if err != nil {
			continue // as the standard library does: a folder of the list need not be there
		}
		for _, e := range entries {
			files = append(files, filepath.Join(folder, e.Name()))
		}
	}
	return read("the bundle of SSL_CERT_FILE and SSL_CERT_DIR", files)
}

// read reads PEM files. What cannot be read is left out as long as something is left.
func read(what string, files []string) (*roots, error) {
	r := &roots{}
	var cause error
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			cause = err
			continue
		}
		r.add(data)
	}
	if len(r.certificates) > 0 {
		return r, nil
	}
	return nil, &helpers.Failure{
		Reason: helpers.BadMaterial, Text: what + " holds no certificate that can be read",
		Hint: "point SSL_CERT_FILE, or AWS_CA_BUNDLE for AWS, at a PEM file with the certificates to trust", Cause: cause,
	}
}
