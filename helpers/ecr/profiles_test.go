package ecr

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

func TestProfileFiles(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, config, credentials string
		want                      map[string]section
	}{
		{name: "empty", want: map[string]section{}},
		{
			name: "headings", config: "[default]\na=1\n[profile x]\na=2\n[ profile\ty ] # why\na=3\n[profile \"two words\"]\na=4\n[z]\na=5\n[services s]\na=6\n",
			want: map[string]section{"default": {"a": "1"}, "x": {"a": "2"}, "y": {"a": "3"}, "two words": {"a": "4"}},
		},
		{
			name: "headings of credentials", credentials: "[default]\na=1\n[x]\na=2\n[profile y]\na=3\n[two words]\na=4\n",
			want: map[string]section{"default": {"a": "1"}, "x": {"a": "2"}, "profile y": {"a": "3"}, "two words": {"a": "4"}},
		},
		{
			name: "both files", config: "[default]\na=1\nb=1\n", credentials: "[default]\nb=2\nc=2\n",
			want: map[string]section{"default": {"a": "1", "b": "2", "c": "2"}},
		},
		{
			name: "keys of one file", config: "[default]\naws_access_key_id=a\naws_secret_access_key=a\naws_session_token=a\nregion=a\n",
			credentials: "[default]\naws_access_key_id=b\naws_secret_access_key=b\n",
			want:        map[string]section{"default": {"aws_access_key_id": "b", "aws_secret_access_key": "b", "region": "a"}},
		},
		{
			name: "values", config: "[default]\n Upper = Value \na= b = c\nhash=a#b\nnote = x # y\nnote2 = x ; y\nempty =\n",
			want: map[string]section{"default": {"upper": "Value", "a": "b = c", "hash": "a#b", "note": "x", "note2": "x", "empty": ""}},
		},
		{
			name: "comments", config: "# a\n; b\n\n[default]\n#a = 1\n;b = 2\nc = 3\n",
			want: map[string]section{"default": {"c": "3"}},
		},
		{
			name: "what is nested", config: "[default]\ns3 =\n  role_arn = nested\n\trole_arn = nested\nrole_arn = outer\n  sso_session = indented\n",
			want: map[string]section{"default": {"s3": "", "role_arn": "outer", "sso_session": "indented"}},
		},
		{name: "line ends of Windows", config: "\ufeff[default]\r\na = 1\r\n", want: map[string]section{"default": {"a": "1"}}},
		{name: "junk", config: "a = 1\n[\n[default\na = 2\n[default]x\nnothing\n=\n", want: map[string]section{"default": {"": ""}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.write(".aws/config", test.config)
			w.write(".aws/credentials", test.credentials)
			p, err := readProfiles(w.machine(nil).Getenv)
			wants(t, err, "")
			if !maps.EqualFunc(p.profiles, test.want, maps.Equal[section, section]) {
				t.Errorf("got %v", p.profiles)
			}
		})
	}
}

func TestProfileFilesThatAreNotThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, env := range []map[string]string{
		{}, {"HOME": w.home}, {"HOME": "/none"}, {"HOME": "/dev/null"}, {"AWS_CONFIG_FILE": w.home + "/none", "AWS_SHARED_CREDENTIALS_FILE": w.home + "/none"},
	} {
		p, err := readProfiles(func(name string) string { return env[name] })
		wants(t, err, "")
		if len(p.profiles) != 0 {
			t.Errorf("%v: got %v", env, p.profiles)
		}
	}
}

// A variable that holds the content of a file in the place of its path is not shown.
func TestProfileFilesGivenByTheirContent(t *testing.T) {
	t.Parallel()
	content := "[default] aws_secret_access_key=" + canary + " aws_session_token=" + strings.Repeat("x", 5000)
	for _, variable := range []string{"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"} {
		env := map[string]string{variable: content}
		_, err := readProfiles(func(name string) string { return env[name] })
		wants(t, err, helpers.BadMaterial)
		if text := fmt.Sprint(err, helpers.HintOf(err)); !strings.Contains(text, variable) || strings.Contains(text, "aws_secret") {
			t.Errorf("%s: the failure says %q", variable, text)
		}
	}
}

func FuzzProfileFiles(f *testing.F) {
	f.Add("[default]\na = 1\n", true)
	f.Add("[profile x]\n s3 =\n  a = b\n[sso-session y]\nz = # c\n", false)
	f.Fuzz(func(t *testing.T, content string, credentials bool) {
		p := newProfiles()
		p.read(content, credentials)
		for name, s := range p.profiles {
			for setting, value := range s {
				if strings.ContainsAny(name+setting+value, "\n") {
					t.Errorf("%q, %q, %q holds a line end", name, setting, value)
				}
			}
		}
	})
}
