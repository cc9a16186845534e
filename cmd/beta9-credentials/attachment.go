package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
	"github.com/beam-cloud/docker-credential-beta9/secrets/beta9"
)

// buildEnvironment returns where the values of secrets come from.
func (a *app) buildEnvironment(stdin bool) (func(string) string, error) {
	if !stdin {
		return a.getenv, nil
	}
	data, err := io.ReadAll(io.LimitReader(a.stdin, 4*helpers.MaxSecret))
	if err != nil {
		return nil, fmt.Errorf("the variables cannot be read from stdin: %w", err)
	}
	var given map[string]*string
	err = json.Unmarshal(data, &given)
	values := make(map[string]string, len(given))
	for name, value := range given {
		switch {
		case value == nil:
			err = errors.New("null is no string")
		case strings.ContainsRune(*value, utf8.RuneError):
			// This is what encoding/json puts in the place of what is not UTF-8. Whoever uses the variable has to refuse it.
			values[name] = "\xff"
		default:
			values[name] = *value
		}
	}
	if err != nil || given == nil { // the error would quote a value
		return nil, helpers.Fail(helpers.BadMaterial, "what is on stdin is not a JSON object of strings", `write {"KEY":"VALUE",...}`)
	}
	return func(name string) string { return values[name] }, nil
}

// An attachment is one call of image attach.
type attachment struct {
	app       *app
	store     workspaceStore
	workspace string
	getenv    func(string) string
	image     secrets.Image
	// references are those of the image with what was found for each.
	references []referenceView
	// written are the secrets that were stored or changed.
	written []secrets.Secret
	// broken says of stored secrets, by name, why they do not open.
	broken map[string]error
	// accepted is the material that a registry accepted for a reference.
	accepted map[helpers.Reference][sha256.Size]byte
}

// A referenceView is what was done for a reference. Its JSON is part of the command's interface.
type referenceView struct {
	Reference string `json:"reference"`
	Registry  string `json:"registry"`
	// Secret is the name of the secret; none for a public image.
	Secret string `json:"secret,omitempty"`
	// State is "stored", "changed" or "kept", or "public".
	State string `json:"state"`
}

func (t *attachment) parse(image string, references []string) error {
	t.image = secrets.Image{Workspace: t.workspace, ID: image}
	for _, text := range references {
		ref, err := helpers.ParseReference(text)
		if err != nil {
			return usageError("%q: %w", withoutUser(text), err)
		}
		t.image.References = append(t.image.References, ref)
	}
	return nil
}

// Builds of one workspace run at the same time, and each may bring a token of its own for the same registry. One of those
// that meet is first, so as many of them get through as there are attempts; the pauses keep them from meeting again.
const (
	attempts  = 100
	maxPause  = 100 * time.Millisecond // what a write takes on a slow database
	nextPause = time.Millisecond       // this much longer after each attempt
)

// pause waits for a moment before the next attempt.
func pause(ctx context.Context, attempt int) error {
	timer := time.NewTimer(rand.N(min(maxPause, time.Duration(attempt)*nextPause)))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// rounds is how many times registries are asked about what changes while they are asked.
const rounds = 5

func (t *attachment) attach(ctx context.Context, check bool) error {
	asked := 0
	for attempt := 1; ; attempt++ {
		var next, kept []secrets.Secret
		var resolved map[helpers.Reference]secrets.Secret
		err := t.app.within(ctx, func(ctx context.Context) error {
			stored, err := t.stored(ctx)
			if err == nil {
				next, resolved, err = t.plan(stored)
				kept = t.kept(stored, next)
			}
			if err == nil && len(resolved) == 0 {
				// Of a workspace or an image whose name is mistyped, "public" would say something else.
				err = t.store.Exists(ctx, t.workspace, t.image.ID)
			}
			return err
		})
		if err != nil {
			return err
		}
		if check {
			last, err := t.check(ctx, resolved)
			if err != nil {
				return err
			}
			// Registries take their time: what they were asked about may be stored no longer.
			if last.Name != "" {
				if asked++; asked > rounds {
					return secrets.Conflict(last.Place())
				}
				continue
			}
		}
		err = t.app.within(ctx, func(ctx context.Context) error { return t.write(ctx, next, kept, len(resolved) == 0) })
		if err == nil {
			t.written = next
		}
		if !errors.Is(err, secrets.ErrConflict) || attempt >= attempts {
			return err
		}
		if ended := pause(ctx, attempt); ended != nil {
			return err
		}
	}
}

// write attaches the references, with the secrets that have to be written. The error is [secrets.ErrConflict] when one of
// those, or one that is kept, is not what it was when it was looked at.
func (t *attachment) write(ctx context.Context, next, kept []secrets.Secret, public bool) error {
	if public {
		// What was attached before has to go, or the image would get more than it needs.
		_, err := t.store.Image(ctx, t.workspace, t.image.ID)
		if helpers.IsNotFound(err) {
			return nil
		}
		if err != nil && !errors.Is(err, secrets.ErrSealed) {
			return err
		}
	}
	return t.store.Attach(ctx, t.image, slices.Concat(next, kept)...)
}

// kept returns the secrets that could serve a reference and are not written, also those that are not there, as
// [secrets.Images.Attach] takes what is to stay as it is.
func (t *attachment) kept(stored map[string]secrets.Secret, next []secrets.Secret) (kept []secrets.Secret) {
	done := make(map[string]bool)
	for _, s := range next {
		done[s.Name] = true
	}
	for _, ref := range t.image.References {
		for _, name := range beta9.Names(ref.Registry()) {
			if !done[name] {
				done[name] = true
				kept = append(kept, secrets.Secret{Workspace: t.workspace, Name: name, Version: stored[name].Version})
			}
		}
	}
	return kept
}

// serving returns the secret that a reference has: that of the longest scope.
func serving(ref helpers.Reference, stored map[string]secrets.Secret) secrets.Secret {
	for _, name := range beta9.Names(ref.Registry()) {
		s, ok := stored[name]
		if ok && (s.Material.IsZero() || s.Material.Bound(s.Material.Type(), ref.Registry()) == nil) {
			return s
		}
	}
	return secrets.Secret{}
}

// stored returns the secrets that the workspace has, by name. One that does not open is there by its name and its version
// alone: it can be replaced.
func (t *attachment) stored(ctx context.Context) (map[string]secrets.Secret, error) {
	byName := make(map[string]secrets.Secret)
	t.broken = make(map[string]error)
	for _, ref := range t.image.References {
		for _, name := range beta9.Names(ref.Registry()) { // of which the other stores have those of secrets.Names only
			if _, ok := byName[name]; ok {
				continue
			}
			found, err := t.store.Get(ctx, t.workspace, name)
			if helpers.IsNotFound(err) {
				continue
			}
			if errors.Is(err, secrets.ErrSealed) {
				t.broken[name] = err
			} else if err != nil {
				return nil, err
			}
			byName[name] = found
		}
	}
	return byName, nil
}

// plan returns the secrets that have to be written, and for each reference that has one the secret that it will have. The
// error is [secrets.ErrSealed] when that is one that does not open.
func (t *attachment) plan(stored map[string]secrets.Secret) (next []secrets.Secret, resolved map[helpers.Reference]secrets.Secret, err error) {
	t.references = nil
	resolved = make(map[helpers.Reference]secrets.Secret)
	made := make(map[string]string) // by name: what happens to it
	var broken []error
	for _, ref := range t.image.References {
		view := referenceView{Reference: ref.String(), Registry: ref.Registry().Identity(), State: "public"}
		fresh, err := secrets.FromEnvironment(t.workspace, ref.String(), t.getenv)
		if err != nil && !helpers.IsNotFound(err) {
			return nil, nil, fmt.Errorf("%s: %w", ref, err)
		}
		if err == nil {
			old := stored[fresh.Name]
			switch {
			case made[fresh.Name] != "":
			case old.Name == "":
				made[fresh.Name] = "stored"
			case old.Material.Fingerprint() == fresh.Material.Fingerprint():
				made[fresh.Name] = "kept"
			default:
				made[fresh.Name] = "changed"
			}
			if old.Material.Fingerprint() != fresh.Material.Fingerprint() {
				fresh.Version = old.Version
				next = append(next, fresh)
				stored[fresh.Name] = fresh
			}
		}
		if s := serving(ref, stored); s.Name != "" {
			view.Secret, view.State = s.Name, "kept"
			if made[s.Name] != "" {
				view.State = made[s.Name]
			}
			resolved[ref] = s
			if s.Material.IsZero() {
				broken = append(broken, t.broken[s.Name])
			}
		}
		t.references = append(t.references, view)
	}
	return next, resolved, errors.Join(broken...)
}

func (t *attachment) print(asJSON bool) error {
	for _, s := range t.written {
		if !slices.ContainsFunc(t.references, func(r referenceView) bool { return r.Secret == s.Name }) {
			t.app.hint("what the environment holds for " + s.Registry().String() + " was stored as well, and is not used here: each reference has a secret of a longer scope")
		}
	}
	if asJSON {
		return t.app.printJSON(t.references)
	}
	w := tabwriter.NewWriter(t.app.stdout, 0, 0, 2, ' ', 0)
	for _, r := range t.references {
		fmt.Fprintf(w, "%s\t%s\t%s\n", r.Reference, r.State, r.Secret)
	}
	return w.Flush()
}
