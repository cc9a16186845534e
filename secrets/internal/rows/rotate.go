package rows

import (
	"context"
	"database/sql"
	"errors"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
)

// batch is how many records are sealed again in one transaction: enough to make its end, a write to the disk, a small
// part of it, and few enough for writers to wait some milliseconds at most.
const batch = 100

// Keys tells which keys are in use; see [secrets.Rotator].
func (s *Store) Keys(ctx context.Context) (string, map[string]int, error) {
	if err := s.currentKey(ctx, s.db); err != nil {
		return "", nil, s.unavailable(whole{}, err)
	}
	records, err := s.inUse(ctx, s.db)
	if err != nil {
		return "", nil, s.unavailable(whole{}, err)
	}
	return *s.key.Load(), records, nil
}

// inUse tells how many records there are of each key.
func (s *Store) inUse(ctx context.Context, q querier) (map[string]int, error) {
	found, err := q.QueryContext(ctx, `SELECT substr(sealed, 1, $1), count(*) FROM cred_secret WHERE sealed IS NOT NULL GROUP BY 1`,
		secrets.HeadSize)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	records := make(map[string]int)
	for found.Next() {
		var head []byte
		var n int
		if err := found.Scan(&head, &n); err != nil {
			return nil, err
		}
		records[secrets.KeyID(head)] += n
	}
	return records, found.Err()
}

// Rotate brings everything to the keyring's current key; see [secrets.Rotator].
func (s *Store) Rotate(ctx context.Context, progress func(done, total int)) error {
	if progress == nil {
		progress = func(int, int) {}
	}
	to, err := s.begin(ctx)
	if err != nil {
		return s.unavailable(whole{}, err)
	}
	var total int
	if err := s.db.QueryRowContext(ctx, `SELECT count(*) FROM cred_secret WHERE sealed IS NOT NULL AND substr(sealed, 1, $1) <> $2`,
		secrets.HeadSize, to.Head()).Scan(&total); err != nil {
		return s.unavailable(whole{}, err)
	}
	var broken []error
	var last row
	for done := 0; ; {
		progress(done, total)
		some, err := s.others(ctx, to, last)
		if err != nil {
			return s.unavailable(whole{}, err)
		}
		if len(some) == 0 {
			s.forget(ctx)
			if err := s.currentKey(ctx, s.db); err != nil {
				return s.unavailable(whole{}, err)
			}
			if *s.key.Load() != to.ID() {
				broken = append(broken, Overtaken())
			}
			return errors.Join(broken...)
		}
		errs, err := s.reseal(ctx, to, some)
		if err != nil {
			return s.unavailable(whole{}, err)
		}
		broken = append(broken, errs...)
		last = some[len(some)-1]
		done += len(some)
	}
}

// begin makes the keyring's current key the one that everything is written with from then on; see writeStatement. A
// keyring without the key that is in use is another store's: it would keep everybody else from writing. Where everything
// that is sealed is sealed with keys that it has, nothing is lost with that key, and whoever has lost it begins anew.
func (s *Store) begin(ctx context.Context) (to secrets.Key, err error) {
	for {
		if err := s.claim(ctx, s.db); err != nil {
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
func (s *Store) patiently(ctx context.Context, do func(*sql.Tx) error) error {
	once := func() error {
		tx, err := s.db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		if s.dialect.Haste != "" {
			if _, err := tx.ExecContext(ctx, s.dialect.Haste); err != nil {
				return err
			}
		}
		if err := do(tx); err != nil {
			return err
		}
		return tx.Commit()
	}
	if s.dialect.Patiently == nil {
		return once()
	}
	return s.dialect.Patiently(ctx, once)
}

// turn makes everything be written with the key to, if it is still written with from: when that one is not ours, only as
// long as every record's is. No writer comes in between.
func (s *Store) turn(ctx context.Context, from, to string, ours bool) (done bool, err error) {
	lacking := LackingKey(from)
	err = s.patiently(ctx, func(tx *sql.Tx) error {
		if s.dialect.LockKeys != "" {
			if _, err := tx.ExecContext(ctx, s.dialect.LockKeys); err != nil {
				return err
			}
		}
		changed, err := tx.ExecContext(ctx, `UPDATE cred_key SET id = $1 WHERE id = $2`, to, from)
		if err != nil {
			return err
		}
		n, err := changed.RowsAffected()
		done = n > 0
		if err != nil || !done || ours {
			return err
		}
		sealed, err := s.inUse(ctx, tx)
		if err == nil && Lacks(s.keyring, sealed) {
			err = lacking
		}
		return err
	})
	if err == lacking {
		err = s.lackingKey(ctx, from)
	}
	if err != nil || !done {
		return false, err
	}
	s.key.Store(&to)
	return true, nil
}

// lackingKey is [LackingKey] with the first of the secrets that have to be removed: nobody else can tell in which workspaces
// they are.
func (s *Store) lackingKey(ctx context.Context, id string) error {
	err := LackingKey(id)
	some, _ := s.others(ctx, s.keyring.Current(), row{}) // without them the error is as good
	for _, r := range some {
		f, ok := errors.AsType[*helpers.Failure](err)
		if has, failed := s.keyring.Has(ctx, secrets.KeyID(r.sealed)); ok && !has && failed == nil {
			f.Hint += "; the first of them is " + r.place.String()
			break
		}
	}
	return err
}

// Lacks tells whether the keyring, as it was read last, lacks one of the keys that there are records of.
func Lacks(k *secrets.Keyring, records map[string]int) bool {
	for _, key := range k.Keys() {
		delete(records, key.ID())
	}
	return len(records) > 0
}

// Overtaken is the error of a rotation when everything is written with the key of another one that began later. What it
// sealed from then on would be lost with its key, which the other one retires.
func Overtaken() error {
	return &helpers.Failure{
		Reason: helpers.StoreFailed,
		Text:   "another rotation, to another key, has begun meanwhile",
		Hint:   "rotate again when it has ended",
		Cause:  secrets.ErrConflict,
	}
}

// others returns the next records that are sealed with another key than to.
func (s *Store) others(ctx context.Context, to secrets.Key, after row) ([]row, error) {
	found, err := s.db.QueryContext(ctx, `SELECT workspace, name, registry, scope, version, sealed FROM cred_secret
WHERE sealed IS NOT NULL AND substr(sealed, 1, $1) <> $2 AND (workspace, name) > ($3, $4)
ORDER BY workspace, name LIMIT $5`, secrets.HeadSize, to.Head(), after.place.Workspace, after.place.Name, batch)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	var some []row
	for found.Next() {
		var r row
		p := &r.place
		if err := found.Scan(&p.Workspace, &p.Name, &p.Registry, &p.Scope, &p.Version, &r.sealed); err != nil {
			return nil, err
		}
		some = append(some, r)
	}
	return some, found.Err()
}

// reseal seals some records again, and returns those that do not open. A record that was written meanwhile is left: its
// writer used the new key.
func (s *Store) reseal(ctx context.Context, to secrets.Key, some []row) (broken []error, err error) {
	err = s.patiently(ctx, func(tx *sql.Tx) error {
		broken = nil
		var one int
		err := tx.QueryRowContext(ctx, `SELECT one FROM cred_key WHERE id = $1`+s.dialect.Share, to.ID()).Scan(&one)
		if errors.Is(err, sql.ErrNoRows) {
			return Overtaken()
		}
		if err != nil {
			return err
		}
		for _, r := range some {
			plain, err := s.keyring.Open(ctx, r.place, r.sealed)
			if errors.Is(err, secrets.ErrSealed) {
				broken = append(broken, err)
				continue
			}
			if err != nil {
				return err
			}
			if err := s.replace(ctx, tx, to, r, plain); err != nil {
				return err
			}
		}
		return nil
	})
	return broken, err
}

func (s *Store) replace(ctx context.Context, tx *sql.Tx, to secrets.Key, r row, plain []byte) error {
	sealed, err := s.keyring.Seal(to.ID(), r.place, plain)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE cred_secret SET sealed = $1 WHERE workspace = $2 AND name = $3 AND sealed = $4`,
		sealed, r.place.Workspace, r.place.Name, r.sealed)
	return err
}
