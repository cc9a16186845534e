//go:build linux

package main

import (
	"bytes"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sys/unix"
)

// A relay leads to a server until a word passes on its way there. From then on it says nothing, and takes connections as a
// silent server does.
type relay struct {
	address string
	silent  chan struct{} // closed with the word
	near    *net.TCPConn  // on which it came
}

// newRelay starts one to a database of a cluster.
func newRelay(t *testing.T, database, word string) *relay {
	t.Helper()
	config, err := pgx.ParseConfig(database)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	r := &relay{
		address: "postgres://" + config.User + "@" + listener.Addr().String() + "/" + config.Database + "?sslmode=disable",
		silent:  make(chan struct{}),
	}
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			defer near.Close()
			select {
			case <-r.silent:
				continue
			default:
			}
			far, err := net.Dial("unix", filepath.Join(config.Host, ".s.PGSQL."+strconv.Itoa(int(config.Port))))
			if err != nil {
				return
			}
			go r.ask(near, far, word)
			go r.answer(near, far)
		}
	}()
	return r
}

// ask leads what a client says to the server.
func (r *relay) ask(near, far net.Conn, word string) {
	defer far.Close()
	for buf := make([]byte, 1<<16); ; {
		n, err := near.Read(buf)
		if err != nil {
			return
		}
		if bytes.Contains(buf[:n], []byte(word)) {
			r.near = near.(*net.TCPConn)
			close(r.silent)
			return
		}
		if _, err := far.Write(buf[:n]); err != nil {
			return
		}
	}
}

// left tells whether the client has closed the connection on which the word came.
func (r *relay) left(t *testing.T) (left bool) {
	t.Helper()
	raw, err := r.near.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	err = raw.Read(func(fd uintptr) bool {
		for {
			n, err := unix.Read(int(fd), make([]byte, 1<<16)) // which waits for nothing
			if n > 0 && err == nil {
				continue
			}
			left = err != unix.EAGAIN
			return true
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return left
}

// answer leads what the server says to a client.
func (r *relay) answer(near, far net.Conn) {
	for buf := make([]byte, 1<<16); ; {
		n, err := far.Read(buf)
		select {
		case <-r.silent:
			return
		default:
		}
		if err != nil {
			near.Close()
			return
		}
		if _, err := near.Write(buf[:n]); err != nil {
			return
		}
	}
}

// TestSilentMidway has the server fall silent in the middle of what a command asks. The client library goes on for a while
// to end what it asked, which the command does not wait for.
func TestSilentMidway(t *testing.T) {
	t.Parallel()
	own, beta9 := databases(t)
	for scheme, tt := range map[string]struct {
		database string
		words    map[string]string // by the line
	}{
		"": {own, map[string]string{
			"secret list":                "FROM cred_image", // while the store is opened
			"image attach i ghcr.io/a/b": "DELETE FROM cred_image",
			"key rotate":                 "LOCK TABLE",
		}},
		"beta9+": {beta9, map[string]string{
			"secret list":                "pg_attribute",
			"image attach i ghcr.io/a/b": "DELETE FROM cred_beta9_image",
			"key rotate":                 "LOCK TABLE",
		}},
	} {
		keys := keysFile(t)
		for _, line := range []string{"migrate", "secret put --registry ghcr.io --workspace " + aWorkspace, "key new"} {
			if stderr, code := operator(t, scheme+tt.database, keys, "1m", strings.Fields(line)...); code != exitOK {
				t.Fatal(stderr)
			}
		}
		for line, word := range tt.words {
			t.Run(scheme+line, func(t *testing.T) {
				t.Parallel()
				args := strings.Fields(line)
				if args[0] != "key" {
					args = append(args, "--workspace", aWorkspace)
				}
				// On a busy machine a command may not have come to the word in time.
				for timeout := 200 * time.Millisecond; timeout < time.Minute; timeout *= 2 {
					r := newRelay(t, tt.database, word)
					stderr, code := operator(t, scheme+r.address, keys, timeout.String(), args...)
					select {
					case <-r.silent:
					default:
						continue
					}
					wantSilence(t, stderr, code)
					if r.left(t) {
						t.Error("the command has waited for the end of the connection")
					}
					return
				}
				t.Error("the command did not come to the word")
			})
		}
	}
}
