package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/serve"
	"github.com/beam-cloud/docker-credential-beta9/secrets/secretstest"
)

const aWorkspace = "7d444840-9dc0-41d1-b245-5ffdce74fad2"

// operator runs a command line with a store in a database. A command that hangs is ended, which it does not print.
func operator(t *testing.T, store, keys, timeout string, args ...string) (stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var errs bytes.Buffer
	code = run(ctx, args, console{stdin: strings.NewReader(`{"GITHUB_TOKEN":"t"}`), stdout: new(bytes.Buffer), stderr: &errs, environ: []string{
		storeVariable + "=" + store, keysVariable + "=" + keys, serve.TimeoutVariable + "=" + timeout, "GITHUB_TOKEN=t",
	}})
	if ctx.Err() != nil {
		t.Errorf("%v hangs", args)
	}
	return errs.String(), code
}

// keysFile makes a keyring.
func keysFile(t *testing.T) string {
	t.Helper()
	keys := filepath.Join(t.TempDir(), "keys")
	if err := os.Chmod(filepath.Dir(keys), 0o700); err != nil {
		t.Fatal(err)
	}
	if stderr, code := operator(t, "postgres://u@h/d", keys, "1m", "key", "new"); code != exitOK {
		t.Fatal(stderr)
	}
	return keys
}

// wantSilence checks that a command has ended for want of an answer.
func wantSilence(t *testing.T, stderr string, code int) {
	t.Helper()
	if code != exitFailed || !strings.HasPrefix(stderr, "error: timeout: the store does not answer\nhint: see that it is up") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

// TestSilentServer asks at a port that takes connections and says nothing.
func TestSilentServer(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // the kernel takes the connections
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	keys := keysFile(t)
	address := "postgres://u@" + silent.Addr().String() + "/d?sslmode=disable"
	for _, store := range []string{address, "beta9+" + address} {
		for _, line := range []string{
			"secret list --workspace " + aWorkspace, "secret show ghcr.io --workspace " + aWorkspace, "secret rm ghcr.io --workspace " + aWorkspace,
			"secret put --registry ghcr.io --workspace " + aWorkspace, "image attach i ghcr.io/a/b --workspace " + aWorkspace,
			"image show i --workspace " + aWorkspace, "image detach i --workspace " + aWorkspace, "key list", "key rotate",
		} {
			t.Run(store[:5]+" "+line, func(t *testing.T) {
				t.Parallel()
				stderr, code := operator(t, store+"&connect_timeout=100", keys, "50ms", strings.Fields(line)...)
				wantSilence(t, stderr, code)
			})
		}
		t.Run(store[:5]+" migrate", func(t *testing.T) {
			t.Parallel()
			stderr, code := operator(t, store, keys, "50ms", "migrate")
			if code != exitFailed || !strings.HasPrefix(stderr, "error: unavailable: ") || !strings.Contains(stderr, "\nhint: see that the server is up") {
				t.Errorf("exit code %d: %s", code, stderr)
			}
		})
	}
}

// A lasting store takes its time to close.
type lasting struct {
	workspaceStore
	closing time.Duration
	closed  chan struct{}
}

func (l lasting) Close() error {
	defer close(l.closed)
	time.Sleep(l.closing)
	return nil
}

// TestShutting closes stores in the time of a bubble.
func TestShutting(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		closing time.Duration
		failed  error
		ended   bool // the command has no time left
		want    time.Duration
	}{
		"at once":                  {0, nil, false, 0},
		"in time":                  {9 * time.Second, errors.New("of another kind"), false, 9 * time.Second},
		"not in time":              {time.Hour, nil, false, 10*time.Second + lastMoment},
		"after a timeout":          {time.Hour, withHint(helpers.Fail(helpers.Timeout, "the store does not answer", ""), "wait"), false, lastMoment},
		"at once, after a timeout": {0, helpers.Fail(helpers.Timeout, "the store does not answer", ""), false, 0},
		"after the end":            {time.Hour, nil, true, lastMoment},
		"late, after the end":      {lastMoment / 2, nil, true, lastMoment / 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := &app{console: console{environ: []string{serve.TimeoutVariable + "=10s"}}}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if tt.ended {
					cancel()
				}
				s := lasting{closing: tt.closing, closed: make(chan struct{})}
				begun := time.Now()
				a.shut(ctx, s, tt.failed)
				if took := time.Since(begun); took != tt.want {
					t.Errorf("it took %s, want %s", took, tt.want)
				}
				<-s.closed
			})
		})
	}
}

// databases returns the addresses of two on a server of their own: an empty one, and one of Beta9's with a workspace and an
// image.
func databases(t *testing.T) (own, beta9 string) {
	t.Helper()
	cluster := secretstest.NewCluster(t)
	tables, err := os.ReadFile("../../secrets/beta9/testdata/schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	own, beta9 = cluster.Database(t), cluster.Database(t)
	secretstest.Execute(t, beta9, string(tables)+`;
INSERT INTO workspace (external_id, name, signing_key)
VALUES ('`+aWorkspace+`', 'acme', 'sk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=');
INSERT INTO image (image_id, clip_version) VALUES ('i', 2)`)
	return own, beta9
}

// TestLockedTables asks while somebody else holds locks and does not end.
func TestLockedTables(t *testing.T) {
	t.Parallel()
	own, beta9 := databases(t)
	for name, tt := range map[string]struct{ store, at, secrets string }{
		"own":   {own, own, "cred_secret"},
		"beta9": {"beta9+" + beta9, beta9, "cred_beta9_secret"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			keys := keysFile(t)
			for _, line := range []string{"migrate", "secret put --registry ghcr.io --workspace " + aWorkspace, "key new"} {
				if stderr, code := operator(t, tt.store, keys, "1m", strings.Fields(line)...); code != exitOK {
					t.Fatal(stderr)
				}
			}
			conn, err := pgx.Connect(t.Context(), tt.at)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close(context.Background())
			for statement, lines := range map[string][]string{
				"LOCK TABLE " + tt.secrets + " IN ACCESS EXCLUSIVE MODE": {
					"secret list --workspace " + aWorkspace, "secret show ghcr.io --workspace " + aWorkspace,
					"image attach i ghcr.io/a/b --workspace " + aWorkspace,
				},
				"SELECT FROM " + tt.secrets + " FOR UPDATE": {"secret rm ghcr.io --workspace " + aWorkspace, "key rotate"},
			} {
				locks, err := conn.Begin(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if _, err := locks.Exec(t.Context(), statement); err != nil {
					t.Fatal(err)
				}
				for _, line := range lines {
					stderr, code := operator(t, tt.store, keys, "200ms", strings.Fields(line)...)
					wantSilence(t, stderr, code)
				}
				alone(t, tt.at, conn.PgConn().PID())
				if err := locks.Rollback(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if stderr, code := operator(t, tt.store, keys, "1m", "secret", "show", "ghcr.io", "--workspace", aWorkspace); code != exitOK {
				t.Error(stderr)
			}
		})
	}
}

// alone returns when the database has no other client than the one whose process is the holder. A command that has ended has
// called its statement off, and the server, which may hear of it later, would carry it out if the lock came free before.
func alone(t *testing.T, database string, holder uint32) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	for others := 1; others > 0; {
		err := conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid NOT IN (pg_backend_pid(), $1)`, holder).Scan(&others)
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestLongWork goes on for as long as it tells of what it does.
func TestLongWork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &app{console: console{environ: []string{serve.TimeoutVariable + "=10s"}}}
		begun := time.Now()
		err := a.watched(t.Context(), rotatePatience, func(ctx context.Context, alive func()) error {
			for range 10 {
				time.Sleep(50 * time.Second)
				alive()
			}
			<-ctx.Done()
			return ctx.Err()
		})
		if took := time.Since(begun); !errors.Is(err, helpers.Timeout) || took != 560*time.Second {
			t.Errorf("%v after %s", err, took)
		}
		interrupted, cancel := context.WithCancel(t.Context())
		cancel()
		err = a.within(interrupted, func(ctx context.Context) error { return ctx.Err() })
		if !errors.Is(err, context.Canceled) || errors.Is(err, helpers.Timeout) {
			t.Errorf("interrupted: %v", err)
		}
	})
}

// TestConnecting gives the time for connecting to an address that says none.
func TestConnecting(t *testing.T) {
	t.Parallel()
	const at = "postgres://u@h:1,i:2/d"
	for _, tt := range []struct{ address, variable, want string }{
		{at, serve.TimeoutVariable + "=1500ms", at + "?connect_timeout=2"},
		{at + "?host=/x&sslmode=disable", "", at + "?host=/x&sslmode=disable&connect_timeout=10"},
		{at + "?connect_timeout=3", "", at + "?connect_timeout=3"},
		{at, "PGCONNECT_TIMEOUT=3", at},
		{"postgres://u@h:port/d", "", "postgres://u@h:port/d"},
	} {
		a := &app{console: console{environ: []string{tt.variable}}}
		if got, err := a.connecting(tt.address); got != tt.want || err != nil {
			t.Errorf("%s with %q: %s, %v", tt.address, tt.variable, got, err)
		}
	}
}
