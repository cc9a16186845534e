//go:build unix

package execute

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// spawn starts another behaviour of this binary that shares standard output
// and error, and whatever else is given.
func spawn(name string, attributes *syscall.SysProcAttr, files ...*os.File) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self)
	cmd.Args[0] = Prefix + name
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.ExtraFiles = files
	cmd.SysProcAttr = attributes
	return cmd.Start()
}

// leave ends with a complete answer while a grandchild holds the output open
// and does not listen to signals. A leaver in a session of its own is out of
// the group's reach.
func leave(session bool) int {
	if err := spawn("orphan", &syscall.SysProcAttr{Setsid: session}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 3
	}
	conn := live("leader")
	// The witness answers once the grandchild has shown itself.
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		return 3
	}
	fmt.Print("complete")
	return 0
}

// orphan is a grandchild that holds its parent's output, and the material, and
// stays. Once the witness answers, it tells how much material it could read.
func orphan() int {
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGPIPE)
	conn := live("orphan")
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		return 0
	}
	read, _ := io.Copy(io.Discard, os.NewFile(3, "material"))
	fmt.Fprintln(conn, read)
	return 0
}

// bomb leaves several hares behind, and says so.
func bomb() int {
	file, err := live("bomb").File()
	if err != nil {
		return 3
	}
	for range 4 {
		if err := spawn("hare", nil, file); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 3
		}
	}
	// Hares write a byte each; the witness answers when it has seen several
	// generations of them.
	if _, err := file.Read(make([]byte, 1)); err != nil {
		return 3
	}
	fmt.Print("complete")
	return 0
}

// hare starts its like and ends, over and over, so that no list of process ids
// is ever right.
func hare() int {
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGPIPE)
	conn := os.NewFile(3, "witness")
	if _, err := conn.Write([]byte{'h'}); err != nil {
		return 0
	}
	if err := spawn("hare", nil, conn); err != nil {
		return 3
	}
	return 0
}

// parent runs a helper that hangs, and waits to be killed.
func parent() int {
	folder, err := OpenFolder(os.Getenv(folderKey), Options{Types: []string{"hang"}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 3
	}
	_, err = folder.Run(context.Background(), Call{Type: "hang", Verb: "get", Env: []string{socketKey + "=" + os.Getenv(socketKey)}})
	fmt.Fprintln(os.Stderr, err)
	return 3
}

// TestGrandchildHoldsOutput has a helper give a complete answer and leave
// somebody behind who holds its output. In the group it is killed; in a session
// of its own it is left alone, and does not hold up the answer.
func TestGrandchildHoldsOutput(t *testing.T) {
	t.Parallel()
	const much = 2 << 20
	for _, behaviour := range []string{"linger", "escape"} {
		t.Run(behaviour, func(t *testing.T) {
			t.Parallel()
			w := newWitness(t)
			done := begin(context.Background(), behaving(t, Options{}),
				Call{Type: behaviour, Verb: "get", Env: w.env(), Stdin: make([]byte, much), Material: make([]byte, much)})
			leader, orphan := w.next(), w.next()
			if leader.name != "leader" {
				leader, orphan = orphan, leader
			}
			leader.release()
			got := <-done
			if got.err != nil || string(got.Stdout) != "complete" {
				t.Errorf("got %q, %v", got.Stdout, got.err)
			}
			if behaviour == "escape" {
				// Nobody feeds it any more either.
				orphan.release()
				line, _ := orphan.in.ReadString('\n')
				if heard, err := strconv.Atoi(strings.TrimSpace(line)); err != nil || heard >= much {
					t.Errorf("after the call it could read %q of %d bytes of material", line, much)
				}
			}
			orphan.gone()
		})
	}
}

// TestGrandchildOutlivesDeadline has the deadline pass while leader and
// grandchild both live.
func TestGrandchildOutlivesDeadline(t *testing.T) {
	t.Parallel()
	w := newWitness(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := begin(ctx, behaving(t, Options{}), Call{Type: "linger", Verb: "get", Env: w.env()})
	one, other := w.next(), w.next()
	cancel()
	checkError(t, (<-done).err, ErrCanceled)
	one.gone()
	other.gone()
}

// TestBomb has a helper end while its descendants multiply. They hold one
// connection in common, which ends with the last of them.
func TestBomb(t *testing.T) {
	t.Parallel()
	w := newWitness(t)
	done := begin(context.Background(), behaving(t, Options{}), Call{Type: "bomb", Verb: "get", Env: w.env()})
	bomb := w.next()
	for range 40 {
		if _, err := bomb.in.ReadByte(); err != nil {
			t.Fatal(err)
		}
	}
	bomb.release()
	got := <-done
	if got.err != nil || string(got.Stdout) != "complete" {
		t.Errorf("got %q, %v, stderr %q", got.Stdout, got.err, got.Stderr)
	}
	bomb.gone()
}

// TestParentKilled kills the process that waits for a helper.
func TestParentKilled(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells a child that its parent died: run this test there")
	}
	w := newWitness(t)
	cmd := exec.Command(filepath.Join(helpersFolder, Prefix+"parent"))
	cmd.Args[0] = Prefix + "parent"
	cmd.Env = append(w.env(), folderKey+"="+helpersFolder)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	child := w.next()
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait()
	child.gone()
}
