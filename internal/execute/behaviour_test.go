//go:build unix

package execute

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"

	"github.com/beam-cloud/docker-credential-beta9/internal/harden"
)

const (
	// socketKey names the socket on which a helper shows that it lives.
	socketKey = "EXECUTE_TEST_SOCKET"
	// folderKey names the folder for the helpers' parent.
	folderKey = "EXECUTE_TEST_FOLDER"
	// closedKey names the standard descriptors that a process closes.
	closedKey = "EXECUTE_TEST_CLOSED"
	// secret is printed by helpers that then fail; no error may repeat it.
	secret = "canary-5f1d"
)

// behaviours are what the test binary does when it is run under such a name,
// as a helper or as the parent of one. Each returns its exit status.
var behaviours map[string]func() int

func init() {
	behaviours = map[string]func() int{
		"answer":   answer,
		"bomb":     bomb,
		"close":    closeEverything,
		"deaf":     deaf,
		"defect":   defect,
		"dump":     dump,
		"escape":   func() int { return leave(true) },
		"flood":    flood,
		"gate":     gate,
		"hang":     hang,
		"closed":   closed,
		"hardened": hardened,
		"hare":     hare,
		"linger":   func() int { return leave(false) },
		"material": material,
		"noise":    noise,
		"orphan":   orphan,
		"parent":   parent,
		"polite":   polite,
		"refuse":   refuse,
		"silent":   func() int { return 0 },
		"stop":     stop,
		"suicide":  suicide,
	}
}

// answer repeats what it was asked.
func answer() int {
	asked, err := io.ReadAll(os.Stdin)
	if err != nil {
		return 2
	}
	fmt.Printf("%s %s", os.Args[1], asked)
	return 0
}

// refuse ends as a helper that has nothing does.
func refuse() int {
	fmt.Println("credentials not found in native keychain")
	fmt.Fprintln(os.Stderr, "hint: log in first")
	return 1
}

// flood prints a gibibyte, if it is let to.
func flood() int {
	block := bytes.Repeat([]byte(secret), 1<<20/len(secret))
	for range 1 << 10 {
		if _, err := os.Stdout.Write(block); err != nil {
			break
		}
	}
	select {}
}

// noise prints a lot on standard error, and then an answer.
func noise() int {
	block := bytes.Repeat([]byte("noise"), 1<<20/5)
	for range 64 {
		if _, err := os.Stderr.Write(block); err != nil {
			return 2
		}
	}
	fmt.Print("answer")
	return 0
}

// live connects to the witness and says who it is. The connection lives as long
// as the process, and as those it is handed to.
func live(name string) *net.UnixConn {
	conn, err := net.Dial("unix", os.Getenv(socketKey))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	fmt.Fprintln(conn, name)
	return conn.(*net.UnixConn)
}

// hang lives until it is killed.
func hang() int {
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGPIPE)
	fmt.Print(secret)
	fmt.Fprint(os.Stderr, "waiting")
	conn := live("hang")
	// The witness never answers, and the process is killed while it waits, or
	// ends when the witness goes first.
	_, _ = io.Copy(io.Discard, conn)
	return 0
}

// polite waits to be asked to end, and says something then.
func polite() int {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM)
	live("polite")
	<-asked
	fmt.Print("last words")
	return 0
}

// defect leaves its own process group for that of the process that runs it, where
// a signal to the group does not reach it.
func defect() int {
	group, err := syscall.Getpgid(os.Getppid())
	if err == nil {
		err = syscall.Setpgid(0, group)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 3
	}
	return hang()
}

// stop shows itself and stops, as a job does that wants the terminal.
func stop() int {
	conn := live("stop")
	syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	_, _ = io.Copy(io.Discard, conn)
	return 0
}

// gate reads the material, if there is some, and waits until it is let through.
func gate() int {
	if os.Getenv("BETA9_CREDENTIAL_FD") != "" {
		if _, err := io.Copy(io.Discard, os.NewFile(3, "material")); err != nil {
			return 3
		}
	}
	conn := live("gate")
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		return 3
	}
	fmt.Print("through")
	return 0
}

// suicide dies of a signal after it said something.
func suicide() int {
	fmt.Print(secret)
	fmt.Fprint(os.Stderr, "dying")
	syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// deaf reads nothing, and closes what it could read from.
func deaf() int {
	os.Stdin.Close()
	syscall.Close(3)
	fmt.Print("heard nothing")
	return 0
}

// closeEverything closes its output and stays.
func closeEverything() int {
	os.Stdout.Close()
	os.Stderr.Close()
	return hang()
}

// material tells what it was given, without printing it.
func material() int {
	number, err := strconv.Atoi(os.Getenv("BETA9_CREDENTIAL_FD"))
	if err != nil {
		return 3
	}
	given, err := io.ReadAll(os.NewFile(uintptr(number), "material"))
	if err != nil {
		return 4
	}
	fmt.Printf("%d %x", len(given), sha256.Sum256(given))
	return 0
}

// dump prints everything a process can know about how it was started.
func dump() int {
	for _, entry := range os.Environ() {
		fmt.Printf("env %q\n", entry)
	}
	for _, arg := range os.Args {
		fmt.Printf("arg %q\n", arg)
	}
	if path, err := os.Executable(); err == nil {
		fmt.Printf("exe %q\n", path)
	}
	if dir, err := os.Getwd(); err == nil {
		fmt.Printf("dir %q\n", dir)
	}
	fmt.Printf("leader %v\n", syscall.Getpgrp() == os.Getpid())
	// What was inherited is not close-on-exec, and what the runtime opened for
	// itself is.
	for n := range 1024 {
		flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(n), syscall.F_GETFD, 0)
		if errno == 0 && flags&syscall.FD_CLOEXEC == 0 {
			fmt.Printf("fd %d\n", n)
		}
	}
	for _, file := range []string{"cmdline", "environ"} {
		if content, err := os.ReadFile("/proc/self/" + file); err == nil {
			fmt.Printf("%s %q\n", file, strings.Split(strings.TrimSuffix(string(content), "\x00"), "\x00"))
		}
	}
	return 0
}

// hardened hides from its own user and then runs a helper.
func hardened() int {
	if err := harden.Process(); err != nil {
		fmt.Println(err)
		return 3
	}
	return call()
}

// closed runs helpers without some of the standard descriptors of its own, so
// that their numbers are given to the next files it opens. The call before that
// is for the runtime to have opened its own.
func closed() int {
	said, err := syscall.Dup(1)
	if err != nil {
		return 3
	}
	out := os.NewFile(uintptr(said), "output")
	if status := call(); status != 0 {
		return status
	}
	for _, number := range strings.Fields(os.Getenv(closedKey)) {
		n, err := strconv.Atoi(number)
		if err != nil {
			return 4
		}
		[]*os.File{os.Stdin, os.Stdout, os.Stderr}[n].Close()
	}
	if r, w, err := pipe(); err != nil || r.Fd() < aboveStandard || w.Fd() < aboveStandard {
		fmt.Fprintf(out, "%v %v %v", r, w, err)
		return 6
	}
	debug.SetGCPercent(-1) // the collector would close forgotten files
	before := -1
	for range 4 {
		folder, err := OpenFolder(os.Getenv(folderKey), Options{Types: []string{"deaf"}})
		var got Result
		if err == nil {
			got, err = folder.Run(context.Background(), Call{Type: "deaf", Verb: "get", Material: make([]byte, 1<<20)})
		}
		open, _ := os.ReadDir("/dev/fd")
		if string(got.Stdout) != "heard nothing" || err != nil || before >= 0 && len(open) != before {
			fmt.Fprintf(out, "%q, %v, %d descriptors, %d before", got.Stdout, err, len(open), before)
			return 5
		}
		before = len(open)
	}
	return 0
}

// call runs a helper and repeats its answer.
func call() int {
	folder, err := OpenFolder(os.Getenv(folderKey), Options{Types: []string{"material"}})
	if err != nil {
		fmt.Println(err)
		return 3
	}
	got, err := folder.Run(context.Background(), Call{Type: "material", Verb: "get", Material: []byte("m")})
	if err != nil {
		fmt.Println(err)
		return 3
	}
	os.Stdout.Write(got.Stdout)
	return 0
}
