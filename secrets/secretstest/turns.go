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
		"a strange keyring comes late":    testStrangeKeyringInTurn,
		"a lost race is a conflict":       testLostRace,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, h, prefix)
		})
	}
}

// testRotationInTurn has a rotation wait for a writer, and another writer come after it. The writers of a busy store come
// without an end: a rotation that all of them get in ahead of would not begin.
func testRotationInTurn(t *testing.T, h Harness, prefix string) {
	var keys ring
	keys.add(t)
	p := newPlace(t, h)
	s := p.with(t, keys.load(t))
	ctx := t.Context()
	next := must(s.Put(ctx, login(t, workspace, "ghcr.io", "x")))(t)

	first := Begin(t, p.address, "SELECT one FROM "+prefix+"key FOR SHARE")
	keys.add(t)
	rotated, written := make(chan error, 1), make(chan error, 1)
	go func() { rotated <- s.Rotate(ctx, nil) }()
	Waiting(t, p.address, 1, rotated)
	go func() {
		_, err := s.Put(ctx, next)
		written <- err
	}()
	Waiting(t, p.address, 2, written)
	// The first writer may want the same secret: whoever waits for the rotation may not have it.
	_, err := first.Exec(ctx, "SELECT version FROM "+prefix+"secret WHERE name = $1 FOR UPDATE NOWAIT", next.Name)
	if err != nil {
		t.Errorf("a writer that waits for the rotation holds a secret: %v", err)
	}
	do(t, first.Rollback(ctx))
	do(t, <-rotated)
	do(t, <-written)
	keys.retire()
	if got := must(p.with(t, keys.load(t)).Get(ctx, workspace, next.Name))(t); got.Version != 2 {
		t.Errorf("version %d, want what was written after the rotation had begun", got.Version)
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
	conn := must(pgx.Connect(t.Context(), address))(t)
	defer conn.Close(t.Context())
	for found := 0; found < n; {
		select {
		case err := <-last:
			t.Fatalf("somebody did not wait: %v", err)
		default:
		}
		do(t, conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&found))
	}
}
