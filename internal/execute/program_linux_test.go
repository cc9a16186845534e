package execute

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/beam-cloud/docker-credential-beta9/internal/needs"
)

// TestSwapped replaces a helper after it was checked and before it is executed.
func TestSwapped(t *testing.T) {
	t.Parallel()
	for name, swap := range map[string]func(s *scene){
		"another file": func(s *scene) {
			s.must(os.WriteFile(s.helper+".new", []byte("not a program"), 0o755))
			s.must(os.Rename(s.helper+".new", s.helper))
		},
		"another helper": func(s *scene) {
			s.must(os.Remove(s.helper))
			s.must(os.Link(filepath.Join(helpersFolder, Prefix+"suicide"), s.helper))
		},
		"a link":  func(s *scene) { s.must(os.Remove(s.helper)); s.must(os.Symlink("/bin/false", s.helper)) },
		"nothing": func(s *scene) { s.must(os.Remove(s.helper)) },
		"another folder": func(s *scene) {
			s.must(os.Rename(s.folder, s.folder+".old"))
			s.must(os.Mkdir(s.folder, 0o777))
			s.must(os.Symlink("/bin/false", s.helper))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			folder, err := OpenFolder(s.folder, Options{Types: []string{"answer"}})
			s.must(err)
			p, err := folder.program(Prefix + "answer")
			s.must(err)
			defer p.file.Close()
			checked, err := p.file.Stat()
			s.must(err)
			swap(s)
			p.name = Prefix + "gate"
			w := newWitness(t)
			got, err := p.run(context.Background(), Call{Type: "gate", Verb: "get", Env: w.env(), Started: func(pid int) {
				running, err := os.Stat(fmt.Sprintf("/proc/%d/exe", pid))
				if err != nil || !os.SameFile(running, checked) {
					t.Errorf("something else is running: %v", err)
				}
				w.next().release()
			}}, MaxStdout)
			if err != nil || string(got.Stdout) != "through" {
				t.Errorf("got %q, %v", got.Stdout, err)
			}
		})
	}
}

func TestScript(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.write("#!/bin/sh\necho " + secret + "\n")
	_, err := s.run(s.folder)
	checkError(t, err, ErrUntrusted)
	if !strings.Contains(err.Error(), string(RuleScript)) {
		t.Errorf("got %v", err)
	}
}

// TestNumbers puts the opened helper on many descriptors. It must stay out of
// the way of those that become the child's, and below the highest of the pipes:
// the numbers above that are used between fork and exec.
func TestNumbers(t *testing.T) {
	folder := behaving(t, Options{})
	for number := firstFree; number < 40; number++ {
		p, err := folder.program(Prefix + "material")
		if err != nil {
			t.Fatal(err)
		}
		moved, err := duplicate(p.file, number)
		p.file.Close()
		if err != nil {
			t.Fatal(err)
		}
		p.file = moved
		call := Call{Type: "material", Verb: "get", Material: []byte("m")}
		k, err := p.prepare(context.Background(), call)
		if err != nil {
			t.Fatal(err)
		}
		if highest := k.cmd.Stdin.(*os.File).Fd(); p.file.Fd() >= highest || p.file.Fd() < firstFree {
			t.Errorf("the helper is on %d, and standard input on %d", p.file.Fd(), highest)
		}
		k.close()
		got, err := p.run(context.Background(), call, MaxStdout)
		if err != nil || !bytes.HasPrefix(got.Stdout, []byte("1 ")) {
			t.Errorf("on %d: %q, %v", moved.Fd(), got.Stdout, err)
		}
		p.file.Close()
	}
}

// again runs this binary under a name, as this user or another.
func again(name string, credential *syscall.Credential, env ...string) (string, error) {
	cmd := exec.Command(filepath.Join(helpersFolder, Prefix+name))
	cmd.Args[0] = Prefix + name
	cmd.Env = append(env, folderKey+"="+helpersFolder)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestLowNumbers has the opened helper and the pipes take the numbers of
// standard input, output and error. Nothing is left open for that, and a helper
// that does not read its material does not end the process that writes it.
func TestLowNumbers(t *testing.T) {
	t.Parallel()
	for _, numbers := range []string{"0", "1", "2", "0 1", "0 2", "1 2", "0 1 2"} {
		if out, err := again("closed", nil, closedKey+"="+numbers); err != nil {
			t.Errorf("without %s: %v: %s", numbers, err, out)
		}
	}
}

// TestFirst is the first process of a container for its own descendants: it
// gets the orphans a helper leaves, and has to reap them.
func TestFirst(t *testing.T) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
	w := newWitness(t)
	done := begin(context.Background(), behaving(t, Options{}), Call{Type: "linger", Verb: "get", Env: w.env()})
	leader, orphan := w.next(), w.next()
	if leader.name != "leader" {
		leader, orphan = orphan, leader
	}
	leader.release()
	if got := <-done; got.err != nil || string(got.Stdout) != "complete" {
		t.Errorf("got %q, %v", got.Stdout, got.err)
	}
	orphan.gone()
	if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); err != unix.ECHILD {
		t.Errorf("a child was left: pid %d, %v", pid, err)
	}
}

// TestMemberThatStays has an orphan in the group that the group's end did not end,
// as one that has become root. It is waited for no longer than for anything else,
// and reaped when it ends.
func TestMemberThatStays(t *testing.T) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
	w := newWitness(t)
	start := func(behaviour string, attributes *syscall.SysProcAttr) *exec.Cmd {
		cmd := exec.Command(filepath.Join(helpersFolder, Prefix+behaviour))
		cmd.Args[0], cmd.Env, cmd.SysProcAttr = Prefix+behaviour, w.env(), attributes
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	leader := start("gate", &syscall.SysProcAttr{Setpgid: true})
	gate := w.next()
	member := start("hang", &syscall.SysProcAttr{Setpgid: true, Pgid: leader.Process.Pid})
	hang := w.next()
	gate.release()
	late := make(chan time.Time)
	close(late)
	done := make(chan error)
	go func() { done <- (&group{cmd: leader}).reap(late) }()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Error("it is waited for")
	}
	if err := member.Process.Kill(); err != nil {
		t.Errorf("the member is gone: %v", err)
	}
	hang.gone()
	for giveUp := time.Now().Add(patience); syscall.Kill(member.Process.Pid, 0) == nil; runtime.Gosched() {
		if time.Now().After(giveUp) {
			t.Error("nobody reaps it")
			break
		}
	}
	_ = member.Wait()
}

// TestNumberGivenAway has a call get the number of a helper whose output somebody
// still holds. The call that waits for the output must not take the other one's
// helper for its own.
func TestNumberGivenAway(t *testing.T) {
	needs.Root(t)
	folder, w := behaving(t, Options{}), newWitness(t)
	var first int
	started := make(chan struct{})
	done := begin(context.Background(), folder, Call{Type: "escape", Verb: "get", Env: w.env(), Started: func(pid int) { first = pid; close(started) }})
	<-started
	leader, orphan := w.next(), w.next()
	if leader.name != "leader" {
		leader, orphan = orphan, leader
	}
	leader.release()
	for syscall.Kill(first, 0) == nil {
		runtime.Gosched()
	}
	if err := os.WriteFile("/proc/sys/kernel/ns_last_pid", []byte(strconv.Itoa(first-1)), 0); err != nil {
		t.Fatal(err)
	}
	second := begin(context.Background(), folder, Call{Type: "gate", Verb: "get", Env: w.env()})
	gate := w.next()
	if got := <-done; got.err != nil || string(got.Stdout) != "complete" {
		t.Errorf("the first: %q, %v", got.Stdout, got.err)
	}
	gate.release()
	if got := <-second; got.err != nil || string(got.Stdout) != "through" {
		t.Errorf("the second: %q, %v", got.Stdout, got.err)
	}
	orphan.release()
}

// TestHardenedCaller runs a helper from a process that hides from its own user,
// which closes some of its /proc to itself.
func TestHardenedCaller(t *testing.T) {
	t.Parallel()
	check := func(t *testing.T, credential *syscall.Credential) {
		if out, err := again("hardened", credential); err != nil || !strings.HasPrefix(out, "1 ") {
			t.Errorf("%v: %s", err, out)
		}
	}
	t.Run("self", func(t *testing.T) { check(t, nil) })
	t.Run("nobody", func(t *testing.T) {
		needs.Root(t)
		check(t, &syscall.Credential{Uid: nobody, Gid: nobody})
	})
}

// TestProc looks for the secret from outside, while the helper runs.
func TestProc(t *testing.T) {
	t.Parallel()
	w := newWitness(t)
	var pid int
	var started sync.WaitGroup
	started.Add(1)
	done := begin(context.Background(), behaving(t, Options{}), Call{Type: "gate", Verb: "get", Env: w.env(), Stdin: []byte(secret),
		Material: []byte(secret), Started: func(p int) { pid = p; started.Done() }})
	child := w.next()
	started.Wait()
	for _, id := range []string{fmt.Sprint(pid), "self"} {
		for _, file := range []string{"cmdline", "environ", "comm", "status", "maps"} {
			content, err := os.ReadFile(filepath.Join("/proc", id, file))
			if err != nil {
				t.Error(err)
			}
			if bytes.Contains(content, []byte(secret)) {
				t.Errorf("/proc/%s/%s shows the secret", id, file)
			}
			if want := Prefix + "gate\x00get\x00"; file == "cmdline" && id != "self" && string(content) != want {
				t.Errorf("the command line is %q, want %q", content, want)
			}
		}
	}
	// The material has been read to its end, so this process is done with it.
	pipe, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/3", pid))
	if err != nil || !strings.HasPrefix(pipe, "pipe:") {
		t.Errorf("descriptor 3 is %q, %v", pipe, err)
	}
	own, err := filepath.Glob("/proc/self/fd/*")
	if err != nil || len(own) == 0 {
		t.Errorf("no descriptors: %v", err)
	}
	for _, fd := range own {
		if link, _ := os.Readlink(fd); link == pipe {
			t.Errorf("%s still holds the material's pipe", fd)
		}
	}
	child.release()
	if got := <-done; got.err != nil || string(got.Stdout) != "through" {
		t.Errorf("got %q, %v", got.Stdout, got.err)
	}
}
