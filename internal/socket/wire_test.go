package socket

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

func registry(t testing.TB, s string) helpers.Registry {
	t.Helper()
	r, err := helpers.ParseServerURL(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func material(t testing.TB, r helpers.Registry, password string) helpers.Material {
	t.Helper()
	row, _ := helpers.TypeNamed("generic")
	m, err := helpers.NewMaterial(row, r, map[string]string{"USERNAME": "canary-user", "PASSWORD": password})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestRequestRoundTrip(t *testing.T) {
	for _, name := range []string{
		"ghcr.io", "ghcr.io/acme/app", "localhost:5000", "[::1]:5003/x", "docker.io/library/ubuntu",
		"https://index.docker.io/v1/access-token", "https://index.docker.io/v1/",
	} {
		want := registry(t, name)
		got, err := ReadRequest(bytes.NewReader(AppendRequest(nil, want)))
		if err != nil || got.String() != want.String() {
			t.Errorf("%s: read back %q, %v; want %q", name, got, err, want)
		}
	}
}

func TestReadRequestRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"nothing":           "",
		"no line feed":      "material 1 ghcr.io",
		"another version":   "material 2 ghcr.io\n",
		"another verb":      "list 1 ghcr.io\n",
		"no registry":       "material 1 \n",
		"another spelling":  "material 1 GHCR.IO\n",
		"a user":            "material 1 user@ghcr.io\n",
		"a control byte":    "material 1 ghcr.io\r\n",
		"a byte over ASCII": "material 1 ghcr.\xffio\n",
		"too long":          "material 1 " + strings.Repeat("a", maxRequest) + "\n",
	} {
		if r, err := ReadRequest(strings.NewReader(in)); err == nil {
			t.Errorf("%s: read as %q", name, r)
		}
	}
}

func TestReplyRoundTrip(t *testing.T) {
	r := registry(t, "registry.example.com")
	want := material(t, r, "canary\nwith\x00control \u2028 and <>&\"").WithScope("acme")
	got, err := readReply(bytes.NewReader(AppendReply(nil, want, nil)))
	if err != nil || got.Fingerprint() != want.Fingerprint() {
		t.Fatalf("read back as something else, %v", err)
	}
	if _, err := readReply(bytes.NewReader(AppendReply(nil, helpers.Material{}, helpers.ErrNotFound))); !errors.Is(err, helpers.ErrNotFound) {
		t.Errorf("none: %v", err)
	}
	if _, err := readReply(bytes.NewReader(AppendReply(nil, helpers.Material{}, nil))); !errors.Is(err, helpers.ErrNotFound) {
		t.Errorf("zero material: %v", err)
	}
	for _, reason := range []helpers.Reason{helpers.Throttled, helpers.LoginRequired, helpers.Internal} {
		failure := helpers.Fail(reason, "canary-text that stays at this end", "")
		reply := AppendReply(nil, helpers.Material{}, failure)
		if bytes.Contains(reply, []byte("canary")) {
			t.Errorf("%s: the text travels: %q", reason, reply)
		}
		if _, err := readReply(bytes.NewReader(reply)); helpers.ReasonOf(err) != reason {
			t.Errorf("%s: read back as %v", reason, err)
		}
	}
}

func FuzzReadReplyTakesOnlyWhatAppendReplyMakes(f *testing.F) {
	r := registry(f, "registry.example.com")
	f.Add(AppendReply(nil, material(f, r, "canary"), nil))
	f.Add([]byte("none\n"))
	f.Add([]byte("failed throttled\n"))
	f.Add([]byte("have 99999999999\n{}"))
	f.Fuzz(func(t *testing.T, in []byte) {
		m, err := readReply(bytes.NewReader(in))
		if err != nil {
			return
		}
		again, err := readReply(bytes.NewReader(AppendReply(nil, m, nil)))
		if err != nil || again.Fingerprint() != m.Fingerprint() {
			t.Errorf("material that was read from %q is not read again: %v", in, err)
		}
	})
}

func FuzzReadRequestHasOneSpelling(f *testing.F) {
	f.Add([]byte("material 1 ghcr.io/acme\n"))
	f.Add([]byte("material 1 [::1]:5000\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		r, err := ReadRequest(bytes.NewReader(in))
		if err != nil {
			return
		}
		if out := AppendRequest(nil, r); !bytes.HasPrefix(in, out) {
			t.Errorf("%q was read, but %q is how it is written", in, out)
		}
	})
}
