//go:build unix

package execute

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for an event that has to come, before it
// fails instead of hanging.
const patience = time.Minute

// witness sees processes live and die: each of them, and whoever it hands its
// connection to, holds a connection to the witness.
type witness struct {
	t        testing.TB
	listener *net.UnixListener
}

// seen is one connection.
type seen struct {
	*net.UnixConn
	t    testing.TB
	name string
	in   *bufio.Reader
}

func newWitness(t testing.TB) *witness {
	t.Helper()
	// A socket's path has to be short.
	dir, err := os.MkdirTemp("", "w")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "s")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return &witness{t: t, listener: listener}
}

// env is the environment that makes a helper show itself.
func (w *witness) env() []string {
	return []string{socketKey + "=" + w.listener.Addr().String()}
}

// next waits for one more process to show itself.
func (w *witness) next() *seen {
	w.listener.SetDeadline(time.Now().Add(patience))
	conn, err := w.listener.AcceptUnix()
	if err != nil {
		w.t.Errorf("nobody came: %v", err)
		return nil
	}
	w.t.Cleanup(func() { conn.Close() })
	s := &seen{UnixConn: conn, t: w.t, in: bufio.NewReader(conn)}
	conn.SetDeadline(time.Now().Add(patience))
	name, err := s.in.ReadString('\n')
	if err != nil {
		w.t.Errorf("it said nothing: %v", err)
	}
	s.name = strings.TrimSuffix(name, "\n")
	return s
}

// nobody checks that no further process is at the door.
func (w *witness) nobody() {
	w.t.Helper()
	raw, err := w.listener.SyscallConn()
	if err != nil {
		w.t.Error(err)
		return
	}
	err = raw.Control(func(fd uintptr) {
		if n, _, err := syscall.Accept(int(fd)); !errors.Is(err, syscall.EAGAIN) {
			syscall.Close(n)
			w.t.Errorf("somebody came (%v)", err)
		}
	})
	if err != nil {
		w.t.Error(err)
	}
}

// release lets the process go on.
func (s *seen) release() {
	if _, err := s.Write([]byte{'\n'}); err != nil {
		s.t.Error(err)
	}
}

// gone waits until the process, and all that hold its connection, are dead.
func (s *seen) gone() {
	s.t.Helper()
	s.SetDeadline(time.Now().Add(patience))
	if _, err := io.Copy(io.Discard, s.in); err != nil {
		s.t.Errorf("%s is still there: %v", s.name, err)
	}
}
