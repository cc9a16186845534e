//go:build unix

package ecr

import (
	"context"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

func TestProgramsThatPrintKeys(t *testing.T) {
	t.Parallel()
	good := `{"Version":1,"AccessKeyId":"AKIAIOSFODNN7EXAMPLE","SecretAccessKey":"not-a-secret","SessionToken":"x","Expiration":"2030-01-01T00:00:00Z"}`
	tests := []struct {
		name, script string
		limit        time.Duration
		want         helpers.Reason
	}{
		{name: "keys", script: "echo '" + good + "'"},
		{name: "keys and noise on stderr", script: "echo not-a-secret >&2; echo '" + good + "'"},
		{name: "a child that goes on", script: "echo '" + good + "'; sleep 60 &"},
		{name: "the machine's environment", script: `test "$MARK" = given -a -z "$GOPATH$GOFLAGS$PWD_OF_TEST" && echo '` + good + `'`},
		{name: "the old spelling of version", script: `echo '{"version":1,"AccessKeyId":"x","SecretAccessKey":"y"}'`},
		{name: "no version", script: `echo '{"AccessKeyId":"x","SecretAccessKey":"y"}'`, want: helpers.BadAnswer},
		{name: "another version", script: `echo '{"Version":2,"AccessKeyId":"x","SecretAccessKey":"y"}'`, want: helpers.BadAnswer},
		{name: "no keys", script: `echo '{"Version":1}'`, want: helpers.BadMaterial},
		{name: "half a pair", script: `echo '{"Version":1,"AccessKeyId":"x"}'`, want: helpers.BadMaterial},
		{name: "nothing", script: "true", want: helpers.BadAnswer},
		{name: "garbage", script: "echo not-a-secret", want: helpers.BadAnswer},
		{name: "no end", script: "yes not-a-secret", want: helpers.BadAnswer},
		{name: "failure", script: "echo not-a-secret; echo not-a-secret >&2; exit 3", want: helpers.LoginRequired},
		{name: "no such program", script: "/none/not-a-program", want: helpers.LoginRequired},
		{name: "failure of the aws command", script: "exit 255", want: helpers.LoginRequired},
		{name: "killed", script: "kill -9 $$", want: helpers.Unavailable},
		{name: "hangs", script: "sleep 600", limit: 100 * time.Millisecond, want: helpers.Timeout},
		{name: "hangs in a child", script: "sleep 600 & wait", limit: 100 * time.Millisecond, want: helpers.Timeout},
		{name: "waits for stdin", script: "cat; echo '" + good + "'", want: ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if test.name == "waits for stdin" {
				test.script = "cat >/dev/null; echo '" + good + "'"
			}
			w.set("MARK", "given")
			w.write(".aws/config", "[default]\ncredential_process = "+w.write("program", "#!/bin/sh\n"+test.script+"\n")+"\n")
			ctx := t.Context()
			if test.limit > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, test.limit)
				defer cancel()
			}
			p := w.ambient(nil).plan(ctx, registry(t, plainHost))
			wants(t, p.err, "")
			m, err := p.identity.keys(ctx, reach{})
			wants(t, err, test.want)
			if err == nil && m.Value(accessKeyID) == "" {
				t.Error("there are no keys")
			}
		})
	}
}

// A program gets the machine's environment, without what is secret and no business of it, unless its command names that.
func TestTheEnvironmentOfAProgram(t *testing.T) {
	t.Parallel()
	kept := []string{
		"AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "GOOGLE_APPLICATION_CREDENTIALS",
		"GITHUB_ACTOR", "USERNAME", "BETA9_TOKEN", "MARK",
	}
	left := []string{
		"GITHUB_TOKEN", "GH_TOKEN", "NGC_API_KEY", "DOCKERHUB_TOKEN", "DOCKER_PASSWORD", "GCP_ACCESS_TOKEN", "GCP_SERVICE_ACCOUNT_JSON",
		"GOOGLE_APPLICATION_CREDENTIALS_JSON", "AZURE_CLIENT_SECRET", "ACR_TOKEN_PASSWORD", "REGISTRY_PASSWORD", "PASSWORD", "CI_REGISTRY_PASSWORD",
		"IBMCLOUD_API_KEY", "BETA9_CREDENTIAL_STORE", "BETA9_CREDENTIAL_KEYS", "BETA9_CREDENTIAL_FD", "BETA9_CREDENTIAL_DEBUG",
	}
	print := `echo '{"Version":1,"AccessKeyId":"AKIAIOSFODNN7EXAMPLE","SecretAccessKey":"not-a-secret"}'`
	for name, test := range map[string]struct {
		config string
		kept   []string
		left   []string
	}{
		"a command": {"credential_process = $PROGRAM", kept, left},
		"a command that names two": {"credential_process = A=$GITHUB_TOKEN B=\"${CI_REGISTRY_PASSWORD}\" $PROGRAM",
			append([]string{"GITHUB_TOKEN", "CI_REGISTRY_PASSWORD"}, kept...), append([]string{left[1]}, left[13:]...)},
		"the aws command": {"sso_start_url = https://x.example.com\nsso_region = us-east-1\nsso_account_id = 123456789012\nsso_role_name = r", kept, left},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for _, name := range append(kept, left...) {
				w.set(name, "given")
			}
			w.set("AWS_PROFILE", "p", "PATH", w.home+"/bin:"+w.env["PATH"])
			program := w.write("bin/aws", "#!/bin/sh\nenv >\"$HOME/env\"\n"+print+"\n")
			w.set(accessKeyID, "", secretAccessKey, "") // so that the profile counts
			w.write(".aws/config", "[profile p]\n"+strings.ReplaceAll(test.config, "$PROGRAM", program)+"\n")
			p := w.ambient(nil).plan(t.Context(), registry(t, plainHost))
			wants(t, p.err, "")
			_, err := p.identity.keys(t.Context(), reach{})
			wants(t, err, "")
			data, err := os.ReadFile(w.home + "/env")
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]bool{}
			for line := range strings.Lines(string(data)) {
				name, _, _ := strings.Cut(line, "=")
				got[name] = true
			}
			for _, name := range test.kept {
				if !got[name] {
					t.Errorf("it does not get %s", name)
				}
			}
			for _, name := range test.left {
				if got[name] {
					t.Errorf("it gets %s", name)
				}
			}
		})
	}
}

// A program that is killed takes along what it has started.
func TestAProgramEndsWithItsChildren(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write(".aws/config", "[default]\ncredential_process = "+w.write("program", "#!/bin/sh\nsleep 600 &\necho $! >\"$HOME/pid.new\"\nmv \"$HOME/pid.new\" \"$HOME/pid\"\nwait\n")+"\n")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	p := w.ambient(nil).plan(ctx, registry(t, plainHost))
	wants(t, p.err, "")
	done := make(chan error)
	go func() {
		_, err := p.identity.keys(ctx, reach{})
		done <- err
	}()
	pid := 0
	for pid == 0 {
		data, err := os.ReadFile(w.home + "/pid")
		if err == nil {
			pid, _ = strconv.Atoi(strings.TrimSpace(string(data)))
		}
		if ctx.Err() != nil {
			t.Fatal("the program did not start")
		}
	}
	cancel()
	wants(t, <-done, helpers.Canceled)
	for { // a process that was killed may still be on its way out, or wait for its parent to look
		if state := processState(pid); state == "" || state == "Z" {
			break
		}
		if t.Context().Err() != nil {
			t.Fatal("the child goes on")
		}
	}
}

// A helper is gone at its deadline: what kills the program comes before.
func TestAProgramEndsBeforeTheCall(t *testing.T) {
	t.Parallel()
	for _, left := range []time.Duration{time.Second, time.Minute} {
		ctx, cancel := context.WithTimeout(t.Context(), left)
		defer cancel()
		early, cancel := beforeItEnds(ctx)
		defer cancel()
		last, _ := ctx.Deadline()
		if end, ok := early.Deadline(); !ok || !end.Before(last) || last.Sub(end) > left/10 {
			t.Errorf("it ends at %v, for a call that ends at %v", end, last)
		}
	}
}

// processState returns the state of a process as the kernel tells it, or nothing when there is none.
func processState(pid int) string {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
			return ""
		}
		return "?"
	}
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
	return fields[0]
}

func TestFind(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, second := w.write("a/tool", "#!/bin/sh\n"), w.write("b/tool", "#!/bin/sh\n")
	if err := os.Chmod(first, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"":                                 "",
		"a:b":                              "", // relative folders are whoever's the working directory is
		w.home + "/none:" + w.home + "/b":  second,
		w.home + "/a:" + w.home + "/b":     second, // the first is not executable
		":" + w.home + "/b:" + w.home + "": second,
	} {
		if got := find("tool", path); got != want {
			t.Errorf("%q: found %q", path, got)
		}
	}
}

func TestThePartsOfAProgram(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.set("A", "1", "B", "2", "C", "3")
	c := &chain{machine: w.machine(nil)}
	i, err := c.process("p", `run "$B" ${A} $$ \$C`)
	wants(t, err, "")
	if want := []string{"process", "p", `run "$B" ${A} $$ \$C`, "$", "", "A", "1", "B", "2", "C", "3"}; !slices.Equal(i.parts, want) {
		t.Errorf("the parts are %q", i.parts)
	}
}
