package store

import (
	"strings"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/seal"
)

// The parts of a file's name, in hexadecimal digits: the key, the type and the registry. The first two are short,
// because they tell a handful of things apart; they only choose which files are looked at.
const (
	keyDigits      = 8
	typeDigits     = 8
	registryDigits = 32
	nameLen        = keyDigits + 1 + typeDigits + 1 + registryDigits
)

// recordName returns the name of the file for a type and a registry.
func recordName(key seal.Key, typ string, r helpers.Registry) (string, error) {
	prefix, err := typePrefix(key, typ)
	if err != nil {
		return "", err
	}
	name, err := key.Name("login", typ, r.Identity())
	return prefix + name, err
}

// typePrefix returns how the names of all files of a type begin.
func typePrefix(key seal.Key, typ string) (string, error) {
	name, err := key.Name("login type", typ)
	if err != nil {
		return "", err
	}
	return keyPrefix(key) + name[:typeDigits] + "-", nil
}

// keyPrefix returns how the names of all files of a key begin.
func keyPrefix(key seal.Key) string { return key.ID()[:keyDigits] + "-" }

// isRecord reports whether a file is a record by its name, of whatever key.
func isRecord(name string) bool {
	return len(name) == nameLen && name[keyDigits] == '-' && name[keyDigits+1+typeDigits] == '-' &&
		strings.Count(name, "-") == 2 && strings.Trim(name, "0123456789abcdef-") == ""
}
