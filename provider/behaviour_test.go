//go:build unix

package provider

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// canary is printed by the helpers that fail, in the place of a secret. No error may repeat it.
const canary = "canary-7d2f9a"

// behaviours are what a helper of these tests may do. Each gets the server URL and the folder that the helper lies in,
// and returns the exit status.
var behaviours = map[string]func(serverURL, folder string) int{
	"honest":     honest,
	"gated":      gated,
	"turnstile":  turnstile,
	"none":       func(string, string) int { return say(helpers.ErrNotFound.Error()+"\n", 1) },
	"ended":      func(string, string) int { return say("canceled: "+canary+"\n", 1) },
	"throttled":  func(string, string) int { return say("throttled: "+canary+"\n", 1) },
	"mute":       func(string, string) int { return say("", 1) },
	"babble":     func(string, string) int { return say("no reason, but "+canary+"\n", 1) },
	"silent":     func(string, string) int { return say("", 0) },
	"garbage":    func(string, string) int { return say(canary+" {", 0) },
	"two":        func(u, _ string) int { return say(answerOf(u, "u", canary, "")+answerOf(u, "u", canary, ""), 0) },
	"liar":       func(string, string) int { return say(answerOf("https://other.example.com", "u", canary, ""), 0) },
	"bell":       func(u, _ string) int { return say(answerOf(u, "u\\u0007", canary, ""), 0) },
	"no-secret":  func(u, _ string) int { return say(answerOf(u, "u", "", ""), 0) },
	"expired":    func(u, _ string) int { return say(answerOf(u, "u", canary, "2001-01-01T00:00:00Z"), 0) },
	"undated":    func(u, _ string) int { return say(answerOf(u, "u", canary, canary), 0) },
	"identity":   func(u, _ string) int { return say(answerOf(u, "<token>", "identity-token", ""), 0) },
	"hint":       hint,
	"hang":       hang,
	"linger":     linger,
	"grandchild": grandchild,
	"flood":      flood,
	"suicide":    func(string, string) int { return die() },
}

// behave is the main of a helper.
func behave() int {
	self, err := os.Executable()
	if err != nil {
		return 9
	}
	folder := filepath.Dir(self)
	behaviour, err := os.ReadFile(filepath.Join(folder, "behaviour"))
	if err != nil {
		return 9
	}
	f := behaviours[string(behaviour)]
	if len(os.Args) == 2 && os.Args[1] == "grandchild" {
		return grandchild("", folder)
	}
	serverURL, err := io.ReadAll(os.Stdin)
	if err != nil || f == nil {
		return 9
	}
	if err := report(folder, string(serverURL)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 9
	}
	return f(string(serverURL), folder)
}

// report appends to a file of the folder that the helper was run, and with what: one line for each run.
func report(folder, serverURL string) error {
	f, err := os.OpenFile(filepath.Join(folder, "runs"), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	wd, err := os.Getwd()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%s %s\x00%s\x00%s\n", strings.Join(os.Args, " "), serverURL, wd, strings.Join(os.Environ(), "\x00"))
	return err
}

func say(s string, code int) int {
	fmt.Print(s)
	return code
}

func answerOf(serverURL, username, secret, expires string) string {
	return fmt.Sprintf(`{"ServerURL":%q,"Username":"%s","Secret":%q,"ExpiresAt":%q}`+"\n", serverURL, username, secret, expires)
}

// honest answers with the password of its material, and with how often this folder's helpers were run.
func honest(serverURL, folder string) int {
	username, secret := "ambient", "ambient"
	if fd, ok := os.LookupEnv("BETA9_CREDENTIAL_FD"); ok {
		n, _ := strconv.Atoi(fd)
		blob, err := io.ReadAll(os.NewFile(uintptr(n), "material"))
		if err != nil {
			return say("internal: material\n", 1)
		}
		m, err := helpers.ParseMaterial(blob)
		if err != nil {
			return say("bad_material: material\n", 1)
		}
		username, secret = m.Value("USERNAME"), m.Value("PASSWORD")+m.Value("DOCKERHUB_PASSWORD")+m.Value("AWS_SECRET_ACCESS_KEY")
		if seen(secret) {
			return say("internal: the secret is to be seen in /proc\n", 1)
		}
	}
	expires := ""
	if life, err := os.ReadFile(filepath.Join(folder, "life")); err == nil {
		d, err := time.ParseDuration(string(life))
		if err != nil {
			return 9
		}
		expires = clockOf(folder).Add(d).Format(time.RFC3339Nano)
	}
	runs, err := os.ReadFile(filepath.Join(folder, "runs"))
	if err != nil {
		return 9
	}
	return say(answerOf(serverURL, username, fmt.Sprintf("%s/%d", secret, bytes.Count(runs, []byte("\n"))), expires), 0)
}

// seen tells whether the secret stands in what other processes of the same user may read of this one.
func seen(secret string) bool {
	for _, name := range []string{"environ", "cmdline"} {
		data, err := os.ReadFile("/proc/self/" + name)
		if err == nil && bytes.Contains(data, []byte(secret)) {
			return true
		}
	}
	return false
}

// clockOf reads the clock of the test.
func clockOf(folder string) time.Time {
	data, err := os.ReadFile(filepath.Join(folder, "clock"))
	if err != nil {
		return time.Now()
	}
	now, err := time.Parse(time.RFC3339Nano, string(data))
	if err != nil {
		return time.Time{}
	}
	return now
}

// gated is honest once the test has opened and closed the gate.
func gated(serverURL, folder string) int {
	gate, err := os.Open(filepath.Join(folder, "gate"))
	if err != nil {
		return 9
	}
	if _, err := io.ReadAll(gate); err != nil {
		return 9
	}
	return honest(serverURL, folder)
}

// turnstile is honest, once the test has put a byte into the pipe for it when there is one for the registry's first label.
func turnstile(serverURL, folder string) int {
	label, _, _ := strings.Cut(serverURL, ".")
	pipe, err := os.Open(filepath.Join(folder, label))
	if err == nil {
		if _, err := pipe.Read(make([]byte, 1)); err != nil {
			return 9
		}
	} else if !os.IsNotExist(err) {
		return 9
	}
	return honest(serverURL, folder)
}

// hint fails with advice, in which there is a byte that a terminal would act on.
func hint(string, string) int {
	fmt.Fprint(os.Stderr, "looked here and there\nhint: run aws sso login\x1b[2J\n")
	return say("login_required: over\n", 1)
}

func hang(string, string) int {
	fmt.Print(canary)
	select {}
}

func flood(string, string) int {
	block := bytes.Repeat([]byte(canary), 1<<16)
	for {
		if _, err := os.Stdout.Write(block); err != nil {
			return 0
		}
	}
}

// linger answers well, and leaves a child behind that holds its output.
func linger(serverURL, folder string) int {
	self, err := os.Executable()
	if err != nil {
		return 9
	}
	child := exec.Command(self, "grandchild")
	child.Args[0] = os.Args[0]
	child.Stdout, child.Stderr = os.Stdout, os.Stderr
	alive, err := os.OpenFile(filepath.Join(folder, "alive"), os.O_WRONLY, 0)
	if err != nil {
		return 9
	}
	child.ExtraFiles = []*os.File{alive}
	if err := child.Start(); err != nil {
		return 9
	}
	return honest(serverURL, folder)
}

// grandchild holds what it was given until it is killed.
func grandchild(string, string) int { select {} }

func die() int {
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		return 9
	}
	_ = self.Kill()
	select {}
}
