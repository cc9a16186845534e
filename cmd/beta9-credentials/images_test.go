//go:build linux

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"github.com/beam-cloud/docker-credential-beta9/internal/needs"
	"github.com/beam-cloud/docker-credential-beta9/internal/registrytest"
)

// The account of the registries, which reaches acme and nothing else. Everybody may pull what is below public.
const (
	robot    = "robot"
	password = "not-a-password"
)

// genericHelper builds the helper and returns the folder it lies in.
func genericHelper(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "bin")
	must(t, os.Mkdir(bin, 0o755))
	build := exec.Command("go", "build", "-o", bin, "../docker-credential-beta9-generic")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return bin
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// withImages starts a registry and puts an image into each of its corners. It returns the image's digest.
func withImages(t *testing.T, auth registrytest.Auth, bin string) (*registrytest.Registry, string) {
	t.Helper()
	reg := registrytest.Start(t, registrytest.Options{
		Auth: auth, Accounts: map[string]string{robot: password, "pusher": "nor-this"},
		Reach: map[string][]string{robot: {"acme"}}, Public: []string{"public"},
	})
	img := realImage(t, bin)
	for _, repository := range []string{"acme/app:1", "other/app:1", "public/app:1"} {
		reg.MustPush(t, repository, img)
	}
	digest, err := img.Digest()
	must(t, err)
	return reg, digest.String()
}

// realImage holds a program that runs.
func realImage(t *testing.T, bin string) v1.Image {
	t.Helper()
	program, err := registrytest.Program("usr/bin/helper", filepath.Join(bin, "docker-credential-beta9-generic"))
	must(t, err)
	img, err := registrytest.Image(nil,
		[]registrytest.File{{Path: "etc/motd", Mode: 0o644, Data: []byte("an image of a test\n")}}, []registrytest.File{program})
	must(t, err)
	return img
}

// TestImages types what a person types around CLIP, with a registry that asks for tokens and one that asks for the
// password at every request.
func TestImages(t *testing.T) {
	bin := genericHelper(t)
	for way, auth := range map[string]registrytest.Auth{"basic": registrytest.Basic, "bearer": registrytest.Bearer} {
		t.Run(way, func(t *testing.T) {
			reg, digest := withImages(t, auth, bin)
			gone := registrytest.Start(t, registrytest.Options{})
			must(t, gone.Close())
			testscript.Run(t, testscript.Params{
				Dir: "testdata/images",
				Setup: func(env *testscript.Env) error {
					home := filepath.Join(env.WorkDir, "home")
					for name, value := range map[string]string{
						"HOME": home, "BIN": bin, "REG": reg.Name(), "GONE": gone.Name(), "DIGEST": digest,
						"REGISTRY": reg.Name(), "REGISTRY_USERNAME": robot, "REGISTRY_PASSWORD": password,
						"SECRET": fmt.Sprintf(`{"version":1,"registry":%q,"type":"generic","scope":"acme","credentials":{"USERNAME":%q,"PASSWORD":%q}}`,
							reg.Name(), robot, password),
					} {
						env.Setenv(name, value)
					}
					return os.Mkdir(home, 0o700)
				},
				Condition: func(cond string) (bool, error) {
					if cond != "fuse" {
						return false, errors.New("unknown condition")
					}
					return fuse(), nil
				},
				RequireExplicitExec: true,
			})
			for _, q := range reg.Requests() {
				if q.User != "" && q.User != robot && q.User != "bob" {
					t.Errorf("the registry was asked as %s", q.User)
				}
			}
		})
	}
}

// fuse tells whether a file system in user space can be mounted here. Where it has to be, its lack fails the tests that
// need it by name.
func fuse() bool {
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		return false
	}
	f.Close()
	_, err = needs.Find("fusermount3")
	return err == nil
}

// TestMountEndsCleanly interrupts a mount in the foreground.
func TestMountEndsCleanly(t *testing.T) {
	needs.FUSE(t)
	bin := genericHelper(t)
	reg, digest := withImages(t, registrytest.Bearer, bin)
	for name, tt := range map[string]struct {
		image string
		begin func(t *testing.T, dir string)
		end   func(t *testing.T, p *os.Process, dir, temp string)
	}{
		"SIGINT":  {image: "acme/app:1", end: func(t *testing.T, p *os.Process, _, _ string) { must(t, p.Signal(syscall.SIGINT)) }},
		"SIGTERM": {image: "acme/app@" + digest, end: func(t *testing.T, p *os.Process, _, _ string) { must(t, p.Signal(syscall.SIGTERM)) }},
		"unmounted by somebody else": {image: "acme/app:1", end: func(t *testing.T, _ *os.Process, dir, _ string) {
			out, err := exec.Command(needs.Tool(t, "fusermount3"), "-u", dir).CombinedOutput()
			if err != nil {
				t.Errorf("%v: %s", err, out)
			}
		}},
		"while it is used": {image: "acme/app:1", end: func(t *testing.T, p *os.Process, dir, _ string) {
			f, err := os.Open(filepath.Join(dir, "etc/motd"))
			must(t, err)
			must(t, p.Signal(syscall.SIGINT))
			awaitUnmounted(t, dir)
			data, err := io.ReadAll(f)
			if err != nil || len(data) == 0 {
				t.Errorf("what was open can no longer be read: %v", err)
			}
			must(t, f.Close())
		}},
		// Whoever can read the folder can keep it locked.
		"on a folder that somebody keeps": {image: "acme/app:1", begin: func(t *testing.T, dir string) {
			must(t, os.Mkdir(dir, 0o755))
			f, err := os.Open(dir)
			must(t, err)
			t.Cleanup(func() { f.Close() })
			must(t, unix.Flock(int(f.Fd()), unix.LOCK_EX))
		}, end: func(t *testing.T, p *os.Process, _, _ string) { must(t, p.Signal(syscall.SIGINT)) }},
		// As long as it is stopped it removes nothing, and unmount has to wait for it, with the folder open.
		"unmounted by unmount": {image: "acme/app:1", end: func(t *testing.T, p *os.Process, dir, temp string) {
			must(t, p.Signal(syscall.SIGSTOP))
			defer p.Signal(syscall.SIGCONT)
			opened := watchOpening(t, dir)
			cmd, _ := command(t, "unmount", dir)
			cmd.Env = append(cmd.Env, "PATH="+os.Getenv("PATH"))
			var said strings.Builder
			cmd.Stdout, cmd.Stderr = &said, &said
			must(t, cmd.Start())
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			select {
			case <-opened:
			case err := <-ended:
				t.Fatalf("unmount has not waited: %v: %s", err, said.String())
			}
			must(t, p.Signal(syscall.SIGCONT))
			if err := <-ended; err != nil || said.String() != "Unmounted "+dir+".\n" {
				t.Errorf("%v: %s", err, said.String())
			}
			if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
				t.Errorf("left behind when unmount has ended: %v, %v", left, err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			cmd, home := command(t, "mount", "--helpers", bin, reg.Name()+"/"+tt.image, filepath.Join(t.TempDir(), "mnt"))
			dir, temp := cmd.Args[len(cmd.Args)-1], filepath.Join(home, "tmp")
			must(t, os.Mkdir(temp, 0o700))
			if tt.begin != nil {
				tt.begin(t, dir)
			}
			cmd.Env = append(cmd.Env, "PATH="+os.Getenv("PATH"), "TMPDIR="+temp,
				"REGISTRY="+reg.Name(), "REGISTRY_USERNAME="+robot, "REGISTRY_PASSWORD="+password)
			stdout, err := cmd.StdoutPipe()
			must(t, err)
			var stderr strings.Builder
			cmd.Stderr = &stderr
			must(t, cmd.Start())
			line, err := bufio.NewReader(stdout).ReadString('\n')
			if err != nil || !strings.HasPrefix(line, "Mounted ") {
				_ = cmd.Wait()
				t.Fatalf("%q, %v\n%s", line, err, stderr.String())
			}
			out, err := exec.Command(filepath.Join(dir, "usr/bin/helper"), "version").CombinedOutput()
			if err != nil || !strings.Contains(string(out), "docker-credential-beta9-generic") {
				t.Errorf("the program of the image: %s, %v", out, err)
			}
			tt.end(t, cmd.Process, dir, temp)
			if err := cmd.Wait(); err != nil {
				t.Errorf("%v\n%s", err, stderr.String())
			}
			if err := isMounted(dir); err == nil {
				t.Error("it is still mounted")
			}
			if _, err := os.Lstat(dir); errors.Is(err, os.ErrNotExist) != (tt.begin == nil) {
				t.Errorf("of the folder, which goes if it was made: %v", err)
			}
			if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

// watchOpening tells when somebody opens the folder that is below what is mounted on it now.
func watchOpening(t *testing.T, dir string) <-chan struct{} {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	must(t, err)
	f := os.NewFile(uintptr(fd), "inotify")
	t.Cleanup(func() { f.Close() })
	_, err = unix.InotifyAddWatch(fd, filepath.Dir(dir), unix.IN_OPEN|unix.IN_ONLYDIR)
	must(t, err)
	opened := make(chan struct{})
	go func() {
		event := make([]byte, 4096)
		for {
			n, err := f.Read(event)
			if err != nil {
				return
			}
			if strings.Contains(string(event[:n]), filepath.Base(dir)+"\x00") {
				close(opened)
				return
			}
		}
	}()
	return opened
}

// awaitUnmounted returns once nothing is mounted on the folder any more. The kernel says when the table of mounts has
// changed since it was opened (proc(5), /proc/pid/mounts), so that nobody has to look again and again. It says it once
// for an open file, which is therefore not an os.File, to which the runtime's poller would listen too.
func awaitUnmounted(t *testing.T, dir string) {
	t.Helper()
	table, err := unix.Open("/proc/self/mounts", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	must(t, err)
	defer unix.Close(table)
	for isMounted(dir) == nil {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(table), Events: unix.POLLPRI}}, 60_000)
		if n == 0 || err != nil && err != unix.EINTR {
			t.Fatalf("it is still mounted: %v", err)
		}
	}
}
