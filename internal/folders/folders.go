// Package folders says where on a developer's machine this project keeps what it keeps: settings, stored logins with
// their key, and cached tokens.
//
// With BETA9_CREDENTIAL_HOME set, everything lies directly in that folder. Otherwise the folders follow the XDG base
// directory specification on Unix and %LOCALAPPDATA% on Windows, each with "beta9-credentials" at its end. Nothing here
// creates, opens or changes a folder.
package folders

import (
	"path/filepath"
)

// The environment variables of this project that name places.
const (
	// HomeVariable names one absolute folder for everything.
	HomeVariable = "BETA9_CREDENTIAL_HOME"
	// KeyFileVariable names the absolute path of the key file.
	KeyFileVariable = "BETA9_CREDENTIAL_KEY_FILE"
)

// name is the last element of every folder that is shared with other programs by convention.
const name = "beta9-credentials"

// Folders finds the folders from an environment. It is made by [New], holds no open file, and is safe for concurrent use.
type Folders struct {
	getenv func(string) string
}

// New returns the folders that the environment behind getenv asks for. getenv returns an empty string for a variable
// that is not set, as os.Getenv does; it is called anew for every question.
func New(getenv func(string) string) Folders { return Folders{getenv: getenv} }

// An Error says that the environment names no folder at all, and not even a home. What to do then is the caller's
// decision: a helper without a folder works from its environment alone, a command for people stops.
type Error struct {
	// Variable is the environment variable that is not set.
	Variable string
}

// Error names the variable.
func (e *Error) Error() string {
	return e.Variable + " is not set, and so there is no place for credentials"
}

// Hint says what to do about it.
func (e *Error) Hint() string {
	return "set " + e.Variable + ", or " + HomeVariable + " to an absolute path"
}

// A RelativeError says that a variable holds a relative path where that is a mistake: it would be another folder for
// every folder that a client is started in.
type RelativeError struct {
	// Variable is the environment variable to be corrected.
	Variable string
}

// Error names the variable, and not its value.
func (e *RelativeError) Error() string { return e.Variable + " is not an absolute path" }

// Hint says what to do about it.
func (e *RelativeError) Hint() string { return "set " + e.Variable + " to an absolute path" }

// Config returns the folder of the settings, such as registries.json.
func (f Folders) Config() (string, error) { return f.find(config) }

// Data returns the folder of what must not be lost: the key and, in "logins", the stored logins.
func (f Folders) Data() (string, error) { return f.find(data) }

// Tokens returns the folder of the cached tokens. It can be lost at any time at the price of one more upstream call.
// It lies in $XDG_RUNTIME_DIR, which most systems keep in memory and empty at the end of the session, when that is a
// folder of this user which nobody else can enter, and in the cache folder otherwise.
func (f Folders) Tokens() (string, error) { return f.find(tokens) }

// Key returns the path of the key file that seals logins and tokens, and whether a person named it: the folder of a
// named file belongs to that person, and is neither created nor changed.
func (f Folders) Key() (path string, named bool, err error) {
	if path := f.getenv(KeyFileVariable); path != "" {
		if !filepath.IsAbs(path) {
			return "", true, &RelativeError{KeyFileVariable}
		}
		return filepath.Clean(path), true, nil
	}
	folder, err := f.Data()
	if err != nil {
		return "", false, err
	}
	return filepath.Join(folder, "key"), false, nil
}

// A kind of folder: the XDG variable that names its parent, and the parent below $HOME when that is not set.
type kind struct {
	xdg, belowHome string
	tokens         bool
}

var (
	config = kind{xdg: "XDG_CONFIG_HOME", belowHome: ".config"}
	data   = kind{xdg: "XDG_DATA_HOME", belowHome: filepath.Join(".local", "share")}
	tokens = kind{xdg: "XDG_CACHE_HOME", belowHome: ".cache", tokens: true}
)

func (f Folders) find(k kind) (string, error) {
	folder, err := f.own(k)
	if err != nil {
		return "", err
	}
	if k.tokens {
		folder = filepath.Join(folder, "tokens")
	}
	return folder, nil
}

// own returns the folder of this project for k, without the sub-folder of the tokens.
func (f Folders) own(k kind) (string, error) {
	if home := f.getenv(HomeVariable); home != "" {
		if !filepath.IsAbs(home) {
			return "", &RelativeError{HomeVariable}
		}
		return filepath.Clean(home), nil
	}
	parent, err := f.parent(k)
	if err != nil {
		return "", err
	}
	return filepath.Join(parent, name), nil
}
