package main_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A program that prints keys does not outlive the helper that has started it: neither one that was killed, nor one whose
// time was over.
func TestNoProgramIsLeftBehind(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]struct {
		timeout string
		kill    bool
	}{"killed": {"60s", true}, "its time is over": {"1s", false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			told := filepath.Join(w.home, "pid")
			w.write(".aws/config", "[default]\ncredential_process = echo $$ >"+told+".new; mv "+told+".new "+told+"; exec sleep 600\n")
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			helper := exec.CommandContext(ctx, w.helper, "get")
			helper.Stdin = strings.NewReader(host)
			for name, value := range w.env {
				helper.Env = append(helper.Env, name+"="+value)
			}
			helper.Env = append(helper.Env, "BETA9_CREDENTIAL_TIMEOUT="+end.timeout)
			if err := helper.Start(); err != nil {
				t.Fatal(err)
			}
			pid := 0
			for ; pid == 0 && ctx.Err() == nil; pid = number(told) {
			}
			if pid == 0 {
				t.Fatal("the program did not start")
			}
			if end.kill {
				_ = helper.Process.Kill()
			}
			_ = helper.Wait() // it fails either way
			for syscall.Kill(pid, 0) == nil && !isZombie(pid) {
				if ctx.Err() != nil {
					_ = syscall.Kill(pid, syscall.SIGKILL)
					t.Fatal("the program goes on")
				}
			}
		})
	}
}

// number reads a file that holds one, and returns 0 when it is not there.
func number(path string) int {
	data, _ := os.ReadFile(path)
	n, _ := strconv.Atoi(strings.TrimSpace(string(data)))
	return n
}

// isZombie tells whether a process has ended and waits for its parent to look.
func isZombie(pid int) bool {
	data, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	_, rest, _ := strings.Cut(string(data), ") ")
	return strings.HasPrefix(rest, "Z")
}
