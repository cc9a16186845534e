//go:build unix

package folders_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/internal/folders"
)

func TestFoldersFollowTheEnvironment(t *testing.T) {
	t.Parallel()
	private, open := filepath.Join(t.TempDir(), "private"), filepath.Join(t.TempDir(), "open")
	for path, mode := range map[string]os.FileMode{private: 0o700, open: 0o755} {
		if err := os.Mkdir(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	const own = "beta9-credentials"
	tests := []struct {
		name string
		env  map[string]string
		// want holds config, data, tokens and key. What begins with a capital is the variable that an error names.
		want [4]string
	}{
		{
			name: "HOME alone",
			env:  map[string]string{"HOME": "/home/dev"},
			want: [4]string{"/home/dev/.config/" + own, "/home/dev/.local/share/" + own, "/home/dev/.cache/" + own + "/tokens",
				"/home/dev/.local/share/" + own + "/key"},
		},
		{
			name: "XDG",
			env: map[string]string{"HOME": "/home/dev", "XDG_CONFIG_HOME": "/c", "XDG_DATA_HOME": "/d/", "XDG_CACHE_HOME": "/e",
				"XDG_RUNTIME_DIR": private},
			want: [4]string{"/c/" + own, "/d/" + own, private + "/" + own + "/tokens", "/d/" + own + "/key"},
		},
		{
			name: "XDG without HOME",
			env:  map[string]string{"XDG_DATA_HOME": "/d"},
			want: [4]string{"HOME", "/d/" + own, "HOME", "/d/" + own + "/key"},
		},
		{
			name: "relative XDG is ignored",
			env: map[string]string{"HOME": "/home/dev", "XDG_CONFIG_HOME": "c", "XDG_DATA_HOME": "./d", "XDG_CACHE_HOME": "../e",
				"XDG_RUNTIME_DIR": "run"},
			want: [4]string{"/home/dev/.config/" + own, "/home/dev/.local/share/" + own, "/home/dev/.cache/" + own + "/tokens",
				"/home/dev/.local/share/" + own + "/key"},
		},
		{
			name: "runtime folder that others can enter",
			env:  map[string]string{"XDG_RUNTIME_DIR": open, "XDG_CACHE_HOME": "/e"},
			want: [4]string{"HOME", "HOME", "/e/" + own + "/tokens", "HOME"},
		},
		{
			name: "runtime folder that is not there",
			env:  map[string]string{"XDG_RUNTIME_DIR": private + "2", "XDG_CACHE_HOME": "/e"},
			want: [4]string{"HOME", "HOME", "/e/" + own + "/tokens", "HOME"},
		},
		{
			name: "one folder for everything",
			env: map[string]string{"BETA9_CREDENTIAL_HOME": "/b9/", "HOME": "/home/dev", "XDG_DATA_HOME": "/d",
				"XDG_RUNTIME_DIR": private},
			want: [4]string{"/b9", "/b9", "/b9/tokens", "/b9/key"},
		},
		{
			name: "relative folder for everything",
			env:  map[string]string{"BETA9_CREDENTIAL_HOME": "b9", "HOME": "/home/dev"},
			want: [4]string{"BETA9_CREDENTIAL_HOME", "BETA9_CREDENTIAL_HOME", "BETA9_CREDENTIAL_HOME", "BETA9_CREDENTIAL_HOME"},
		},
		{
			name: "key elsewhere",
			env:  map[string]string{"BETA9_CREDENTIAL_KEY_FILE": "/usb/key", "BETA9_CREDENTIAL_HOME": "/b9"},
			want: [4]string{"/b9", "/b9", "/b9/tokens", "/usb/key"},
		},
		{
			name: "relative key",
			env:  map[string]string{"BETA9_CREDENTIAL_KEY_FILE": "key", "BETA9_CREDENTIAL_HOME": "/b9"},
			want: [4]string{"/b9", "/b9", "/b9/tokens", "BETA9_CREDENTIAL_KEY_FILE"},
		},
		{
			name: "relative HOME",
			env:  map[string]string{"HOME": "home/dev"},
			want: [4]string{"HOME", "HOME", "HOME", "HOME"},
		},
		{
			name: "nothing set",
			want: [4]string{"HOME", "HOME", "HOME", "HOME"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := folders.New(func(name string) string { return tt.env[name] })
			key := func() (string, error) {
				path, named, err := f.Key()
				if named != (tt.env["BETA9_CREDENTIAL_KEY_FILE"] != "") {
					t.Errorf("key named by a person: %v", named)
				}
				return path, err
			}
			for i, find := range []func() (string, error){f.Config, f.Data, f.Tokens, key} {
				path, err := find()
				if filepath.IsAbs(tt.want[i]) {
					if err != nil || path != tt.want[i] {
						t.Errorf("folder %d is %q, %v; want %q", i, path, err, tt.want[i])
					}
					continue
				}
				variable, hint := "", ""
				if unset, ok := errors.AsType[*folders.Error](err); ok && tt.env[unset.Variable] == "" {
					variable, hint = unset.Variable, unset.Hint()
				}
				if relative, ok := errors.AsType[*folders.RelativeError](err); ok && tt.env[relative.Variable] != "" {
					variable, hint = relative.Variable, relative.Hint()
				}
				if variable != tt.want[i] || path != "" {
					t.Errorf("folder %d is %q, %v; want an error about %s", i, path, err, tt.want[i])
				} else if !strings.Contains(hint, variable) || !strings.Contains(err.Error(), variable) {
					t.Errorf("%q, hint %q: the variable is not named", err, hint)
				}
			}
		})
	}
}
