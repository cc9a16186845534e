package beta9

import (
	"cmp"
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/beam-cloud/docker-credential-beta9/secrets"
	"github.com/beam-cloud/docker-credential-beta9/secrets/internal/pg"
	"github.com/beam-cloud/docker-credential-beta9/secrets/internal/rows"
)

// batch is how many MACs are made anew in one transaction: enough to make its end a small part of it, and few enough for
// writers to wait some milliseconds at most.
const batch = 100

// Keys tells which keys are in use; see [secrets.Rotator].
func (s *Store) Keys(ctx context.Context) (string, map[string]int, error) {
	if err := s.currentKey(ctx, s.pool); err != nil {
		return "", nil, unavailable(whole{}, err)
	}
	records, err := s.inUse(ctx, s.pool)
	if err != nil {
		return "", nil, unavailable(whole{}, err)
	}
	return *s.key.Load(), records, nil
}

// inUse tells how many MACs there are of each key.
func (s *Store) inUse(ctx context.Context, q querier) (map[string]int, error) {
	found, err := q.Query(ctx, `SELECT substr(c.mac, 1, $1), count(*) FROM `+tables+` WHERE c.mac IS NOT NULL GROUP BY 1`, secrets.HeadSize)
	if err != nil {
		return nil, err
	}
	records := make(map[string]int)
	var head []byte
	var n int
	_, err = pgx.ForEachRow(found, []any{&head, &n}, func() error {
		records[secrets.KeyID(head)] += n
		return nil
	})
	return records, err
}

// Rotate brings every MAC to the keyring's current key; see [secrets.Rotator]. The workspaces' own keys, which seal
// other things of Beta9's too, stay as they are.
func (s *Store) Rotate(ctx context.Context, progress func(done, total int)) error {
	if progress == nil {
		progress = func(int, int) {}
	}
	to, err := s.begin(ctx)
	if err != nil {
		return unavailable(whole{}, err)
	}
	var total int
	err = s.pool.QueryRow(ctx, `SELECT count(*) FROM `+tables+` WHERE substr(c.mac, 1, $1) <> $2`, secrets.HeadSize, to.Head()).Scan(&total)
	if err != nil {
		return unavailable(whole{}, err)
	}
	var broken []error
	last := entry{}
	for done := 0; ; {
		progress(done, total)
		some, err := s.others(ctx, to, last)
		if err != nil {
			return unavailable(whole{}, err)
		}
		if len(some) == 0 {
			if err := s.currentKey(ctx, s.pool); err != nil {
				return unavailable(whole{}, err)
			}
			if *s.key.Load() != to.ID() {
				broken = append(broken, rows.Overtaken())
			}
			return errors.Join(broken...)
		}
		var unopened []error
		err = s.patiently(ctx, func(tx pgx.Tx) error {
			unopened = nil
			if ok, err := hold(ctx, tx, to.ID()); err != nil {
				return err
			} else if !ok {
				return rows.Overtaken()
			}
			for _, e := range some {
				err := s.vouchAgain(ctx, tx, to, e)
				if errors.Is(err, secrets.ErrSealed) {
					unopened = append(unopened, err)
				} else if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		broken = append(broken, unopened...)
		last = some[len(some)-1]
		done += len(some)
	}
}

// begin makes the keyring's current key the one that everything is written with from then on; see hold. A keyring
// without the key that is in use is another store's: it would keep everybody else from writing. Where every MAC is of a key
// that it has, nothing is lost with that key, and whoever has lost it begins anew.
func (s *Store) begin(ctx context.Context) (to secrets.Key, err error) {
	for {
		if err := s.claim(ctx, s.pool); err != nil {
			return to, err
		}
		from := *s.key.Load()
		// Read again in any case, and after the key was looked up: somebody who rotated since has a newer one in front.
		if err := s.keyring.Reload(ctx); err != nil {
			return to, err
		}
		ours, err := s.keyring.Has(ctx, from)
		if err != nil {
			return to, err
		}
		to = s.keyring.Current()
		if done, err := s.turn(ctx, from, to.ID(), ours); err != nil || done {
			return to, err
		}
	}
}

// patiently carries out a transaction that writers wait for.
func (s *Store) patiently(ctx context.Context, do func(pgx.Tx) error) error {
	return pg.Patiently(ctx, func() error {
		return s.transaction(ctx, whole{}, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, pg.Haste); err != nil {
				return err
			}
			return do(tx)
		})
	})
}

// turn makes everything be written with the key to, if it is still written with from: when that one is not ours, only as
// long as every MAC's is. No writer comes in between.
func (s *Store) turn(ctx context.Context, from, to string, ours bool) (done bool, err error) {
	err = s.patiently(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, pg.LockKeys("cred_beta9_key")); err != nil {
			return err
		}
		changed, err := tx.Exec(ctx, `UPDATE cred_beta9_key SET id = $1 WHERE id = $2`, to, from)
		done = changed.RowsAffected() > 0
		if err != nil || !done {
			return err
		}
		if !ours {
			if vouched, err := s.inUse(ctx, tx); err != nil || rows.Lacks(s.keyring, vouched) {
				return cmp.Or(err, rows.LackingKey(from))
			}
		}
		return nil
	})
	if err != nil || !done {
		return false, err
	}
	s.key.Store(&to)
	return true, nil
}

// entry is a row with the number of its workspace.
type entry struct {
	row
	workspace int
}

// others returns the next rows whose MAC is of another key than to.
func (s *Store) others(ctx context.Context, to secrets.Key, after entry) ([]entry, error) {
	found, err := s.pool.Query(ctx, `SELECT w.id, w.external_id::text, `+columns+` FROM `+tables+`
WHERE substr(c.mac, 1, $1) <> $2 AND (c.workspace_id, c.name) > ($3, $4)
ORDER BY c.workspace_id, c.name LIMIT $5`, secrets.HeadSize, to.Head(), after.workspace, after.place.Name, batch)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(found, func(one pgx.CollectableRow) (entry, error) {
		var e entry
		return e, one.Scan(append([]any{&e.workspace, &e.place.Workspace}, e.targets()...)...)
	})
}

// vouchAgain checks a row and makes its MAC anew. A row that was written meanwhile is left: its writer used the new key.
func (s *Store) vouchAgain(ctx context.Context, tx pgx.Tx, to secrets.Key, e entry) error {
	if err := s.keyring.Verify(ctx, e.place, []byte(e.value), e.mac); err != nil {
		return err
	}
	mac, err := s.keyring.MAC(to.ID(), e.place, []byte(e.value))
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `UPDATE cred_beta9_secret SET mac = $3 WHERE workspace_id = $1 AND name = $2 AND mac = $4`,
		e.workspace, e.place.Name, mac, e.mac)
	return err
}
