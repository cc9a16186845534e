package secretstest

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/beam-cloud/docker-credential-beta9/secrets"
)

// Turns has those who use a store on PostgreSQL wait for each other, in the order that each test wants. The names of the
// store's own tables start with prefix.
func Turns(t *testing.T, h Harness, prefix string) {
	for name, test := range map[string]func(*testing.T, Harness, string){
		"a rotation begins among writers": testRotationInTurn,
		"a rotation waits in the middle":  testRotationWaiting,
		"a strange keyring comes late":    testStrangeKeyringInTurn,
		"a lost race is a conflict":       testLostRace,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, h, prefix)
		})
	}
}

// testRotationInTurn has a rotation wait for a writer who does not end, and other writers come after it. The writers of a
// busy store come without an end: a rotation that all of them get in ahead of would not begin. So they wait behind it, but
// not for as long as it waits.
func testRotationInTurn(t *testing.T, h Harness, prefix string) {
	var keys ring
	keys.add(t)
	p := newPlace(t, h)
	s := p.with(t, keys.load(t))
	ctx := t.Context()
	next := must(s.Put(ctx, login(t, workspace, "ghcr.io", "x")))(t)

	first := Begin(t, p.address, "SELECT one FROM "+prefix+"key FOR SHARE")
	keys.add(t)
	rotated, written := make(chan error, 1), make(chan error)
	go func() { rotated <- s.Rotate(ctx, nil) }()
	const tries = 20 // the rotation may give way to a writer before he is seen to wait
	behind := false
	for range tries {
		Waiting(t, p.address, 1, rotated)
		go func() {
			var err error
			next, err = s.Put(ctx, next)
			written <- err
		}()
		err, ended := waits(t, p.address, 2, written)
		if !ended {
			// The first writer may want the same secret: whoever waits for the rotation may not have it.
			savepoint := must(first.Begin(ctx))(t)
			_, held := savepoint.Exec(ctx, "SELECT version FROM "+prefix+"secret WHERE name = $1 FOR UPDATE NOWAIT", next.Name)
			do(t, savepoint.Rollback(ctx))
			behind = held == nil
			err = <-written
		}
		do(t, err)
		if behind {
			break
		}
	}
	if !behind {
		t.Errorf("of %d writers none waits for the rotation without holding a secret", tries)
	}
	do(t, first.Rollback(ctx))
	do(t, <-rotated)
	keys.retire()
	if got := must(p.with(t, keys.load(t)).Get(ctx, workspace, next.Name))(t); got.Version != next.Version {
		t.Errorf("version %d, want %d, which was written while the rotation waited", got.Version, next.Version)
	}
}

// testRotationWaiting has a rotation that has begun wait for somebody who holds a secret and does not end. Writers get at
// what it has in hand besides.
func testRotationWaiting(t *testing.T, h Harness, prefix string) {
	var keys ring
	keys.add(t)
	p := newPlace(t, h)
	s := p.with(t, keys.load(t))
	ctx := t.Context()
	for _, host := range []string{"ghcr.io", "quay.io"} {
		must(s.Put(ctx, login(t, workspace, host, "x")))(t)
	}
	both := must(s.List(ctx, workspace))(t) // in the order in which they are sealed again
	holder := Begin(t, p.address, "SELECT FROM "+prefix+"secret WHERE name = '"+both[1].Name+"' FOR UPDATE")
	keys.add(t)
	rotated := make(chan error, 1)
	go func() { rotated <- s.Rotate(ctx, nil) }()
	Waiting(t, p.address, 1, rotated)
	must(s.Put(ctx, both[0]))(t)
	do(t, holder.Rollback(ctx))
	do(t, <-rotated)
	keys.retire()
	if list := must(p.with(t, keys.load(t)).List(ctx, workspace))(t); len(list) != len(both) {
		t.Errorf("%d secrets open with the new key alone", len(list))
	}
}

// testStrangeKeyringInTurn has somebody rotate with the keyring of another store while the first secret of this one is
// being written.
func testStrangeKeyringInTurn(t *testing.T, h Harness, prefix string) {
	p := newPlace(t, h)
	s, stranger := p.open(t), p.with(t, secrets.NewKeyring(newKey(t)))
	ctx := t.Context()
	holder := Begin(t, p.address, "LOCK TABLE "+prefix+"image IN ACCESS EXCLUSIVE MODE")
	attached, rotated := make(chan error, 1), make(chan error, 1)
	go func() {
		attached <- s.Attach(ctx, imageOf(t, workspace, image, "ghcr.io/a/b"), login(t, workspace, "ghcr.io", "x"))
	}()
	Waiting(t, p.address, 1, attached) // with the secret written
	go func() { rotated <- stranger.Rotate(ctx, nil) }()
	Waiting(t, p.address, 2, rotated)
	do(t, holder.Rollback(ctx))
	do(t, <-attached)
	if err := <-rotated; !errors.Is(err, secrets.ErrNoKey) || errors.Is(err, secrets.ErrSealed) {
		t.Errorf("a rotation with the keyring of another store: %v", err)
	}
	must(s.Put(ctx, login(t, workspace, "quay.io", "y")))(t)
}

// testLostRace has a writer and somebody who removes wait for another one, who changes the secret, in databases whose
// transactions would see nothing of that.
func testLostRace(t *testing.T, h Harness, prefix string) {
	ctx := t.Context()
	for _, level := range []string{"repeatable read", "serializable"} {
		p := newPlace(t, h)
		Execute(t, p.address, `DO $$ BEGIN
	EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = %L', current_database(), '`+level+`');
END $$`)
		s := p.open(t)
		next := must(s.Put(ctx, login(t, workspace, "ghcr.io", "x")))(t)
		for what, lose := range map[string]func() error{
			"writing":   func() error { _, err := s.Put(ctx, next); return err },
			"attaching": func() error { return s.Attach(ctx, imageOf(t, workspace, image, "ghcr.io/a/b"), next) },
			"removing":  func() error { return s.Delete(ctx, workspace, next.Name, next.Version) },
		} {
			winner := Begin(t, p.address, "UPDATE "+prefix+"secret SET version = version + 1")
			lost := make(chan error, 1)
			go func() { lost <- lose() }()
			Waiting(t, p.address, 1, lost)
			do(t, winner.Commit(ctx))
			if err := <-lost; !errors.Is(err, secrets.ErrConflict) {
				t.Errorf("%s, %s: %v", level, what, err)
			}
			next.Version++
		}
	}
}

// Begin begins a transaction with a statement, in a database of a test.
func Begin(t testing.TB, address, statement string) pgx.Tx {
	t.Helper()
	conn := must(pgx.Connect(t.Context(), address))(t)
	t.Cleanup(func() { conn.Close(t.Context()) })
	tx := must(conn.Begin(t.Context()))(t)
	must(tx.Exec(t.Context(), statement))(t)
	return tx
}

// Waiting asks until n transactions on a database of a test wait for a lock. The last of them is not to end before.
func Waiting(t testing.TB, address string, n int, last <-chan error) {
	t.Helper()
	if err, ended := waits(t, address, n, last); ended {
		t.Fatalf("somebody did not wait: %v", err)
	}
}

// waits asks until n transactions wait for a lock, or the last of them has ended.
func waits(t testing.TB, address string, n int, last <-chan error) (err error, ended bool) {
	t.Helper()
	conn := must(pgx.Connect(t.Context(), address))(t)
	defer conn.Close(t.Context())
	for found := 0; found < n; {
		select {
		case err := <-last:
			return err, true
		default:
		}
		do(t, conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&found))
	}
	return nil, false
}
