package secretstest

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/beam-cloud/docker-credential-beta9/internal/needs"
)

// serverVariable names a running PostgreSQL server, by the address of a database that a superuser can connect to. With
// it, tests make their databases there; without it, they start a server of their own.
const serverVariable = "BETA9_TEST_POSTGRES"

// A Cluster is a PostgreSQL server of a test, which listens on a socket in a folder of its own, and but for
// [PostgresOverTCP] nowhere else.
type Cluster struct {
	bin, dir string
	listen   string // the addresses that it listens at, beside the socket
	port     int
	process  *exec.Cmd
	ended    chan struct{}
}

// usualPort is that of PostgreSQL, which is a part of the name of its socket.
const usualPort = 5432

// NewCluster starts a server that the test may kill. It is gone at the end of the test.
func NewCluster(t testing.TB) *Cluster {
	t.Helper()
	return must(newCluster(needs.Postgres(t), "", usualPort))(t).until(t)
}

// until has the server gone at the end of the test.
func (c *Cluster) until(t testing.TB) *Cluster {
	t.Cleanup(c.remove)
	return c
}

func newCluster(bin, listen string, port int) (*Cluster, error) {
	dir, err := os.MkdirTemp("", "beta9-postgres-")
	if err != nil {
		return nil, err
	}
	c := &Cluster{bin: bin, dir: dir, listen: listen, port: port}
	if err := give(dir); err != nil {
		c.remove()
		return nil, err
	}
	initdb := c.command("initdb", "--auth-local=trust", "--auth-host=scram-sha-256", "--username=postgres", "--encoding=UTF8", "--locale=C",
		"--no-sync", "-D", filepath.Join(dir, "data"))
	if out, err := initdb.CombinedOutput(); err != nil {
		c.remove()
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	if err := c.start(); err != nil {
		c.remove()
		return nil, err
	}
	return c, nil
}

// command makes a command that runs as a user whom PostgreSQL accepts.
func (c *Cluster) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.bin, name), args...)
	cmd.Dir = c.dir
	cmd.Env = []string{"LC_ALL=C", "HOME=" + c.dir}
	confine(cmd)
	return cmd
}

// Start starts the server again after [Cluster.Kill].
func (c *Cluster) Start(t testing.TB) {
	t.Helper()
	do(t, c.start())
}

func (c *Cluster) start() error {
	cmd := c.command("postgres", "-D", filepath.Join(c.dir, "data"), "-k", c.dir, "-c", "listen_addresses="+c.listen,
		"-c", fmt.Sprintf("port=%d", c.port), "-c", "fsync=off", "-c", "max_connections=200", "-c", "shared_buffers=32MB", "-c", "log_min_messages=log")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	started := make(chan error, 1)
	ready := make(chan bool, 1)
	c.ended = make(chan struct{})
	go func() {
		// The kernel ends the server with the thread that started it, so that thread stays until the server ends.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		started <- cmd.Start()
		if cmd.Process == nil {
			return
		}
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			if strings.Contains(lines.Text(), "database system is ready to accept connections") {
				ready <- true
			}
		}
		io.Copy(io.Discard, stderr)
		cmd.Wait()
		close(ready)
		close(c.ended)
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	c.process = cmd
	if !<-ready {
		return fmt.Errorf("postgres ended before it was ready")
	}
	return nil
}

// Kill ends the server as kill -9 does, its children with it.
func (c *Cluster) Kill() {
	if c.process == nil {
		return
	}
	c.process.Process.Kill()
	<-c.ended
	c.process = nil
}

func (c *Cluster) remove() {
	c.Kill()
	os.RemoveAll(c.dir)
}

// Address returns the address of a database of the server.
func (c *Cluster) Address(database string) string {
	return fmt.Sprintf("postgres:///%s?host=%s&port=%d&user=postgres", database, c.dir, c.port)
}

// Database makes an empty database and returns its address.
func (c *Cluster) Database(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("test%d", databases.Add(1))
	do(t, create(t.Context(), c.Address("postgres"), name))
	return c.Address(name)
}

var databases atomic.Int64

func create(ctx context.Context, address, name string) error {
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize())
	return err
}

// shared is the server that the tests of a package have in common.
var shared struct {
	mu      sync.Mutex
	cluster *Cluster
}

// Postgres makes an empty database and returns its address: on the server that BETA9_TEST_POSTGRES names, or on one that
// is started for the tests of this package and ended by [Main].
func Postgres(t testing.TB) string {
	t.Helper()
	if server := os.Getenv(serverVariable); server != "" {
		return databaseOn(t, server)
	}
	bin := needs.Postgres(t)
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.cluster == nil {
		shared.cluster = must(newCluster(bin, "", usualPort))(t)
	}
	return shared.cluster.Database(t)
}

// PostgresOverTCP is [Postgres] on a server that is spoken to as one on another machine is, and so at its price: over TCP,
// with a password. It is for what is measured.
func PostgresOverTCP(t testing.TB) string {
	t.Helper()
	if server := os.Getenv(serverVariable); server != "" {
		return databaseOn(t, server)
	}
	const host = "127.0.0.1"
	free := must(net.Listen("tcp", host+":0"))(t)
	port := free.Addr().(*net.TCPAddr).Port
	do(t, free.Close())
	c := must(newCluster(needs.Postgres(t), host, port))(t).until(t)
	password := rand.Text()
	conn := must(pgx.Connect(t.Context(), c.Address("postgres")))(t)
	defer conn.Close(t.Context())
	_ = must(conn.Exec(t.Context(), "ALTER USER postgres PASSWORD '"+password+"'"))(t)
	return databaseOn(t, fmt.Sprintf("postgres://postgres:%s@%s:%d/postgres?sslmode=disable", password, host, port))
}

func databaseOn(t testing.TB, server string) string {
	t.Helper()
	config, err := pgx.ParseConfig(server)
	do(t, err)
	name := fmt.Sprintf("beta9_test_%d_%d", os.Getpid(), databases.Add(1))
	do(t, create(t.Context(), server, name))
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		if conn, err := pgx.ConnectConfig(ctx, config); err == nil {
			conn.Exec(ctx, "DROP DATABASE "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)")
			conn.Close(ctx)
		}
	})
	settings := url.Values{"host": {config.Host}, "port": {fmt.Sprint(config.Port)}, "user": {config.User}}
	if config.Password != "" {
		settings.Set("password", config.Password)
	}
	return "postgres:///" + name + "?" + settings.Encode()
}

func stopShared() {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.cluster != nil {
		shared.cluster.remove()
	}
}

// Execute runs statements in a database of a test.
func Execute(t testing.TB, address, statements string) {
	t.Helper()
	conn := must(pgx.Connect(t.Context(), address))(t)
	defer conn.Close(t.Context())
	must(conn.Exec(t.Context(), statements))(t)
}
