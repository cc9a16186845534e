// Package listener is the end of the credential socket that has the material. Package socket describes the protocol.
package listener

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/socket"
)

const (
	// requestDeadline is how long a client may take to write its request, and to read its reply. Both fit into the
	// socket's buffer for all but the largest material.
	requestDeadline = 5 * time.Second
	// materialDeadline is how long the source may take: less than a client waits, so that it hears the reason.
	materialDeadline = 8 * time.Second
	// maxConnections is how many clients are served at once; others wait in the socket's queue. A build runs a handful
	// of helpers at a time.
	maxConnections = 32
	// maxPath is the longest path, in bytes, that the address of a unix socket holds on every system that has one:
	// sun_path has 104 on macOS, a final zero byte included, and 108 on Linux.
	maxPath = 103
)

// A Listener serves the material of one source at one socket. Its methods are safe for concurrent use.
type Listener struct {
	source  helpers.Source
	socket  *net.UnixListener
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup
	slots   chan struct{}
	close   sync.Once
}

// Listen makes a socket at path, which must not exist and lies in a folder that nobody else may enter, and serves the
// source there until [Listener.Close]. It is served to processes of the same user only. The error is a
// [*helpers.Failure].
func Listen(path string, source helpers.Source) (*Listener, error) {
	if err := check(path); err != nil {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, failed(err)
	}
	// Between the two calls the folder is what keeps others out.
	if err := os.Chmod(path, 0o600); err != nil {
		_ = l.Close()
		return nil, failed(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Listener{source: source, socket: l, ctx: ctx, cancel: cancel, slots: make(chan struct{}, maxConnections)}
	s.running.Go(s.accept)
	return s, nil
}

func check(path string) error {
	if !filepath.IsAbs(path) {
		return helpers.Fail(helpers.BadRequest, "the path of the credential socket is not absolute", "")
	}
	if len(path) > maxPath {
		return helpers.Fail(helpers.BadRequest, "the path of the credential socket is longer than 103 bytes",
			"choose a folder with a shorter path")
	}
	if !socket.Supported {
		return helpers.Fail(helpers.BadRequest, "there are no credential sockets on this system", "")
	}
	info, err := os.Lstat(filepath.Dir(path))
	if err != nil {
		return failed(err)
	}
	if !info.IsDir() || info.Mode().Perm()&0o077 != 0 {
		return helpers.Fail(helpers.BadRequest, "the folder of the credential socket is not a private one",
			"choose a folder with mode 0700")
	}
	return nil
}

func failed(err error) error {
	return &helpers.Failure{Reason: helpers.StoreFailed, Text: "the credential socket cannot be made", Cause: err}
}

// Close ends the service: it removes the socket, breaks off what is under way, and returns when all of it has ended.
func (l *Listener) Close() error {
	var err error
	l.close.Do(func() {
		l.cancel()
		err = l.socket.Close() // removes the file too
	})
	l.running.Wait()
	return err
}

func (l *Listener) accept() {
	for {
		select {
		case l.slots <- struct{}{}:
		case <-l.ctx.Done():
			return
		}
		conn, err := l.socket.AcceptUnix()
		if err != nil {
			<-l.slots
			if l.ctx.Err() != nil {
				return
			}
			l.pause() // out of descriptors, for one
			continue
		}
		l.running.Go(func() {
			defer func() { <-l.slots }()
			l.serve(conn)
		})
	}
}

// pause keeps an error that lasts from becoming a busy loop.
func (l *Listener) pause() {
	timer := time.NewTimer(10 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.ctx.Done():
	}
}

// serve answers one connection. What cannot be answered is closed without a word.
func (l *Listener) serve(conn *net.UnixConn) {
	defer conn.Close()
	stop := context.AfterFunc(l.ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	_ = conn.SetDeadline(time.Now().Add(requestDeadline))
	if l.ctx.Err() != nil { // the line above may have undone what AfterFunc did
		return
	}
	raw, err := conn.SyscallConn()
	if err != nil || socket.CheckPeer(raw) != nil {
		return
	}
	r, err := socket.ReadRequest(conn)
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(l.ctx, materialDeadline)
	defer cancel()
	m, err := l.source.Material(ctx, r)
	_ = conn.SetDeadline(time.Now().Add(requestDeadline))
	if l.ctx.Err() != nil {
		return
	}
	_, _ = conn.Write(socket.AppendReply(nil, m, err))
}
