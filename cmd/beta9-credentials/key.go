package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
	"github.com/beam-cloud/docker-credential-beta9/secrets/sqlite"
)

func newKeyCommand(a *app) *cobra.Command {
	var flag storeFlag
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Make, use and retire the keys that seal a store",
		Long: `key looks after the keyring of a store. The first key in it is the current one. To replace
a key, make a new one and rotate:

  beta9-credentials key new
  beta9-credentials key rotate

What is read and written meanwhile, by any process, goes on. Keep a copy of the keyring
with each backup of the store: a backup opens with the keys of its time only.

` + aboutStores,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	flag.add(cmd)
	cmd.AddCommand(newKeyNewCommand(a, &flag), newKeyRotateCommand(a, &flag), newKeyListCommand(a, &flag), newKeyRestoreCommand(a, &flag))
	return cmd
}

func newKeyNewCommand(a *app, flag *storeFlag) *cobra.Command {
	return &cobra.Command{
		Use:   "new",
		Short: "Put a new key into the keyring",
		Long: `new puts a key of 32 random bytes in front of those in the keyring, and makes the keyring
when there is none. Nothing is sealed with the key before key rotate.`,
		Example: "  beta9-credentials key new --keys /etc/beta9/secrets.keys",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// Where the keys are told, it does not matter which store they are for.
			at, err := a.address(*flag)
			if err != nil {
				return err
			}
			place, err := a.keyring(*flag, at)
			if err != nil {
				return err
			}
			key, err := secrets.NewKey()
			if err != nil {
				return err
			}
			first, store := false, false // whether it is the first key, and whether there is a store that it is not for
			err = a.within(cmd.Context(), func(ctx context.Context) error {
				if at.kind == "sqlite" && place.path == at.at+keysSuffix {
					if store, err = sqlite.Exists(ctx, at.at); err != nil {
						return err
					}
				}
				return place.change(ctx, func(keys []secrets.Key) ([]secrets.Key, error) {
					first = len(keys) == 0
					return append([]secrets.Key{key}, keys...), nil
				})
			})
			if err != nil {
				return flag.typed(err)
			}
			fmt.Fprintf(a.stdout, "Put the key %s into %s.\n", key.ID(), place)
			if first && store {
				a.hint("there was a store and no keyring: nothing in " + at.at + " opens with the new one; put the one back that belongs to it")
			}
			return nil
		},
	}
}

func newKeyRotateCommand(a *app, flag *storeFlag) *cobra.Command {
	var keep bool
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Seal everything with the current key, and retire the others",
		Long: `rotate seals every secret of the store again that is not sealed with the current key of the
keyring, and then takes the other keys out of the keyring, into the file KEYRING.retired
beside it. Readers and writers go on meanwhile. When it is interrupted, the next call goes
on where it stopped. When a record does not open, no key is taken out.

Old backups need the retired keys, and so does any other store that is sealed with them:
key restore brings one back. Nothing else reads the file.`,
		Example: "  beta9-credentials key rotate",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := a.rotate(cmd.Context(), *flag, keep)
			if err != nil && cmd.Context().Err() != nil {
				again := []string{"key", "rotate"}
				if keep {
					again = append(again, "--keep")
				}
				return interrupted("to go on where it stopped: " + flag.command(again...))
			}
			return flag.typed(err)
		},
	}
	cmd.Flags().BoolVar(&keep, "keep", false, "leave the other keys in the keyring")
	return cmd
}

// rotatePatience is how many times the deadline of a call rotating takes at most for some hundred secrets, between which it
// tells how far it is.
const rotatePatience = 6

func (a *app) rotate(ctx context.Context, flag storeFlag, keep bool) (err error) {
	s, err := a.open(ctx, flag.mustBeThere())
	if err != nil {
		return err
	}
	defer func() { a.shut(ctx, s, err) }()
	show, end := a.progress("sealing again")
	count := 0
	err = a.watched(ctx, rotatePatience, func(ctx context.Context, alive func()) error {
		return s.Rotate(ctx, func(done, total int) {
			alive()
			count = done
			show(done, total)
		})
	})
	end()
	if err != nil {
		return err
	}
	return a.within(ctx, func(ctx context.Context) error { return a.rotated(ctx, s, flag, count, keep) })
}

// rotated tells what was done and retires the keys that are not needed any more, unless they are to be kept.
func (a *app) rotated(ctx context.Context, s workspaceStore, flag storeFlag, count int, keep bool) error {
	current, _, err := s.Keys(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "Sealed %d secrets again; all of them are sealed with the key %s.\n", count, current)
	at, err := a.address(flag)
	if err != nil {
		return err
	}
	place, err := a.keyring(flag, at)
	if err != nil || keep {
		return err
	}
	return a.retire(ctx, s, flag, place)
}

// retire takes the keys that nothing needs any more out of the keyring: those behind the one that is used for writing. What
// stands before it was put in since, and may be what another rotation is bringing everything to.
func (a *app) retire(ctx context.Context, s workspaceStore, flag storeFlag, place keyringPlace) error {
	var retired []string
	edit := func(keys []secrets.Key) ([]secrets.Key, error) {
		writing, records, err := s.Keys(ctx)
		if err != nil {
			return nil, err
		}
		used := slices.IndexFunc(keys, func(k secrets.Key) bool { return k.ID() == writing })
		if used < 0 {
			return nil, errors.New("the keyring does not hold the key of the store any more")
		}
		left := keys[: used+1 : used+1]
		for _, k := range keys[used+1:] {
			if records[k.ID()] > 0 {
				left = append(left, k)
			} else {
				retired = append(retired, k.ID())
			}
		}
		if len(retired) == 0 {
			return nil, nil
		}
		return left, nil
	}
	if place.variable != "" {
		ring, err := place.load(ctx)
		if err == nil {
			_, err = edit(ring.Keys())
		}
		if err == nil && len(retired) > 0 {
			a.hint("nothing needs these keys any more, take them out of " + place.String() + ": " + strings.Join(retired, ", "))
		}
		return err
	}
	err := place.change(ctx, edit)
	if err == nil && len(retired) > 0 {
		fmt.Fprintf(a.stdout, "Took out of %s: %s.\n", place, strings.Join(retired, ", "))
		a.hint("what was taken out is in " + place.path + retiredSuffix + "; old backups need it, and so does any other store that is sealed with it; to bring it back: " +
			flag.command(append([]string{"key", "restore"}, retired...)...))
	}
	return err
}

func newKeyListCommand(a *app, flag *storeFlag) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "Show the keys and what they seal",
		Long: `list shows the id of each key, what it is, and how many secrets are sealed with it. A key
that is missing in the keyring is shown as retired when key restore can bring it back. Keys
themselves are never shown.`,
		Example: "  beta9-credentials key list",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return flag.typed(a.within(cmd.Context(), func(ctx context.Context) error { return a.listKeys(ctx, *flag) }))
		},
	}
}

func (a *app) listKeys(ctx context.Context, flag storeFlag) (err error) {
	s, err := a.open(ctx, flag.mustBeThere())
	if err != nil {
		return err
	}
	defer func() { a.shut(ctx, s, err) }()
	at, err := a.address(flag)
	if err != nil {
		return err
	}
	place, err := a.keyring(flag, at)
	if err != nil {
		return err
	}
	ring, err := place.load(ctx)
	if err != nil {
		return err
	}
	writing, records, err := s.Keys(ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "KEY\tSECRETS\tSTATE")
	for i, k := range ring.Keys() {
		states := []string{}
		if i == 0 {
			states = append(states, "current")
		}
		if k.ID() == writing {
			states = append(states, "used for writing")
		}
		fmt.Fprintf(w, "%s\t%d\t%s\n", k.ID(), records[k.ID()], strings.Join(states, ", "))
		delete(records, k.ID())
	}
	missing := slices.Sorted(maps.Keys(records))
	var retired []secrets.Key
	if len(missing) > 0 && place.variable == "" {
		retired, err = place.retired(ctx) // what is wrong with them is said after what is known
	}
	var back []string
	for _, id := range missing {
		state := "missing"
		if slices.ContainsFunc(retired, func(k secrets.Key) bool { return k.ID() == id }) {
			state = "missing, retired"
			back = append(back, id)
		}
		fmt.Fprintf(w, "%s\t%d\t%s\n", id, records[id], state)
	}
	err = errors.Join(w.Flush(), err)
	if len(back) > 0 {
		a.hint("to bring back what is retired: " + flag.command(append([]string{"key", "restore"}, back...)...))
	}
	return err
}

// keyID is what [secrets.Key.ID] returns.
var keyID = regexp.MustCompile(`^[0-9a-f]{16}$`)

func newKeyRestoreCommand(a *app, flag *storeFlag) *cobra.Command {
	return &cobra.Command{
		Use:   "restore ID...",
		Short: "Bring retired keys back into the keyring",
		Long: `restore brings keys that key rotate took out back into the keyring, so that what is sealed
with them opens again. They come behind those that are in it, and stay in the file with the
retired keys.`,
		Example: "  beta9-credentials key restore 53f0c9b6a5dbd0b2",
		Args: func(cmd *cobra.Command, args []string) error {
			// What is no id may be a key, and is not repeated.
			if len(args) == 0 || slices.ContainsFunc(args, func(id string) bool { return !keyID.MatchString(id) }) {
				return withHint(usageError("%s takes the ids of keys, of sixteen hexadecimal digits each", cmd.CommandPath()),
					"see which are missing: "+flag.command("key", "list"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return flag.typed(a.within(cmd.Context(), func(ctx context.Context) error { return a.restoreKeys(ctx, *flag, args) }))
		},
	}
}

func (a *app) restoreKeys(ctx context.Context, flag storeFlag, ids []string) error {
	at, err := a.address(flag)
	if err != nil {
		return err
	}
	place, err := a.keyring(flag, at)
	if err != nil {
		return err
	}
	err = place.change(ctx, func(keys []secrets.Key) ([]secrets.Key, error) {
		if len(keys) == 0 {
			return nil, place.missing()
		}
		retired, err := place.retired(ctx)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			named := func(k secrets.Key) bool { return k.ID() == id }
			if slices.ContainsFunc(keys, named) {
				continue
			}
			i := slices.IndexFunc(retired, named)
			if i < 0 {
				return nil, helpers.Fail(helpers.BadRequest, "the key "+id+" is not in "+place.path+retiredSuffix,
					"put it back from the keyring that was backed up with the store")
			}
			keys = append(keys, retired[i])
		}
		return keys, nil
	})
	if err == nil {
		fmt.Fprintf(a.stdout, "Brought back into %s: %s.\n", place, strings.Join(ids, ", "))
	}
	return err
}
