package secretstest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/internal/file/filetest"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
)

// The roles of processes of the tests. Each is given the address of the store and the path of its keyring.
const (
	roleWrite  = "write"  // writes again and again, and says what was acknowledged
	roleRotate = "rotate" // rotates, and says how far it is
	roleRace   = "race"   // changes one secret against others
)

// environment of a process that does not need one, but for what a database's client looks up.
var environment = []string{"HOME=/nonexistent", "TMPDIR=" + os.TempDir()}

func (h Harness) join(args []string) (Store, error) {
	k, err := secrets.LoadKeyring(context.Background(), func(context.Context) ([]byte, error) { return os.ReadFile(args[1]) }, nil)
	if err != nil {
		return nil, err
	}
	return h.Open(context.Background(), args[0], k)
}

// save writes the keyring of the processes; they read it while it is replaced.
func (r *ring) save(t testing.TB, path string) {
	t.Helper()
	do(t, os.WriteFile(path+".new", must(r.read(t.Context()))(t), 0o600))
	do(t, os.Rename(path+".new", path))
}

const racers, laps = 8, 12

func (h Harness) race(args []string) error {
	s, err := h.join(args)
	if err != nil {
		return err
	}
	defer s.Close()
	ctx := context.Background()
	for lap := 0; lap < laps; {
		next, err := makeLogin(workspace, "ghcr.io", args[2]+"-"+fmt.Sprint(lap))
		if err != nil {
			return err
		}
		seen, err := s.Get(ctx, workspace, next.Name)
		if err != nil && !errors.Is(err, secrets.ErrNotFound) {
			return err
		}
		next.Version = seen.Version
		won, err := s.Put(ctx, next)
		if errors.Is(err, secrets.ErrConflict) {
			continue
		}
		if err != nil {
			return err
		}
		fmt.Println(won.Version, password(won))
		lap++
	}
	return nil
}

// testProcesses has eight processes make the tables of one store, and then write the same secret.
func testProcesses(t *testing.T, h Harness) {
	var keys ring
	keys.add(t)
	p := newPlace(t, h)
	path := filepath.Join(t.TempDir(), "keys")
	keys.save(t, path)
	winners := map[string]string{}
	for _, printed := range filetest.RunMany(t, racers, roleRace, environment, p.address, path) {
		for line := range strings.Lines(printed) {
			version, value, _ := strings.Cut(strings.TrimSpace(line), " ")
			if before, ok := winners[version]; ok {
				t.Errorf("version %s was won by %s and by %s", version, before, value)
			}
			winners[version] = value
		}
	}
	got := must(p.with(t, keys.load(t)).Get(t.Context(), workspace, secrets.Name(registry(t, "ghcr.io"), "")))(t)
	if got.Version != racers*laps || len(winners) != racers*laps {
		t.Errorf("version %d after %d writes that were acknowledged, of %d", got.Version, len(winners), racers*laps)
	}
	if want := winners[fmt.Sprint(got.Version)]; password(got) != want {
		t.Errorf("the store has %s, and the last writer wrote %s", password(got), want)
	}
}

// written is how many secrets the process that writes has.
const written = 5

func (h Harness) write(args []string) error {
	s, err := h.join(args)
	if err != nil {
		return err
	}
	ctx := context.Background()
	for i := 0; ; i++ {
		next, err := makeLogin(workspace, fmt.Sprintf("registry-%d.example", i%written), args[2]+"-"+fmt.Sprint(i))
		if err != nil {
			return err
		}
		seen, err := s.Get(ctx, workspace, next.Name)
		if err != nil && !errors.Is(err, secrets.ErrNotFound) {
			return err
		}
		next.Version = seen.Version
		won, err := s.Put(ctx, next)
		if err != nil {
			return err
		}
		fmt.Println(won.Name, won.Version, password(won))
	}
}

func (h Harness) rotate(args []string) error {
	s, err := h.join(args)
	if err != nil {
		return err
	}
	fmt.Println("begins")
	err = s.Rotate(context.Background(), func(done, total int) { fmt.Println(done, total) })
	if err == nil {
		fmt.Println("ends")
	}
	return err
}

// kills is at how many points a process is killed, half of them in writes and half in rotations.
const kills = 300

// testKills kills processes that write and processes that rotate, and looks after each one at what it left.
func testKills(t *testing.T, h Harness) {
	var keys ring
	keys.add(t)
	p := newPlace(t, h)
	path := filepath.Join(t.TempDir(), "keys")
	keys.save(t, path)
	s := p.with(t, keys.load(t))
	for i := range kills / 2 {
		killWriter(t, p, s, path, i)
	}
	for i := written; i < 200; i++ {
		must(s.Put(t.Context(), login(t, workspace, fmt.Sprintf("registry-%d.example", i), "x")))(t)
	}
	ended := true
	for range kills / 2 {
		if ended {
			keys.retire()
			keys.add(t)
			keys.save(t, path)
		}
		ended = killRotator(t, p, path)
		if list, err := s.List(t.Context(), workspace); err != nil || len(list) != 200 {
			t.Fatalf("%d records of 200 open after a rotation was killed: %v", len(list), err)
		}
	}
	do(t, p.with(t, keys.load(t)).Rotate(t.Context(), nil))
	keys.retire()
	if list := must(p.with(t, keys.load(t)).List(t.Context(), workspace))(t); len(list) != 200 {
		t.Errorf("%d records of 200 are on the new key", len(list))
	}
}

// watch runs a role, and kills it after some lines of what it prints; it returns all that was printed.
func watch(t testing.TB, lines int, role string, args ...string) []string {
	t.Helper()
	cmd := filetest.Process(t, role, environment, args...)
	stdout, err := cmd.StdoutPipe()
	do(t, err)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	do(t, cmd.Start())
	var printed []string
	in := bufio.NewScanner(stdout)
	for in.Scan() { // to the end: what was printed before the kill counts
		printed = append(printed, in.Text())
		if len(printed) == lines {
			// Some point between this line and the next ones, which come after less than a millisecond or after many.
			for range rand.N(1 << rand.N(27)) {
			}
			cmd.Process.Kill()
		}
	}
	cmd.Wait()
	if stderr.Len() > 0 {
		t.Errorf("%s: %s", role, stderr.String())
	}
	return printed
}

func killWriter(t *testing.T, p place, s Store, path string, round int) {
	t.Helper()
	last := map[string]string{} // by name: version and value, as acknowledged
	for _, line := range watch(t, 1+rand.N(3*written), roleWrite, p.address, path, fmt.Sprint(round)) {
		if name, rest, ok := strings.Cut(line, " "); ok && strings.Count(rest, " ") == 1 {
			last[name] = rest
		}
	}
	for name, want := range last {
		got, err := s.Get(t.Context(), workspace, name)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		var version int64
		var value string
		fmt.Sscan(want, &version, &value)
		// One write may have been made that could not be acknowledged any more.
		if got.Version < version || got.Version > version+1 || got.Version == version && password(got) != value {
			t.Errorf("round %d: version %d with %s is there, and %s was acknowledged", round, got.Version, password(got), want)
		}
	}
}

func killRotator(t *testing.T, p place, path string) (ended bool) {
	t.Helper()
	printed := watch(t, 1+rand.N(4), roleRotate, p.address, path)
	return len(printed) > 0 && printed[len(printed)-1] == "ends"
}
