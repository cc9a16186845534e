//go:build unix

package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	fullDevice = "/dev/full"
	// promptly is what a second is on a machine that is busy with other tests.
	promptly = 5 * time.Second
	// kills is how many stores are killed, each at another point.
	kills = 200
	// parallel is how many calls run at once.
	parallel = 32
)

// processes are the cases about signals and about other processes.
var processes = append([]testCase{
	{id: "P1", about: "SIGTERM in the middle of a call", run: func(p *probe) {
		for _, verb := range []string{"store", "get", "erase"} {
			o := p.terminated(verb)
			if o.hung || o.code == 0 {
				p.sawf("%s after SIGTERM: %s, want it gone within a second, and not with exit 0", verb, o)
			}
		}
		if entries := p.listed(); len(entries) != 0 {
			p.sawf("list after store got SIGTERM: %q, want {}", entries)
		}
		if p.Static && p.stores(p.Host, p.Username, "p1-secret") { // no lock was left behind
			p.gives(p.Host, p.Username, "p1-secret")
		}
	}},
	{id: "P2", about: "SIGKILL during store", applies: static, run: func(p *probe) {
		old := "p2-secret-old"
		begin := time.Now()
		if !p.stores(p.Host, p.Username, old) {
			return
		}
		whole := time.Since(begin)
		rnd := rand.New(rand.NewPCG(5, 6))
		for n := range kills {
			secret := fmt.Sprintf("p2-secret-%d-%s", n, random(8192))
			sig := syscall.SIGKILL
			if n%4 == 3 {
				sig = syscall.SIGTERM
			}
			finished := p.killed(sig, time.Duration(rnd.Int64N(int64(whole)+1)), loginJSON(p.Host, p.Username, secret))
			o := p.get(p.Host)
			a, ok := o.answer()
			if !ok || a.Secret != secret && (finished || a.Secret != old) {
				p.sawf("get after store %d was killed (%t: after its end): %s, want the old login or the new one", n, finished, o)
				return
			}
			old = a.Secret
		}
		if entries := p.listed(); len(entries) != 1 {
			p.sawf("list after many kills: %q, want one entry", entries)
		}
	}},
	{id: "P4", about: "the parent dies", run: func(p *probe) {
		fifo := filepath.Join(p.dir, "fifo")
		if err := syscall.Mkfifo(fifo, 0o600); err != nil {
			p.sawf("the suite cannot make a fifo: %v", err)
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
		defer cancel()
		// The parent holds the other end of the helper's stdin, and dies of a signal as soon as both have opened it.
		cmd := exec.CommandContext(ctx, "/bin/sh", "-c", `"$0" get <"$1" & exec 3>"$1"; kill -9 $$`, p.Path, fifo)
		cmd.Env, cmd.Dir, cmd.WaitDelay = p.env, p.dir, patience
		cmd.Stdout = &capped{} // a copy of it is held by the helper
		if err := cmd.Run(); errors.Is(err, exec.ErrWaitDelay) || ctx.Err() != nil {
			p.sawf("get whose parent died: it goes on")
		}
	}},
	{id: "P5", about: "many calls at once", applies: static, run: func(p *probe) {
		p.parallelHosts()
		p.parallelLogins()
	}},
	{id: "P8", about: "an empty environment", run: func(p *probe) {
		p.env = []string{}
		for verb, in := range map[string]string{"list": "", "version": ""} {
			if o := p.do(call{args: []string{verb}, stdin: strings.NewReader(in)}); o.hung || o.code != 0 {
				p.sawf("%s without an environment: %s, want exit 0", verb, o)
			}
		}
		if p.OtherHost != "" {
			p.givesNothing(p.OtherHost)
		}
		if p.Static {
			p.givesNothing(p.Host)
		}
		p.refuses("get of a malformed server URL", p.get("ftp://"+p.Host))
	}},
	{id: "P9", about: "few descriptors, and no room to write", applies: static, run: func(p *probe) {
		const secret = "p9-secret"
		if !p.stores(p.Host, p.Username, secret) {
			return
		}
		for _, limit := range []string{fmt.Sprint("ulimit -n ", p.Descriptors), "ulimit -f 0"} {
			o := p.shell(limit+`; exec "$0" "$@"`, p.Host, "get")
			if a, ok := o.answer(); !ok || a.Secret != secret {
				p.sawf("get under %s: %s, want what is stored", limit, o)
			}
			if o := p.shell(limit+`; exec "$0" "$@"`, "", "list"); o.hung || o.code != 0 {
				p.sawf("list under %s: %s, want exit 0", limit, o)
			}
		}
		p.refuses("store under ulimit -f 0", p.shell(`ulimit -f 0; exec "$0" "$@"`, loginJSON(p.Host, p.Username, random(1<<20)), "store"))
		p.gives(p.Host, p.Username, secret)
		if p.stores(p.Host, p.Username, "p9-other") { // what was left behind does not stand in the way
			p.gives(p.Host, p.Username, "p9-other")
		}
	}},
}, files...)

func lacksFullDevice(Helper) string {
	if _, err := os.Stat(fullDevice); err != nil {
		return "no " + fullDevice + ": run the suite on Linux"
	}
	return ""
}

// shell calls the helper through a shell script that finds it as $0 and the verb as $@.
func (p *probe) shell(script, in string, args ...string) outcome {
	return p.do(call{stdin: strings.NewReader(in), adjust: func(cmd *exec.Cmd) {
		cmd.Path = "/bin/sh"
		cmd.Args = append([]string{"sh", "-c", script, p.Path}, args...)
	}})
}

// terminated sends SIGTERM to a call that is reading its stdin, and to no other point of it: what was written before the
// signal is more than a pipe holds.
func (p *probe) terminated(verb string) outcome {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := p.command(ctx, verb)
	cmd.Env = append(cmd.Env, "BETA9_CREDENTIAL_TIMEOUT=1h") // no deadline but the signal
	stdout := &capped{}
	cmd.Stdout, cmd.Stderr = stdout, io.Discard
	stdin, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return outcome{stderr: err.Error(), hung: true}
	}
	in := strings.TrimSpace(loginJSON(p.Host, p.Username, "half a login"))
	in = in[:len(in)-3]
	if verb == "store" {
		in += strings.Repeat("s", 256<<10)
	}
	_, _ = io.WriteString(stdin, in) // a helper that reads no more has ended
	_ = cmd.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(promptly, cancel)
	err = cmd.Wait()
	late.Stop()
	return outcome{stdout: stdout.String(), code: cmd.ProcessState.ExitCode(), hung: ctx.Err() != nil || errors.Is(err, exec.ErrWaitDelay)}
}

// killed runs store and sends it a signal after a while. It reports whether the call came to its end first.
func (p *probe) killed(sig syscall.Signal, after time.Duration, login string) (finished bool) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := p.command(ctx, "store")
	cmd.Stdin = strings.NewReader(login)
	if cmd.Start() != nil {
		return false
	}
	kill := time.AfterFunc(after, func() { _ = cmd.Process.Signal(sig) })
	err := cmd.Wait()
	kill.Stop()
	return err == nil
}

// atOnce runs f for 0 to n-1 at the same time.
func atOnce(n int, f func(int)) {
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	all.Wait()
}

// parallelHosts stores, reads and erases logins of different registries at once.
func (p *probe) parallelHosts() {
	all := append([]string{p.Host}, p.Hosts...)
	secret := func(i int) string { return fmt.Sprintf("p5-secret-%d", i) }
	stored := make([]outcome, parallel)
	atOnce(parallel, func(i int) { stored[i] = p.store(all[i%len(all)], p.Username, secret(i%len(all))) })
	for i, o := range stored {
		if o.hung || o.code != 0 {
			p.sawf("store for %s, one of %d at once: %s, want exit 0", all[i%len(all)], parallel, o)
		}
	}
	for i, host := range all {
		p.gives(host, p.Username, secret(i))
	}
	if entries := p.listed(); len(entries) != len(all) {
		p.sawf("list after %d stores at once: %q, want %d entries", parallel, entries, len(all))
	}
	erased := make([]outcome, parallel)
	atOnce(parallel, func(i int) {
		if i%2 == 0 {
			erased[i] = p.erase(all[0])
		} else {
			erased[i] = p.get(all[i%len(all)])
		}
	})
	for i, o := range erased {
		if o.hung || i%2 == 0 && o.code != 0 || i%2 == 1 && i%len(all) != 0 && o.code != 0 {
			p.sawf("call %d of %d erases and gets at once: %s", i, parallel, o)
		}
	}
	p.givesNothing(all[0])
	for i, host := range all[1:] {
		p.gives(host, p.Username, secret(i+1))
	}
}

// parallelLogins stores, reads and erases logins of one registry at once. Each has a user name that belongs to its
// secret, so that a login put together from two would be seen.
func (p *probe) parallelLogins() {
	secret := func(i int) string { return fmt.Sprintf("p5-secret-%d-%s", i, random(500*(i+1))) }
	outcomes := make([]outcome, 2*parallel)
	atOnce(2*parallel, func(i int) {
		switch {
		case i%2 == 0:
			outcomes[i] = p.store(p.Host, fmt.Sprintf("user-%d", i), secret(i))
		case i%8 == 7:
			outcomes[i] = p.erase(p.Host)
		default:
			outcomes[i] = p.get(p.Host)
		}
	})
	check := func(what string, o outcome) {
		a, ok := o.answer()
		var i int
		if ok {
			_, err := fmt.Sscanf(a.Username, "user-%d", &i)
			ok = err == nil && a.Secret == secret(i)
		}
		if !ok && !o.isNotFound() {
			p.sawf("get %s: %s, want one of the logins, whole", what, o)
		}
	}
	for i, o := range outcomes {
		switch {
		case i%2 == 0 || i%8 == 7:
			if o.hung || o.code != 0 {
				p.sawf("call %d of %d on one registry at once: %s, want exit 0", i, 2*parallel, o)
			}
		default:
			check("among others", o)
		}
	}
	check("at last", p.get(p.Host))
	if p.stores(p.Host, p.Username, "p5-last") {
		p.gives(p.Host, p.Username, "p5-last")
	}
}

// isExecutableBy tells whether another user can run the helper.
func isExecutableBy(h Helper, uid uint32) bool {
	var out bytes.Buffer
	cmd := exec.Command(h.Path, "version")
	cmd.Env, cmd.Dir, cmd.Stdout = []string{}, os.TempDir(), &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	return cmd.Run() == nil && out.Len() > 0
}
