package ecr

import (
	"cmp"
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// maxConfig is the largest file of profiles that is read, in bytes: a thousand times a long one.
const maxConfig = 4 << 20

// A section is what one heading of the files holds, by the name of the setting in lower case.
type section map[string]string

// profiles is what the two files of the aws command hold, ~/.aws/config and ~/.aws/credentials.
// https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html
type profiles struct {
	profiles map[string]section
	sessions map[string]section // sso-session
	digest   string             // of the content
}

// staticKeys are the settings that belong together.
var staticKeys = []string{"aws_access_key_id", "aws_secret_access_key", "aws_session_token"}

// readProfiles reads the files. One that is not there holds nothing. Where both have a setting, that of the credentials
// file counts, and access keys are those of one file: a session token that was left behind in the other is not theirs.
func readProfiles(getenv func(string) string) (*profiles, error) {
	p := newProfiles()
	folder := ""
	if home := cmp.Or(getenv("HOME"), getenv("USERPROFILE")); home != "" {
		folder = filepath.Join(home, ".aws")
	}
	var content []string
	for _, file := range []struct {
		variable, name string
		credentials    bool
	}{
		{"AWS_CONFIG_FILE", "config", false},
		{"AWS_SHARED_CREDENTIALS_FILE", "credentials", true},
	} {
		// The variable may hold what it should name, so its value is in no message.
		path, named := getenv(file.variable), "the file that "+file.variable+" names"
		if path == "" && folder != "" {
			path = filepath.Join(folder, file.name)
			named = "the file of profiles " + path
		}
		if path == "" {
			continue
		}
		data, err := readFile(path, maxConfig)
		// A home that leads through a file, such as the /dev/null of some services, is none.
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) && getenv(file.variable) == "" {
			continue
		}
		if err != nil {
			return nil, &helpers.Failure{
				Reason: helpers.BadMaterial, Text: named + " cannot be read",
				Hint: "check its permissions, or set " + file.variable, Cause: err,
			}
		}
		content = append(content, file.name, string(data))
		later := newProfiles()
		later.read(string(data), file.credentials)
		p.merge(later)
	}
	p.digest = helpers.Digest(content...)
	return p, nil
}

func newProfiles() *profiles {
	return &profiles{profiles: map[string]section{}, sessions: map[string]section{}}
}

// merge takes over what a later file holds.
func (p *profiles) merge(later *profiles) {
	for name, s := range later.profiles {
		if p.profiles[name] == nil {
			p.profiles[name] = section{}
		}
		if s["aws_access_key_id"] != "" || s["aws_secret_access_key"] != "" {
			for _, setting := range staticKeys {
				delete(p.profiles[name], setting)
			}
		}
		maps.Copy(p.profiles[name], s)
	}
	maps.Copy(p.sessions, later.sessions) // which a credentials file has none of
}

// read reads one file. Lines that mean nothing are passed over, as the aws command does: the files belong to many tools.
func (p *profiles) read(content string, credentials bool) {
	var into section
	nested := false
	for line := range strings.SplitSeq(strings.TrimPrefix(content, "\ufeff"), "\n") {
		line = strings.TrimRight(line, " \t\r")
		switch {
		case line == "", line[0] == '#', line[0] == ';':
		case line[0] == '[':
			into, nested = p.section(line, credentials), false
		case line[0] == ' ', line[0] == '\t':
			// A line that is indented goes on with the setting above, which only settings do that are of no use here;
			// but older files indent everything.
			if !nested {
				into.set(line)
			}
		default:
			nested = into.set(line)
		}
	}
}

// section returns what a heading stands for: a profile, which the config file calls [profile name], or [default], and the
// credentials file [name]; or an SSO session. It returns nil for anything else.
func (p *profiles) section(line string, credentials bool) section {
	heading, _, ok := strings.Cut(line[1:], "]")
	if !ok {
		return nil
	}
	kind, name := "", strings.TrimSpace(heading)
	if i := strings.IndexAny(name, " \t"); i >= 0 && !credentials {
		kind, name = name[:i], strings.TrimSpace(name[i:])
	}
	if len(name) > 1 && (name[0] == '"' || name[0] == '\'') && name[len(name)-1] == name[0] {
		name = name[1 : len(name)-1]
	}
	table := p.profiles
	switch {
	case kind == "sso-session":
		table = p.sessions
	case kind == "" && (credentials || name == defaultProfile), kind == "profile":
	default:
		return nil
	}
	if table[name] == nil {
		table[name] = section{}
	}
	return table[name]
}

// set takes the setting of a line and tells whether its value goes on in the indented lines below. A comment behind a
// value begins with a white space and a # or a semicolon.
func (s section) set(line string) (goesOn bool) {
	name, value, ok := strings.Cut(line, "=")
	if !ok || s == nil {
		return false
	}
	for _, mark := range []string{" #", " ;", "\t#", "\t;"} {
		value, _, _ = strings.Cut(value, mark)
	}
	value = strings.TrimSpace(value)
	s[strings.ToLower(strings.TrimSpace(name))] = value
	return value == ""
}
