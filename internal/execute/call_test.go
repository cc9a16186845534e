//go:build unix

package execute

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestAnswer(t *testing.T) {
	t.Parallel()
	folder := behaving(t, Options{})
	for _, verb := range []string{"get", "store", "erase", "list", "version"} {
		got, err := folder.Run(context.Background(), Call{Type: "answer", Verb: verb, Stdin: []byte("ghcr.io")})
		if err != nil || got.ExitCode != 0 || len(got.Stderr) != 0 {
			t.Fatalf("%s: %v, exit %d, stderr %q", verb, err, got.ExitCode, got.Stderr)
		}
		if want := verb + " ghcr.io"; string(got.Stdout) != want {
			t.Errorf("answered %q, want %q", got.Stdout, want)
		}
	}
}

func TestExitStatusIsAResult(t *testing.T) {
	t.Parallel()
	got, err := behaving(t, Options{}).Run(context.Background(), Call{Type: "refuse", Verb: "get"})
	if err != nil {
		t.Fatal(err)
	}
	want := Result{Stdout: []byte("credentials not found in native keychain\n"), Stderr: []byte("hint: log in first\n"), ExitCode: 1}
	if !bytes.Equal(got.Stdout, want.Stdout) || !bytes.Equal(got.Stderr, want.Stderr) || got.ExitCode != want.ExitCode {
		t.Errorf("got %q %q %d", got.Stdout, got.Stderr, got.ExitCode)
	}
}

func TestSilenceIsAResult(t *testing.T) {
	t.Parallel()
	got, err := behaving(t, Options{}).Run(context.Background(), Call{Type: "silent", Verb: "get"})
	if err != nil || len(got.Stdout) != 0 || got.ExitCode != 0 {
		t.Errorf("got %q, exit %d, %v", got.Stdout, got.ExitCode, err)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	allowed := append(types(), "absent")
	folder := behaving(t, Options{Types: allowed})
	for name, test := range map[string]struct {
		call Call
		kind error
	}{
		"empty":           {Call{Type: "", Verb: "get"}, ErrName},
		"up":              {Call{Type: "../answer", Verb: "get"}, ErrName},
		"dots":            {Call{Type: "..", Verb: "get"}, ErrName},
		"slash":           {Call{Type: "x/answer", Verb: "get"}, ErrName},
		"NUL":             {Call{Type: "answer\x00", Verb: "get"}, ErrName},
		"capital":         {Call{Type: "Answer", Verb: "get"}, ErrName},
		"leading hyphen":  {Call{Type: "-answer", Verb: "get"}, ErrName},
		"whole file name": {Call{Type: Prefix + "answer", Verb: "get"}, ErrName},
		"not in the set":  {Call{Type: "other", Verb: "get"}, ErrName},
		"unknown verb":    {Call{Type: "answer", Verb: "delete"}, ErrName},
		"no verb":         {Call{Type: "answer"}, ErrName},
		"secret as verb":  {Call{Type: "answer", Verb: secret}, ErrName},
		"secret as type":  {Call{Type: secret, Verb: "get"}, ErrName},
		"not there":       {Call{Type: "absent", Verb: "get"}, ErrMissing},
		"NUL in a value":  {Call{Type: "answer", Verb: "get", Env: []string{"A=" + secret + "\x00"}}, ErrStart},
	} {
		t.Run(name, func(t *testing.T) {
			test.call.Started = func(int) { t.Error("it was started") }
			_, err := folder.Run(context.Background(), test.call)
			checkError(t, err, test.kind)
		})
	}
}

func TestNameOfTheSet(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "A", "a/b", "..", "-a", "a_b", "a.b", "a b", "\x00", "\u00e9", strings.Repeat("a", 33)} {
		if _, err := OpenFolder(helpersFolder, Options{Types: []string{"answer", bad}}); !errors.Is(err, ErrName) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, good := range []string{"a", "0", "a-", "ecr", "a-b-0", strings.Repeat("a", 32)} {
		if _, err := OpenFolder(helpersFolder, Options{Types: []string{good}}); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
}

// checkError checks that an error is of exactly one kind, and repeats nothing a
// helper printed.
func checkError(t testing.TB, err, kind error) {
	t.Helper()
	var typed *Error
	if !errors.As(err, &typed) {
		t.Fatalf("not an *Error: %v", err)
	}
	kinds := []error{ErrName, ErrMissing, ErrUntrusted, ErrStart, ErrDeadline, ErrCanceled, ErrOutput, ErrKilled}
	for _, k := range kinds {
		if errors.Is(err, k) != (k == kind) {
			t.Errorf("%q: matches %q: %v", err, k, errors.Is(err, k))
		}
	}
	if strings.Contains(err.Error(), secret) {
		t.Errorf("repeats what the helper printed: %q", err)
	}
	if text := err.Error(); strings.ContainsAny(text, "\n\r") || strings.HasSuffix(text, ".") {
		t.Errorf("not one line without a period: %q", text)
	}
}

func TestMaterial(t *testing.T) {
	t.Parallel()
	folder := behaving(t, Options{})
	for _, size := range []int{0, 1, 4096, 65536, 65537, 2 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			given := bytes.Repeat([]byte{0, 'k', '\n', 0xff}, size/4+1)[:size]
			got, err := folder.Run(context.Background(), Call{Type: "material", Verb: "get", Material: given})
			if err != nil {
				t.Fatal(err)
			}
			if want := fmt.Sprintf("%d %x", size, sha256.Sum256(given)); string(got.Stdout) != want {
				t.Errorf("the helper read %q, want %q (exit %d)", got.Stdout, want, got.ExitCode)
			}
		})
	}
	t.Run("none", func(t *testing.T) {
		got, err := folder.Run(context.Background(), Call{Type: "material", Verb: "get"})
		if err != nil || got.ExitCode != 3 {
			t.Errorf("exit %d, %v; want 3, which says that no descriptor was named", got.ExitCode, err)
		}
	})
}

// A helper is told of the time that is left when it starts.
func TestDeadlineIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // for a clock that stands still
		c := Call{Env: []string{"GOMAXPROCS=1"}, TellDeadline: true}
		for left, want := range map[time.Duration]string{10 * time.Second: "9s", 5 * time.Second: "4.5s", 0: "1ms"} {
			ctx, cancel := context.WithTimeout(t.Context(), left)
			defer cancel()
			if got := c.environment(ctx); !slices.Equal(got, []string{"GOMAXPROCS=1", "BETA9_CREDENTIAL_TIMEOUT=" + want}) {
				t.Errorf("got %q, want %s", got, want)
			}
			if got := (Call{}).environment(ctx); len(got) != 1 {
				t.Errorf("not asked for: %q", got)
			}
		}
		if got := c.environment(t.Context()); len(got) != 1 {
			t.Errorf("without a deadline: %q", got)
		}
	})
}

func TestDeafHelper(t *testing.T) {
	t.Parallel()
	much := make([]byte, 2<<20)
	got, err := behaving(t, Options{}).Run(context.Background(), Call{Type: "deaf", Verb: "store", Stdin: much, Material: much})
	if err != nil || string(got.Stdout) != "heard nothing" {
		t.Errorf("got %q, %v", got.Stdout, err)
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ given, want []string }{
		"nil":         {nil, []string{"GOMAXPROCS=2"}},
		"empty":       {[]string{}, []string{"GOMAXPROCS=2"}},
		"one":         {[]string{"A=b"}, []string{"A=b", "GOMAXPROCS=2"}},
		"limit given": {[]string{"GOMAXPROCS=1", "A="}, []string{"GOMAXPROCS=1", "A="}},
		"look-alike":  {[]string{"XGOMAXPROCS=1", "GOMAXPROC=1"}, []string{"XGOMAXPROCS=1", "GOMAXPROC=1", "GOMAXPROCS=2"}},
	} {
		t.Run(name, func(t *testing.T) {
			before := slices.Clone(test.given)
			if got := (Call{Env: test.given}).environment(context.Background()); got == nil || !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if !slices.Equal(before, test.given) {
				t.Errorf("changed the caller's list to %q", test.given)
			}
		})
	}
}

// TestNothingElse shows all that a child is given: its own argument, the
// environment of the call, three pipes and the material's.
func TestNothingElse(t *testing.T) {
	t.Parallel()
	open, err := os.Open(filepath.Join(helpersFolder, Prefix+"answer"))
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	newWitness(t) // a listening socket more
	// What a process was started with, and what foreign code opens, is not
	// close-on-exec.
	foreign, err := syscall.Dup(int(open.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(foreign)
	before := os.Environ()

	path, err := filepath.EvalSymlinks(filepath.Join(helpersFolder, Prefix+"dump"))
	if err != nil {
		t.Fatal(err)
	}
	common := []string{`arg "docker-credential-beta9-dump"`, `arg "get"`, fmt.Sprintf("exe %q", path), `dir "/"`, "leader true", "fd 0", "fd 1", "fd 2"}
	for name, test := range map[string]struct {
		call Call
		want []string
	}{
		"nil":      {Call{}, []string{`env "GOMAXPROCS=2"`}},
		"explicit": {Call{Env: []string{"A=b", "HOME=/nowhere"}}, []string{`env "A=b"`, `env "HOME=/nowhere"`, `env "GOMAXPROCS=2"`}},
		"material": {Call{Env: []string{"A=b"}, Material: []byte(secret)}, []string{`env "A=b"`, `env "GOMAXPROCS=2"`, `env "BETA9_CREDENTIAL_FD=3"`, "fd 3"}},
	} {
		t.Run(name, func(t *testing.T) {
			test.call.Type, test.call.Verb, test.call.Stdin = "dump", "get", []byte(secret)
			got, err := behaving(t, Options{}).Run(context.Background(), test.call)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(got.Stdout), secret) {
				t.Errorf("the secret shows:\n%s", got.Stdout)
			}
			var lines []string
			for line := range strings.Lines(string(got.Stdout)) {
				line = strings.TrimSuffix(line, "\n")
				if !strings.HasPrefix(line, "cmdline ") && !strings.HasPrefix(line, "environ ") {
					lines = append(lines, line)
				}
			}
			want := slices.Concat(test.want, common)
			slices.Sort(lines)
			slices.Sort(want)
			if !slices.Equal(lines, want) {
				t.Errorf("the child has\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
			}
		})
	}
	if !slices.Equal(before, os.Environ()) {
		t.Error("the environment of this process changed")
	}
}
