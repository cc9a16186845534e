package secretstest

import (
	"errors"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
)

// Outage takes the server away from a store on PostgreSQL in the middle of a query, and gives it back. The table is one
// that every read of a secret looks at; fill makes what the store expects in an empty database, and may be nil.
func Outage(t *testing.T, h Harness, table string, fill func(t testing.TB, address string)) {
	cluster := NewCluster(t)
	address := cluster.Database(t)
	if fill != nil {
		fill(t, address)
	}
	h.Fresh = func(testing.TB) string { return address }
	p := newPlace(t, h)
	s := p.open(t)
	ctx := t.Context()
	secret := login(t, workspace, "ghcr.io", "x")
	spare := login(t, workspace, "spare.example", "x")
	do(t, s.Attach(ctx, imageOf(t, workspace, image, "ghcr.io/a/b"), secret, spare))
	source := secrets.NewSource(s, workspace, image)

	holder := must(pgx.Connect(ctx, address))(t)
	must(holder.Exec(ctx, "BEGIN"))(t)
	must(holder.Exec(ctx, "LOCK TABLE "+pgx.Identifier{table}.Sanitize()+" IN ACCESS EXCLUSIVE MODE"))(t)
	calls := map[string]func() error{
		"get":    func() error { _, err := s.Get(ctx, workspace, secret.Name); return err },
		"list":   func() error { _, err := s.List(ctx, workspace); return err },
		"find":   func() error { _, err := s.Find(ctx, workspace, image, registry(t, "ghcr.io/a/b")); return err },
		"source": func() error { _, err := source.Material(ctx, registry(t, "ghcr.io/a/b")); return err },
		"put":    func() error { _, err := s.Put(ctx, login(t, workspace, "quay.io", "y")); return err },
		"attach": func() error {
			return s.Attach(ctx, imageOf(t, workspace, image, "ghcr.io/a/b"), login(t, workspace, "docker.io", "z"))
		},
		"delete": func() error { return s.Delete(ctx, workspace, spare.Name, 1) },
		"rotate": func() error { return s.Rotate(ctx, nil) },
	}
	type outcome struct {
		name string
		err  error
	}
	outcomes := make(chan outcome)
	for name, call := range calls {
		go func() { outcomes <- outcome{name, call()} }()
	}
	for waiting := 0; waiting < len(calls); { // until all of them are in the middle of their query
		do(t, holder.QueryRow(ctx, "SELECT count(*) FROM pg_locks WHERE NOT granted").Scan(&waiting))
	}
	cluster.Kill()
	unavailable := func(name string, err error) {
		if !errors.Is(err, secrets.ErrUnavailable) || errors.Is(err, secrets.ErrNotFound) || helpers.ReasonOf(err) != helpers.Unavailable {
			t.Errorf("%s without a server: %v", name, err)
		}
		if err != nil && helpers.HintOf(err) == "" {
			t.Errorf("%s without a server: no hint about %v", name, err)
		}
	}
	for range calls {
		o := <-outcomes
		unavailable(o.name+" in mid-query,", o.err)
	}
	calls["keys"] = func() error { _, _, err := s.Keys(ctx); return err }
	calls["image"] = func() error { _, err := s.Image(ctx, workspace, image); return err }
	for name, call := range calls {
		unavailable(name, call())
	}
	if _, err := p.Open(ctx, address, p.keyring); !errors.Is(err, secrets.ErrUnavailable) {
		t.Errorf("opening without a server: %v", err)
	}

	cluster.Start(t)
	for name, call := range calls {
		const tries = 20 // more than there are connections, each of which has to find out by itself
		err := call()
		for range tries {
			if err == nil {
				break
			}
			unavailable(name, err)
			err = call()
		}
		if err != nil {
			t.Errorf("%s after the server came back: %v", name, err)
		}
	}
	list := must(s.List(ctx, workspace))(t)
	if len(list) != 3 || slices.ContainsFunc(list, func(s secrets.Secret) bool { return s.Version != 1 }) {
		t.Errorf("%d secrets after what was called with a server and without", len(list))
	}
}
