//go:build linux || darwin

package listener

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/needs"
	"github.com/beam-cloud/docker-credential-beta9/internal/socket"
)

// TestMain lets the test binary stand in for the process of another user.
func TestMain(m *testing.M) {
	switch path := os.Getenv("SOCKET_TEST_PATH"); os.Getenv("SOCKET_TEST_ROLE") {
	case "client":
		conn, err := net.Dial("unix", path)
		if err != nil {
			fmt.Print(err)
			os.Exit(1)
		}
		_, _ = conn.Write(socket.AppendRequest(nil, must(helpers.ParseServerURL("ghcr.io"))))
		reply, _ := io.ReadAll(conn)
		fmt.Printf("reply of %d bytes", len(reply))
		os.Exit(0)
	case "server":
		l, err := net.Listen("unix", path)
		if err == nil {
			err = os.Chmod(path, 0o666)
		}
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("ready")
		conn, err := l.Accept()
		if err != nil {
			os.Exit(1)
		}
		got, _ := io.ReadAll(conn)
		fmt.Printf("request of %d bytes", len(got))
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// source is a helpers.Source made of a function.
type source func(ctx context.Context, r helpers.Registry) (helpers.Material, error)

func (f source) Material(ctx context.Context, r helpers.Registry) (helpers.Material, error) {
	return f(ctx, r)
}

func registry(t *testing.T, s string) helpers.Registry {
	t.Helper()
	r, err := helpers.ParseServerURL(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func material(t *testing.T, r helpers.Registry, secret string) helpers.Material {
	t.Helper()
	row, _ := helpers.TypeNamed("generic")
	m, err := helpers.NewMaterial(row, r, map[string]string{"USERNAME": "u", "PASSWORD": secret})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func privateFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "socket")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func listen(t *testing.T, s helpers.Source) string {
	t.Helper()
	path := filepath.Join(privateFolder(t), "s")
	l, err := Listen(path, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the socket is still there: %v", err)
		}
	})
	return path
}

func TestThreeOutcomes(t *testing.T) {
	t.Parallel()
	have := registry(t, "registry.example.com/acme/app")
	want := material(t, have, "canary").WithScope("acme")
	path := listen(t, source(func(_ context.Context, r helpers.Registry) (helpers.Material, error) {
		switch r.Host() {
		case "registry.example.com":
			return want, nil
		case "none.example.com":
			return helpers.Material{}, helpers.ErrNotFound
		}
		return helpers.Material{}, helpers.Fail(helpers.Unavailable, "the store is away", "")
	}))
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of the socket: %v, %v", info.Mode(), err)
	}
	if m, err := socket.Ask(t.Context(), path, have); err != nil || m.Fingerprint() != want.Fingerprint() {
		t.Errorf("have: %v", err)
	}
	if _, err := socket.Ask(t.Context(), path, registry(t, "none.example.com")); !errors.Is(err, helpers.ErrNotFound) {
		t.Errorf("none: %v", err)
	}
	if _, err := socket.Ask(t.Context(), path, registry(t, "failed.example.com")); !errors.Is(err, helpers.Unavailable) {
		t.Errorf("failed: %v", err)
	}
}

func TestMaterialOfAnotherRegistryIsRefused(t *testing.T) {
	t.Parallel()
	m := material(t, registry(t, "registry.example.com"), "canary").WithScope("acme")
	path := listen(t, source(func(context.Context, helpers.Registry) (helpers.Material, error) { return m, nil }))
	if _, err := socket.Ask(t.Context(), path, registry(t, "registry.example.com")); err != nil {
		t.Errorf("a registry whose scope is not known: %v", err)
	}
	for _, name := range []string{"other.example.com", "registry.example.com:5000", "registry.example.com/acmeevil/x"} {
		if _, err := socket.Ask(t.Context(), path, registry(t, name)); !errors.Is(err, helpers.WrongHost) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	path := listen(t, source(func(_ context.Context, r helpers.Registry) (helpers.Material, error) {
		calls.Add(1)
		return material(t, r, "secret of "+r.HostPort()), nil
	}))
	const clients = 4 * maxConnections
	var wait sync.WaitGroup
	for i := range clients {
		r := registry(t, fmt.Sprintf("r%d.example.com", i))
		wait.Go(func() {
			m, err := socket.Ask(t.Context(), path, r)
			if err != nil || m.Value("PASSWORD") != "secret of "+r.HostPort() {
				t.Errorf("%s: %v", r, err)
			}
		})
	}
	wait.Wait()
	if calls.Load() != clients {
		t.Errorf("the source was asked %d times by %d clients", calls.Load(), clients)
	}
}

func TestLargestMaterial(t *testing.T) {
	t.Parallel()
	secret := make([]byte, helpers.MaxSecret)
	for i := range secret {
		secret[i] = 'a' + byte(i%26)
	}
	path := listen(t, source(func(_ context.Context, r helpers.Registry) (helpers.Material, error) {
		return material(t, r, string(secret)), nil
	}))
	m, err := socket.Ask(t.Context(), path, registry(t, "registry.example.com"))
	if err != nil || m.Value("PASSWORD") != string(secret) {
		t.Errorf("a secret of 1 MiB: %v", err)
	}
}

// The reply of a server that is not ours, or has gone wrong, byte by byte.
func TestRepliesThatAreRefused(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		reply string
		want  helpers.Reason
	}{
		"nothing":           {"", helpers.Unreachable},
		"no line feed":      {"none", helpers.Unreachable},
		"an unknown word":   {"maybe\n", helpers.BadAnswer},
		"a long line":       {"have 111111111111111111111111111111111111111111111111111111111111111\n", helpers.BadAnswer},
		"a negative length": {"have -1\n", helpers.BadAnswer},
		"a huge length":     {"have 4294967295\n", helpers.BadAnswer},
		"a cut blob":        {"have 10\n{}", helpers.Unreachable},
		"bytes behind":      {"have 2\n{}x", helpers.BadAnswer},
		"no material":       {"have 2\n{}", helpers.BadMaterial},
		"an unknown reason": {"failed canary-reason\n", helpers.Internal},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(privateFolder(t), "s")
			l, err := net.Listen("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			done := make(chan struct{})
			go func() {
				defer close(done)
				conn, err := l.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				_, _ = socket.ReadRequest(conn)
				_, _ = conn.Write([]byte(tt.reply))
			}()
			_, err = socket.Ask(t.Context(), path, registry(t, "registry.example.com"))
			if helpers.ReasonOf(err) != tt.want {
				t.Errorf("reason %q, want %q", helpers.ReasonOf(err), tt.want)
			}
			<-done
		})
	}
}

func TestAskEndsWithItsContext(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{})
	path := listen(t, source(func(ctx context.Context, _ helpers.Registry) (helpers.Material, error) {
		close(asked)
		<-ctx.Done()
		return helpers.Material{}, ctx.Err()
	}))
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	if _, err := socket.Ask(ctx, path, registry(t, "ghcr.io")); !errors.Is(err, helpers.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

func TestCloseBreaksOffWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{})
	path := filepath.Join(privateFolder(t), "s")
	l, err := Listen(path, source(func(ctx context.Context, _ helpers.Registry) (helpers.Material, error) {
		close(asked)
		<-ctx.Done()
		return helpers.Material{}, ctx.Err()
	}))
	if err != nil {
		t.Fatal(err)
	}
	silent, err := net.Dial("unix", path) // connects and never asks
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	result := make(chan error, 1)
	go func() {
		_, err := socket.Ask(context.Background(), path, registry(t, "ghcr.io"))
		result <- err
	}()
	<-asked
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-result; !errors.Is(err, helpers.Unreachable) {
		t.Errorf("the client was told %v", err)
	}
	if err := l.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	if _, err := socket.Ask(t.Context(), path, registry(t, "ghcr.io")); !errors.Is(err, helpers.Unreachable) {
		t.Errorf("after close: %v", err)
	}
}

func TestListenRefuses(t *testing.T) {
	t.Parallel()
	nobody := source(nil)
	open := filepath.Join(privateFolder(t), "open")
	if err := os.Mkdir(open, 0o755); err != nil {
		t.Fatal(err)
	}
	taken := filepath.Join(privateFolder(t), "s")
	if err := os.WriteFile(taken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	long := filepath.Join(privateFolder(t), fmt.Sprintf("%0*d", maxPath, 0))
	for name, path := range map[string]string{
		"relative": "s", "a folder that others may enter": filepath.Join(open, "s"), "taken": taken, "long": long,
		"no folder": filepath.Join(open, "missing", "s"),
	} {
		l, err := Listen(path, nobody)
		if err == nil {
			l.Close()
			t.Errorf("%s: listens", name)
		} else if _, ok := errors.AsType[*helpers.Failure](err); !ok {
			t.Errorf("%s: %T", name, err)
		}
	}
}

// asNobody runs this test binary as another user, in a role of TestMain.
func asNobody(t *testing.T, dir, role, path string) *exec.Cmd {
	t.Helper()
	needs.Root(t)
	binary := filepath.Join(dir, role)
	data, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		needs.Missing(t, "no /proc: run the test on Linux")
	}
	if err := os.WriteFile(binary, data, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary)
	cmd.Env = []string{"SOCKET_TEST_ROLE=" + role, "SOCKET_TEST_PATH=" + path}
	const nobody = 65534 // on every Linux
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	return cmd
}

func TestAnotherUserGetsNothing(t *testing.T) {
	t.Parallel()
	path := listen(t, source(func(context.Context, helpers.Registry) (helpers.Material, error) {
		t.Error("the source was asked for another user")
		return helpers.Material{}, helpers.ErrNotFound
	}))
	// What keeps others out, besides the check of the peer, is taken away.
	if err := errors.Join(os.Chmod(filepath.Dir(path), 0o755), os.Chmod(path, 0o666)); err != nil {
		t.Fatal(err)
	}
	out, err := asNobody(t, filepath.Dir(path), "client", path).CombinedOutput()
	if err != nil || string(out) != "reply of 0 bytes" {
		t.Errorf("the other user got: %s, %v", out, err)
	}
}

func TestAskTellsNothingToAnotherUser(t *testing.T) {
	t.Parallel()
	dir := privateFolder(t)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	cmd := asNobody(t, dir, "server", path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make([]byte, len("ready\n"))
	if _, err := io.ReadFull(out, ready); err != nil || string(ready) != "ready\n" {
		t.Fatalf("the other server: %q, %v", ready, err)
	}
	if _, err := socket.Ask(t.Context(), path, registry(t, "ghcr.io")); !errors.Is(err, helpers.AccessDenied) {
		t.Errorf("asked a socket of another user: %v", err)
	}
	if rest, err := io.ReadAll(out); err != nil || string(rest) != "request of 0 bytes" {
		t.Errorf("the other server got: %s, %v", rest, err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
