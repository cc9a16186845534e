package clientconfig

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
)

// credHelpers is the object in which clients look for the helper of a registry.
const credHelpers = "credHelpers"

// credsStore is the member in which docker's relatives look for the helper of all other registries.
const credsStore = "credsStore"

// maxConfig is the largest configuration that is read, in bytes: a thousand registries with a login of 8 KiB each, twice.
const maxConfig = 16 << 20

// A Plan is what a file is to say. Its methods change one file, under a lock that all of this project's processes take,
// and replace it whole. The client itself takes no lock: it must not write the file at the same moment.
type Plan struct {
	// File is the client's configuration.
	File string
	// Journal is the folder in which it is noted what was changed.
	Journal string
	// Helpers maps the keys of credHelpers to names of helpers without docker-credential-.
	Helpers map[string]string
	// Store is the name of the helper for credsStore, or nothing.
	Store string
	// Overwrite allows to replace other helpers.
	Overwrite bool
	// DryRun leaves the file as it is.
	DryRun bool
}

// A Result is what became of a file, or would.
type Result struct {
	// File is the file that is changed, with links resolved.
	File          string
	Before, After []byte
	// ShownBefore and ShownAfter are the same with everything masked that may be a secret.
	ShownBefore, ShownAfter []byte
	// Shadowed are the registries whose logins stand in the file and are no longer looked at there.
	Shadowed []string
	// Removed tells that the file is taken away, because nothing is left in it that was there before.
	Removed bool
}

// Changed tells whether there is a difference.
func (r Result) Changed() bool { return r.Removed || string(r.Before) != string(r.After) }

// A TakenError says that another helper stands where ours is to be put.
type TakenError struct{ Key, Helper string }

// Error names the registry and the helper.
func (e *TakenError) Error() string {
	return fmt.Sprintf("%s is set to the helper %q", e.Key, e.Helper)
}

// Hint says how to replace it.
func (e *TakenError) Hint() string { return "add --overwrite to replace it; --remove brings it back" }

// Set writes the helpers of the plan into the file.
func (p Plan) Set(ctx context.Context) (Result, error) {
	return p.change(ctx, func(d *document, r *record) error {
		places := map[place]string{}
		for key, helper := range p.Helpers {
			places[place{credHelpers, key}] = helper
		}
		if p.Store != "" {
			places[place{Key: credsStore}] = p.Store
		}
		order := slices.SortedFunc(maps.Keys(places), func(a, b place) int {
			return cmp.Or(cmp.Compare(a.Object, b.Object), cmp.Compare(a.Key, b.Key))
		})
		for _, at := range order {
			if err := p.set(d, r, at, places[at]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (p Plan) set(d *document, r *record, at place, helper string) error {
	before, there, err := d.get(at)
	if err != nil {
		return err
	}
	if there && before == helper {
		return nil
	}
	if there && before != "" && !p.Overwrite && !ours(r, at, before) {
		return &TakenError{at.Key, before}
	}
	made, err := d.set(at, helper)
	if err != nil {
		return err
	}
	if made {
		r.MadeObjects = append(r.MadeObjects, at.Object)
	}
	c := r.change(at)
	known := c != nil
	if !known {
		r.Changes = append(r.Changes, journalChange{place: at})
		c = &r.Changes[len(r.Changes)-1]
	}
	switch {
	case !there:
		// Also where the journal knows better: whoever took it out since, or the file that was never written, counts.
		c.Before = nil
	case !known || before != c.After:
		c.Before = &before
	}
	c.After = helper
	return nil
}

// ours tells whether what stands at the place was put there by us.
func ours(r *record, at place, value string) bool {
	c := r.change(at)
	return c != nil && c.After == value
}

// Unset takes back what Set did: for the plan's helpers and its store, or for all of the file when it has neither. What
// somebody else has changed since is left as it is.
func (p Plan) Unset(ctx context.Context) (Result, error) {
	return p.change(ctx, func(d *document, r *record) error {
		var left []journalChange
		for _, c := range slices.Backward(r.Changes) {
			if !p.names(c.place) {
				left = append(left, c)
				continue
			}
			if err := unset(d, c); err != nil {
				return err
			}
		}
		slices.Reverse(left)
		r.Changes = left
		if len(left) > 0 {
			return nil
		}
		for _, object := range r.MadeObjects {
			d.removeEmpty(object)
		}
		return nil
	})
}

// names tells whether a place is one of those that the plan takes back.
func (p Plan) names(at place) bool {
	if len(p.Helpers) == 0 && p.Store == "" {
		return true
	}
	if at.Object == "" {
		return p.Store != ""
	}
	_, named := p.Helpers[at.Key]
	return named
}

func unset(d *document, c journalChange) error {
	value, there, err := d.get(c.place)
	if err != nil || !there || value != c.After { // something that is no helper is not ours either
		return nil
	}
	if c.Before == nil {
		return d.remove(c.place)
	}
	_, err = d.set(c.place, *c.Before)
	return err
}

// change runs edit on the file and its record, and writes both. The record is written before the file when the file
// gets more than it had, and after it otherwise, so that whatever is in the file can always be taken back.
func (p Plan) change(ctx context.Context, edit func(*document, *record) error) (Result, error) {
	desk, err := openDesk(ctx, p.Journal)
	if err != nil {
		return Result{}, err
	}
	defer desk.close()
	j, err := desk.read()
	if err != nil {
		return Result{}, err
	}
	path, before, err := read(p.File)
	if err != nil {
		return Result{}, err
	}
	d, err := parse(before)
	if err != nil {
		return Result{}, fmt.Errorf("%s %w", path, err)
	}
	r := j[path]
	if r == nil {
		r = &record{MadeFile: before == nil}
		j[path] = r
	}
	known, shownBefore := len(r.Changes), []byte(nil)
	if before != nil {
		shownBefore = d.masked()
	}
	if err := edit(d, r); err != nil {
		return Result{}, fmt.Errorf("%s: %w", path, err)
	}
	result := Result{File: path, Before: before, After: d.pack(), ShownBefore: shownBefore, ShownAfter: d.masked()}
	if known == 0 && len(r.Changes) == 0 {
		result.After, result.ShownAfter = before, shownBefore
	}
	if len(r.Changes) == 0 && r.MadeFile && d.empty() && before != nil {
		result.After, result.ShownAfter, result.Removed = nil, nil, true
	}
	result.Shadowed = shadowed(d, p.Helpers)
	if p.DryRun || !result.Changed() && known == len(r.Changes) {
		return result, nil
	}
	return result, p.write(desk, j, result, len(r.Changes) >= known)
}

func (p Plan) write(d *desk, j journal, result Result, grows bool) error {
	if grows {
		if err := d.write(j); err != nil {
			return err
		}
	}
	if result.Changed() {
		if err := replace(result); err != nil {
			return err
		}
	}
	if grows {
		return nil
	}
	if r := j[result.File]; len(r.Changes) == 0 {
		delete(j, result.File)
	}
	return d.write(j)
}

// shadowed returns the keys of the helpers for which the file also holds a login.
func shadowed(d *document, helpers map[string]string) []string {
	var found []string
	for key := range helpers {
		// A client will complain about an error, if it minds.
		if _, i, err := d.find(place{"auths", key}); err == nil && i >= 0 {
			found = append(found, key)
		}
	}
	slices.Sort(found)
	return found
}

// Configured returns the helpers that the file names, by registry; the empty registry stands for credsStore. A file that
// is not there names none.
func Configured(path string) (map[string]string, error) {
	path, data, err := read(path)
	if err != nil {
		return nil, err
	}
	d, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s %w", path, err)
	}
	found, err := d.strings(credHelpers)
	if err != nil {
		return nil, fmt.Errorf("%s %w", path, err)
	}
	if found == nil {
		found = map[string]string{}
	}
	if store, ok, err := d.get(place{Key: credsStore}); err == nil && ok {
		found[""] = store
	}
	return found, nil
}
