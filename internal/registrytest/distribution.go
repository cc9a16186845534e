package registrytest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/beam-cloud/docker-credential-beta9/internal/needs"
)

// ErrNoDistribution is returned by [New] where the docker-registry program is not installed.
var ErrNoDistribution = errors.New("no docker-registry process")

// publisher is the account by which this package itself reaches a docker-registry process.
const publisher = "registrytest-publisher"

// distribution is a docker-registry process with a folder of its own.
type distribution struct {
	dir       string
	url       *url.URL
	authorize func(*http.Request)
	end       context.CancelFunc // asks the process to stop
	ended     chan struct{}      // closed when it has
}

// startDistribution returns once the process listens.
func startDistribution(o Options, tokens *tokenServer) (_ *distribution, err error) {
	program, err := needs.Find("docker-registry")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoDistribution, err)
	}
	dir, err := os.MkdirTemp("", "docker-registry-")
	if err != nil {
		return nil, err
	}
	d := &distribution{dir: dir, authorize: func(*http.Request) {}, end: func() {}, ended: make(chan struct{})}
	defer func() {
		if err != nil {
			os.RemoveAll(dir)
		}
	}()
	config, err := d.configure(o, tokens)
	if err != nil {
		return nil, err
	}
	address, err := d.run(program, config)
	if err != nil {
		return nil, err
	}
	d.url = &url.URL{Scheme: "http", Host: address}
	return d, nil
}

// configure writes the process's files and returns the path of the first, see
// https://distribution.github.io/distribution/about/configuration/. JSON is YAML.
func (d *distribution) configure(o Options, tokens *tokenServer) (string, error) {
	config := map[string]any{
		"version": "0.1",
		"log":     map[string]any{"level": "info", "accesslog": map[string]any{"disabled": true}},
		"storage": map[string]any{
			"filesystem":  map[string]any{"rootdirectory": filepath.Join(d.dir, "storage")},
			"delete":      map[string]any{"enabled": true},
			"maintenance": map[string]any{"uploadpurging": map[string]any{"enabled": false}},
		},
		"http": map[string]any{"addr": "127.0.0.1:0", "secret": rand.Text()},
	}
	switch o.Auth {
	case Basic:
		accounts, err := d.htpasswd(o.Accounts)
		if err != nil {
			return "", err
		}
		config["auth"] = map[string]any{"htpasswd": map[string]any{"realm": "test registry", "path": accounts}}
	case Bearer:
		bundle := filepath.Join(d.dir, "token.pem")
		if err := os.WriteFile(bundle, tokens.signer.bundle, 0o600); err != nil {
			return "", err
		}
		config["auth"] = map[string]any{"token": map[string]any{
			"realm": tokens.realm, "service": tokens.service, "issuer": tokens.realm, "rootcertbundle": bundle,
		}}
		d.authorize = func(req *http.Request) {
			everything := access{Type: "repository", Name: repositoryOf(req.URL.Path), Actions: []string{"pull", "push"}}
			token, err := tokens.sign(publisher, []access{everything}, time.Now())
			if err == nil { // without a token the process refuses, and says so
				req.Header.Set("Authorization", "Bearer "+token)
			}
		}
	}
	data, err := json.Marshal(config)
	if err != nil {
		return "", err
	}
	path := filepath.Join(d.dir, "config.yml")
	return path, os.WriteFile(path, data, 0o600)
}

// htpasswd writes the accounts and this package's own, and returns the file's path.
func (d *distribution) htpasswd(accounts map[string]string) (string, error) {
	var lines bytes.Buffer
	add := func(user, password string) error {
		hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost) // nothing here is worth more time
		if err != nil {
			return fmt.Errorf("account %s: %w", user, err)
		}
		fmt.Fprintf(&lines, "%s:%s\n", user, hash)
		return nil
	}
	own := rand.Text()
	d.authorize = func(req *http.Request) { req.SetBasicAuth(publisher, own) }
	if err := add(publisher, own); err != nil {
		return "", err
	}
	for user, password := range accounts {
		if err := add(user, password); err != nil {
			return "", err
		}
	}
	path := filepath.Join(d.dir, "htpasswd")
	return path, os.WriteFile(path, lines.Bytes(), 0o600)
}

// listening is the line by which the process says where it does.
var listening = regexp.MustCompile(`listening on (127\.0\.0\.1:[0-9]+)`)

// run starts the process and returns the address it listens on.
func (d *distribution) run(program, config string) (string, error) {
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, "serve", config)
	cmd.Dir = d.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")} // REGISTRY_* in ours would override the file
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second // it ends at once; this is for one that hangs
	dieWithParent(cmd)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		cancel()
		return "", err
	}

	type start struct {
		address string
		err     error
	}
	started := make(chan start, 1)
	go func() {
		// The kernel ties the child's life to the thread that made it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(d.ended)
		if err := cmd.Start(); err != nil {
			started <- start{err: err}
			return
		}
		said, told := "", false
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			if m := listening.FindStringSubmatch(lines.Text()); m != nil && !told {
				started <- start{address: m[1]}
				told = true
			}
			said = lines.Text()
		}
		err := cmd.Wait()
		if !told {
			started <- start{err: fmt.Errorf("docker-registry ended: %v: %s", err, said)}
		}
	}()
	s := <-started
	if s.err != nil {
		cancel()
		<-d.ended
		return "", s.err
	}
	d.end = cancel
	return s.address, nil
}

// stop ends the process and removes its folder.
func (d *distribution) stop() error {
	d.end()
	<-d.ended
	return os.RemoveAll(d.dir)
}
