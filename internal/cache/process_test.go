//go:build unix

package cache

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/file/filetest"
	"github.com/beam-cloud/docker-credential-beta9/internal/needs"
)

func TestMain(m *testing.M) {
	os.Exit(filetest.Main(m, map[string]filetest.Role{"get": get}))
}

// service is a token service that is reached over HTTP.
type service struct{ url, key string }

func (s service) Key(context.Context, helpers.Registry) (helpers.Key, error) {
	return helpers.Key{Token: s.key, Origin: "origin"}, nil
}

func (s service) Token(ctx context.Context, _ helpers.Registry) (helpers.Credential, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return helpers.Credential{}, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return helpers.Credential{}, &helpers.Failure{Reason: helpers.Unreachable, Text: "no connection", Cause: err}
	}
	defer response.Body.Close()
	secret, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return helpers.Credential{}, &helpers.Failure{Reason: helpers.Throttled, Text: response.Status, Cause: err}
	}
	return helpers.NewCredential("user", string(secret), time.Now().Add(time.Hour)), nil
}

// get asks the service at a URL through the cache, as a process that is set up as its second argument says, and prints
// the secret. The last argument is the key, behind a constant.
func get(args []string) error {
	err := map[string]func() error{
		"usual":     func() error { return nil },
		"nobody":    func() error { return syscall.Setuid(65534) },
		"nofile=16": func() error { return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 16, Max: 16}) },
		"fsize=0":   func() error { return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{}) },
	}[args[1]]()
	if err != nil {
		return err
	}
	key := args[2]
	if key == "own key" {
		key += args[3]
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := Open("test", os.Getenv, time.Now).Source(service{args[0], key}).Token(ctx, helpers.Registry{})
	if err != nil {
		return err
	}
	fmt.Println(c.Secret())
	return nil
}

// serve starts a token service that answers after 100 ms, with another secret each time, and counts. While hang is
// true it does not answer.
func serve(t *testing.T) (url string, calls *atomic.Int64, hang *atomic.Bool) {
	t.Helper()
	calls, hang = new(atomic.Int64), new(atomic.Bool)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := calls.Add(1)
		if hang.Load() {
			<-r.Context().Done()
			return
		}
		<-time.After(100 * time.Millisecond)
		fmt.Fprintf(w, "not-a-secret-%d", n)
	}))
	t.Cleanup(server.Close)
	return server.URL, calls, hang
}

func env(home string) []string { return []string{"BETA9_CREDENTIAL_HOME=" + home} }

func TestStampedeOfProcessesMakesOneCall(t *testing.T) {
	t.Parallel()
	url, calls, _ := serve(t)
	for round, processes := range []int{64, 20, 20, 20, 20, 20} {
		before := calls.Load()
		for _, secret := range filetest.RunMany(t, processes, "get", env(t.TempDir()), url, "usual", "one key") {
			if want := fmt.Sprintf("not-a-secret-%d\n", before+1); secret != want {
				t.Errorf("round %d: %q, want %q", round, secret, want)
			}
		}
		if n := calls.Load() - before; n != 1 {
			t.Errorf("round %d: %d processes made %d calls", round, processes, n)
		}
	}
}

func TestManyKeysLoseNoEntry(t *testing.T) {
	t.Parallel()
	const processes = 200
	url, calls, _ := serve(t)
	home := t.TempDir()
	first := filetest.RunMany(t, processes, "get", env(home), url, "usual", "own key")
	r := &rig{t: t, home: home}
	if n := len(r.files()); n != processes || calls.Load() != processes {
		t.Errorf("%d entries after %d calls for %d keys", n, calls.Load(), processes)
	}
	for i := 0; i < processes; i += 20 {
		again := filetest.Run(t, "get", env(home), url, "usual", "own key", fmt.Sprint(i))
		if again != first[i] {
			t.Errorf("key %d: %q, then %q", i, first[i], again)
		}
	}
	if calls.Load() != processes {
		t.Error("an entry was not used")
	}
}

func TestP4KilledProcessFreesTheLock(t *testing.T) {
	t.Parallel()
	url, calls, hang := serve(t)
	home := t.TempDir()
	hang.Store(true)
	cmd := filetest.Process(t, "get", env(home), url, "usual", "one key")
	do(t, cmd.Start())
	for calls.Load() == 0 {
		<-time.After(time.Millisecond) // until it has the lock, and waits for the service
	}
	next := filetest.Process(t, "get", env(home), url, "usual", "one key")
	stdout, err := next.StdoutPipe()
	do(t, err)
	do(t, next.Start())
	hang.Store(false)
	do(t, cmd.Process.Kill())
	cmd.Wait()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "not-a-secret-") {
		t.Errorf("the next one says %q, %v", line, err)
	}
	do(t, next.Wait())
	if files := (&rig{t: t, home: home}).files(); len(files) != 1 || calls.Load() != 2 {
		t.Errorf("after %d calls there is %v", calls.Load(), files)
	}
}

func TestP9LittleToLiveOn(t *testing.T) {
	t.Parallel()
	url, calls, _ := serve(t)
	home := t.TempDir()
	for _, step := range []struct {
		setup string
		calls int64
		files int
	}{
		{"fsize=0", 1, 0},   // nothing can be written
		{"nofile=16", 2, 1}, // one is
		{"nofile=16", 2, 1}, // and used
		{"fsize=0", 2, 1},
	} {
		filetest.Run(t, "get", env(home), url, step.setup, "one key")
		if n, files := calls.Load(), (&rig{t: t, home: home}).files(); n != step.calls || len(files) != step.files {
			t.Errorf("%s: %d calls, %v", step.setup, n, files)
		}
	}
	filetest.Run(t, "get", nil, url, "usual", "one key") // without any environment
	if calls.Load() != 3 {
		t.Errorf("%d calls", calls.Load())
	}
}

func TestP7WithoutRights(t *testing.T) {
	t.Parallel()
	needs.Root(t)
	url, calls, _ := serve(t)
	for name, tt := range map[string]struct {
		make  func(t *testing.T, home string)
		calls int64 // for one get of what is there, and one of what is not
	}{
		"read-only": {func(t *testing.T, home string) {
			do(t, os.Chmod(filepath.Join(home, "tokens"), 0o500))
		}, 1},
		"folder of somebody else": {func(t *testing.T, home string) {
			do(t, os.Chown(filepath.Join(home, "tokens"), 0, 0))
			do(t, os.Chmod(filepath.Join(home, "tokens"), 0o777))
		}, 2},
		"unreadable": {func(t *testing.T, home string) {
			do(t, os.Chmod(filepath.Join(home, "tokens"), 0))
		}, 2},
		"key unreadable": {func(t *testing.T, home string) {
			do(t, os.Chmod(filepath.Join(home, "key"), 0))
		}, 2},
		"nothing may be made": {func(t *testing.T, home string) {
			do(t, os.RemoveAll(filepath.Join(home, "tokens")))
			do(t, os.Chmod(home, 0o500))
		}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			top, err := os.MkdirTemp("", "nobody") // the folder of t.TempDir cannot be entered by others
			do(t, err)
			t.Cleanup(func() { os.RemoveAll(top) })
			home := filepath.Join(top, "b9")
			do(t, os.Mkdir(home, 0o700))
			for _, path := range []string{top, home} {
				do(t, os.Chown(path, 65534, 65534))
			}
			filetest.Run(t, "get", env(home), url, "nobody", "one key")
			tt.make(t, home)
			before := calls.Load()
			for _, key := range []string{"one key", "another key"} {
				if got := filetest.Run(t, "get", env(home), url, "nobody", key); !strings.HasPrefix(got, "not-a-secret-") {
					t.Errorf("%s: %q", key, got)
				}
			}
			if n := calls.Load() - before; n != tt.calls {
				t.Errorf("%d calls, want %d", n, tt.calls)
			}
		})
	}
}
