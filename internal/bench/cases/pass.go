package cases

import (
	"os"
	"os/exec"
	"path/filepath"
)

// keeper is whom the keys of pass are made for.
const keeper = "bench"

// passHome makes the home of a person who uses pass, with a key without a passphrase.
func (s *scene) passHome() []string {
	dir, env := s.home()
	gnupg := filepath.Join(dir, ".gnupg")
	s.do(os.Mkdir(gnupg, 0o700))
	for _, args := range [][]string{
		{"gpg", "--batch", "--pinentry-mode", "loopback", "--passphrase", "", "--quick-gen-key", keeper, "future-default", "default", "never"},
		{"pass", "init", keeper},
	} {
		s.tool(env, args...)
	}
	// The agent that gpg has started would outlive the case.
	s.Cleanup(func() { s.tool(env, "gpgconf", "--kill", "all") })
	return env
}

// tool runs a tool to its end.
func (s *scene) tool(env []string, args ...string) {
	cmd := exec.CommandContext(s.ctx, args[0], args[1:]...)
	cmd.Env, cmd.Dir = env, s.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		s.Fatalf("%s: %v: %s", args[0], err, firstLine(out))
	}
}
