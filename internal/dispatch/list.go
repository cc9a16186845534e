package dispatch

import (
	"context"
	"slices"
	"sync"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/folders"
	"github.com/beam-cloud/docker-credential-beta9/internal/interrupt"
	"github.com/beam-cloud/docker-credential-beta9/internal/seal"
	"github.com/beam-cloud/docker-credential-beta9/internal/serve"
	"github.com/beam-cloud/docker-credential-beta9/internal/store"
)

// list merges what the helpers list. A helper that is missing, fails or does not end in time adds nothing: clients that
// list cannot go on after a failure. One that is ended because somebody wants this process to end leaves no list.
func (d dispatcher) list(ctx context.Context) (serve.Outcome, error) {
	if deadline, ok := ctx.Deadline(); ok { // there has to be time left to say what the others list
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-grace/2))
		defer cancel()
	}
	entries := map[string]string{}
	var mu sync.Mutex
	var all sync.WaitGroup
	var stop context.CancelFunc
	logins := store.Open(folders.New(d.process.Getenv)).Sharing(new(seal.Keys))
	some := logins.Any()
	for _, t := range helpers.Types() {
		if !d.mayList(ctx, logins, some, t) {
			continue
		}
		if stop == nil { // to listen for signals takes time
			ctx, stop = interrupt.Context(ctx)
			defer stop()
		}
		all.Go(func() {
			o, err := d.run(ctx, t, helpers.VerbList, nil)
			if err != nil {
				helpers.LeaveSource(ctx, t.Executable(), err.Error())
				return
			}
			listed, err := helpers.ParseList(o.Stdout)
			if err != nil || o.Code != 0 {
				helpers.LeaveSource(ctx, t.Executable(), "its list cannot be read")
				return
			}
			mu.Lock()
			defer mu.Unlock()
			for serverURL, username := range listed {
				entries[serverURL] = username
			}
		})
	}
	all.Wait()
	if ctx.Err() == context.Canceled {
		return serve.Outcome{}, helpers.Fail(helpers.Canceled, "the list was given up", "")
	}
	out, err := helpers.AppendList(nil, entries)
	return serve.Outcome{Stdout: out}, err
}

// mayList tells whether a type's helper may have something to list: a secret in the environment, or a stored login, of
// which there are some or none of any type.
func (d dispatcher) mayList(ctx context.Context, logins *store.Store, some bool, t helpers.Type) bool {
	set := func(key string) bool { return key != "" && d.process.Getenv(key) != "" }
	if slices.ContainsFunc(t.Keys, func(k helpers.KeySet) bool { return set(k.Secret) || set(k.File) }) {
		return true
	}
	if !some {
		return false
	}
	heads, err := logins.List(ctx, t.Name)
	return err != nil || len(heads) > 0 // what is wrong with the store is for the helper to say
}
