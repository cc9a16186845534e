package filetest

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// NoTrace fails the test when a canary can be found in what is below a folder, in names or in contents: as it is, in
// base64 or in hexadecimal digits.
func NoTrace(t testing.TB, folder string, canaries ...string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		haystack := []byte(strings.TrimPrefix(path, folder))
		if entry.Type().IsRegular() {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			haystack = append(append(haystack, 0), content...)
		}
		for _, canary := range canaries {
			if form := find(haystack, canary); form != "" {
				t.Errorf("%s: %q is in it, %s", path, canary, form)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// find says in which form the canary is in the haystack.
func find(haystack []byte, canary string) string {
	lower := bytes.ToLower(haystack)
	if bytes.Contains(lower, []byte(strings.ToLower(canary))) {
		return "in clear"
	}
	if bytes.Contains(lower, []byte(hex.EncodeToString([]byte(canary)))) {
		return "in hexadecimal digits"
	}
	// What base64 makes of the canary depends on how many bytes stand before it, modulo three. The digits at the ends
	// depend on its neighbours.
	for before := range 3 {
		padded := append(make([]byte, before), canary...)
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			digits := encoding.EncodeToString(padded)
			if bytes.Contains(haystack, []byte(digits[(8*before+5)/6:len(digits)-1])) {
				return "in base64"
			}
		}
	}
	return ""
}
