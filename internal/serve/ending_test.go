package serve_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/internal/serve"
)

// bubble runs f with a pipe that nobody reads, in the time of testing/synctest.
func bubble(t *testing.T, f func(unread io.Writer)) {
	synctest.Test(t, func(*testing.T) {
		reader, writer := io.Pipe()
		f(writer)
		reader.Close()
		time.Sleep(time.Minute) // takes none: what was left behind ends
	})
}

// ended carries out a call and returns the exit code by which it ends, be it of itself or because it is stuck.
func ended(verb string, stdout, stderr io.Writer, env ...string) int {
	code := make(chan int, 2)
	go func() {
		code <- serve.Run(context.Background(), kinds["ghcr"], serve.Process{
			Args: []string{verb}, Stdin: strings.NewReader("ghcr.io"), Stdout: stdout, Stderr: stderr, Environ: env,
			Exit: func(c int) { code <- c },
		})
	}()
	return <-code
}

// Nobody has to read what is said besides: the answer is there, and the exit code is the answer's.
func TestNobodyReadsStderr(t *testing.T) {
	t.Parallel()
	h := home(t)
	for env, want := range map[string]string{"GITHUB_TOKEN=t": answer("ghcr.io", "x-access-token", "t"), "": none} {
		bubble(t, func(unread io.Writer) {
			var stdout bytes.Buffer
			code := ended("get", &stdout, unread, h, env, "BETA9_CREDENTIAL_DEBUG=1")
			if stdout.String() != want || (code == 0) != (want != none) {
				t.Errorf("exit code %d, stdout %q, want %q", code, stdout.String(), want)
			}
		})
	}
}

// Whatever is printed, somebody has to take it, or the call fails within its deadline.
func TestNobodyReadsStdout(t *testing.T) {
	t.Parallel()
	h := home(t)
	for _, verb := range []string{"get", "list", "version", "--help", "no verb"} {
		bubble(t, func(unread io.Writer) {
			if code := ended(verb, unread, io.Discard, h); code != 1 {
				t.Errorf("%s: exit code %d", verb, code)
			}
		})
	}
}

// slow takes what is printed after a while.
type slow struct{ bytes.Buffer }

func (s *slow) Write(p []byte) (int, error) {
	time.Sleep(100 * time.Millisecond) // the bubble's
	return s.Buffer.Write(p)
}

// A call of which the time is over still has the time to say so.
func TestTheShortestTimeout(t *testing.T) {
	t.Parallel()
	h := home(t)
	bubble(t, func(io.Writer) {
		var stdout slow
		code := ended("get", &stdout, io.Discard, h, "GITHUB_TOKEN=t", "BETA9_CREDENTIAL_TIMEOUT=1ns")
		if want := answer("ghcr.io", "x-access-token", "t"); code != 0 || stdout.String() != want {
			t.Errorf("exit code %d, stdout %q, want %q", code, stdout.String(), want)
		}
	})
}
