package secrets_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
)

func newKey(t testing.TB) secrets.Key {
	t.Helper()
	k, err := secrets.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

var home = secrets.Place{Workspace: "w", Name: "oci-creds-0fd460f0568e29c1", Registry: "ghcr.io", Scope: "acme", Version: 7}

// TestNoMutationOpens changes records and MACs, and the places they are at, in every way an attacker with the database
// in hand has.
func TestNoMutationOpens(t *testing.T) {
	t.Parallel()
	const mutations = 100_000
	current, old := newKey(t), newKey(t)
	k := secrets.NewKeyring(current, old)
	plain := []byte(`{"version":1,"registry":"ghcr.io","type":"ghcr","scope":"acme","credentials":{"GITHUB_TOKEN":"not-a-token"}}`)
	seal := func(id string, p secrets.Place) (record, mac []byte) {
		record, err := k.Seal(id, p, plain)
		if err != nil {
			t.Fatal(err)
		}
		if mac, err = k.MAC(id, p, plain); err != nil {
			t.Fatal(err)
		}
		return record, mac
	}
	record, mac := seal(current.ID(), home)
	if got, err := k.Open(t.Context(), home, record); err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("opens to %q, %v", got, err)
	}
	if err := k.Verify(t.Context(), home, plain, mac); err != nil {
		t.Fatal(err)
	}
	mutate := map[string]func(data []byte, p *secrets.Place) []byte{
		"flip": func(data []byte, _ *secrets.Place) []byte {
			data[rand.N(len(data))] ^= 1 << rand.N(8)
			return data
		},
		"cut":      func(data []byte, _ *secrets.Place) []byte { return data[:rand.N(len(data))] },
		"lengthen": func(data []byte, _ *secrets.Place) []byte { return append(data, byte(rand.N(256))) },
		"future":   func(data []byte, _ *secrets.Place) []byte { data[0] = byte(2 + rand.N(254)); return data },
		"rekey":    func(data []byte, _ *secrets.Place) []byte { copy(data, old.Head()); return data },
		"replay":   func(data []byte, p *secrets.Place) []byte { p.Version += int64(1 + rand.N(100)); return data },
		"rewind":   func(data []byte, p *secrets.Place) []byte { p.Version -= int64(1 + rand.N(6)); return data },
		"other workspace": func(data []byte, p *secrets.Place) []byte {
			p.Workspace = fmt.Sprint("w", rand.N(1000))
			return data
		},
		"other name": func(data []byte, p *secrets.Place) []byte {
			p.Name = fmt.Sprintf("oci-creds-%016x", rand.Uint64())
			return data
		},
		"other registry": func(data []byte, p *secrets.Place) []byte {
			p.Registry = fmt.Sprintf("r%d.example", rand.N(1000))
			return data
		},
		"other scope": func(data []byte, p *secrets.Place) []byte { p.Scope = ""; return data },
		"shifted parts": func(data []byte, p *secrets.Place) []byte {
			p.Workspace, p.Name = p.Workspace+p.Name[:1], p.Name[1:]
			return data
		},
	}
	names := slices.Sorted(maps.Keys(mutate))
	for i := range mutations / 2 {
		name := names[i%len(names)]
		p := home
		changed := mutate[name](bytes.Clone(record), &p)
		if _, err := k.Open(t.Context(), p, changed); !errors.Is(err, secrets.ErrSealed) || !strings.Contains(err.Error(), p.Name) {
			t.Fatalf("%s: %v", name, err)
		}
		p = home
		changed = mutate[name](bytes.Clone(mac), &p)
		if err := k.Verify(t.Context(), p, plain, changed); !errors.Is(err, secrets.ErrSealed) || !strings.Contains(err.Error(), p.Name) {
			t.Fatalf("%s of a MAC: %v", name, err)
		}
	}
	if err := k.Verify(t.Context(), home, append(plain, ' '), mac); !errors.Is(err, secrets.ErrSealed) {
		t.Errorf("another value: %v", err)
	}
}

// TestEverySealDiffers holds that neither the nonce nor what is sealed can be told from the record.
func TestEverySealDiffers(t *testing.T) {
	t.Parallel()
	k := secrets.NewKeyring(newKey(t))
	seen := map[string]bool{}
	for range 1000 {
		record, err := k.Seal(k.Current().ID(), home, []byte("the same"))
		if err != nil {
			t.Fatal(err)
		}
		if nonce := string(record[secrets.HeadSize:][:12]); seen[nonce] {
			t.Fatal("a nonce was used twice")
		} else {
			seen[nonce] = true
		}
	}
}

// flipper is a key management service that turns every bit over, and counts.
type flipper struct {
	unwrapped int
	down      bool
}

func (f *flipper) Wrap(_ context.Context, key []byte) ([]byte, error) {
	out := bytes.Clone(key)
	for i := range out {
		out[i] ^= 0xff
	}
	return append([]byte("kms:"), out...), nil
}

func (f *flipper) Unwrap(ctx context.Context, wrapped []byte) ([]byte, error) {
	if f.down {
		return nil, errors.New("no connection")
	}
	f.unwrapped++
	out, err := f.Wrap(ctx, wrapped[4:])
	if err != nil {
		return nil, err
	}
	return out[4:], nil
}

func TestKeyringFollowsItsDocument(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	first, second := newKey(t), newKey(t)
	kms := &flipper{}
	document := func(keys ...secrets.Key) []byte {
		doc, err := secrets.AppendKeys(ctx, nil, keys, kms)
		if err != nil {
			t.Fatal(err)
		}
		return doc
	}
	doc := document(first)
	k, err := secrets.LoadKeyring(ctx, func(context.Context) ([]byte, error) { return doc, nil }, kms)
	if err != nil {
		t.Fatal(err)
	}
	record, err := secrets.NewKeyring(second).Seal(second.ID(), home, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Open(ctx, home, record); !errors.Is(err, secrets.ErrNoKey) || !strings.Contains(err.Error(), second.ID()) {
		t.Errorf("a key that is not there yet: %v", err)
	}
	doc = document(second, first)
	if _, err := k.Open(ctx, home, record); err != nil {
		t.Errorf("after the key was added: %v", err)
	}
	if k.Current().ID() != second.ID() || len(k.Keys()) != 2 {
		t.Error("the first key of the document is not the current one")
	}
	if kms.unwrapped != 2 {
		t.Errorf("%d keys were unwrapped, of 2: those that are known are asked for again", kms.unwrapped)
	}
	third := newKey(t)
	record, err = secrets.NewKeyring(third).Seal(third.ID(), home, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	doc, kms.down = document(third), true
	if _, err := k.Open(ctx, home, record); !errors.Is(err, secrets.ErrUnavailable) || errors.Is(err, secrets.ErrSealed) {
		t.Errorf("without the service: %v", err)
	}
	if k.Current().ID() != second.ID() {
		t.Error("a document that cannot be read takes the keys away")
	}
}

// TestOneReadingForMany has a hundred callers meet a key that the keyring lacks, while its document takes its time.
func TestOneReadingForMany(t *testing.T) {
	t.Parallel()
	const callers = 100
	first, second := newKey(t), newKey(t)
	record, err := secrets.NewKeyring(second).Seal(second.ID(), home, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	document := func(keys ...secrets.Key) []byte {
		doc, err := secrets.AppendKeys(t.Context(), nil, keys, nil)
		if err != nil {
			t.Fatal(err)
		}
		return doc
	}
	down := errors.New("the service is down")
	for name, c := range map[string]struct {
		doc      []byte
		fails    error
		want     error
		readings int64 // those who came during the first cannot know whether it was early enough, and have one more
	}{
		"a new key": {document(second, first), nil, nil, 1},
		"no key":    {document(first), nil, secrets.ErrNoKey, 2},
		"an outage": {nil, down, down, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			old := document(first)
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				var readings atomic.Int64
				k, err := secrets.LoadKeyring(t.Context(), func(context.Context) ([]byte, error) {
					if readings.Add(1) == 1 {
						return old, nil
					}
					<-release
					return c.doc, c.fails
				}, nil)
				if err != nil {
					t.Fatal(err)
				}
				open := func(ctx context.Context, outcomes chan<- error) {
					_, err := k.Open(ctx, home, record)
					outcomes <- err
				}
				outcomes := make(chan error, callers)
				for range callers {
					go open(t.Context(), outcomes)
				}
				synctest.Wait()
				impatient, stop := context.WithCancel(t.Context())
				gaveUp := make(chan error)
				go open(impatient, gaveUp)
				synctest.Wait()
				stop()
				if err := <-gaveUp; !errors.Is(err, context.Canceled) || !errors.Is(err, secrets.ErrUnavailable) {
					t.Errorf("a caller whose time is over: %v", err)
				}
				close(release)
				for range callers {
					if err := <-outcomes; !errors.Is(err, c.want) {
						t.Errorf("got %v, want %v", err, c.want)
					}
				}
				if n := readings.Load() - 1; n != c.readings {
					t.Errorf("the document was read %d times, want %d", n, c.readings)
				}
			})
		})
	}
}

// TestReadingOfOneWhoGaveUp has a caller's time end during its reading, which is not the others' error.
func TestReadingOfOneWhoGaveUp(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	document, err := secrets.AppendKeys(t.Context(), nil, []secrets.Key{key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		readings := 0
		k, err := secrets.LoadKeyring(t.Context(), func(ctx context.Context) ([]byte, error) {
			if readings++; readings == 1 || readings > 3 {
				return document, nil
			}
			<-ctx.Done()
			return nil, ctx.Err()
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		outcomes := make(chan error, 3)
		for i := range 3 {
			ctx, stop := context.WithTimeout(t.Context(), time.Duration(i+1)*time.Hour)
			defer stop()
			go func() { outcomes <- k.Reload(ctx) }()
			synctest.Wait()
		}
		for i, want := range []error{context.DeadlineExceeded, context.DeadlineExceeded, nil} {
			if err := <-outcomes; !errors.Is(err, want) {
				t.Errorf("caller %d: %v, want %v", i, err, want)
			}
		}
	})
}

func TestParseKeys(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	key := newKey(t)
	plain, err := secrets.AppendKeys(ctx, nil, []secrets.Key{key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	wrapped, err := secrets.AppendKeys(ctx, nil, []secrets.Key{key}, &flipper{})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := secrets.ParseKeys(ctx, plain, nil); err != nil || got[0].ID() != key.ID() {
		t.Errorf("reads %v", err)
	}
	if got, err := secrets.ParseKeys(ctx, wrapped, &flipper{}); err != nil || got[0].ID() != key.ID() {
		t.Errorf("reads %v", err)
	}
	for name, c := range map[string]struct {
		doc  string
		wrap secrets.Wrapper
	}{
		"wrapped, without a service": {string(wrapped), nil},
		"plain, with a service":      {string(plain), &flipper{}},
		"another id":                 {strings.Replace(string(plain), key.ID(), "0000000000000000", 1), nil},
		"no key":                     {`{"version":1,"keys":[]}`, nil},
		"another version":            {strings.Replace(string(plain), `"version": 1`, `"version": 2`, 1), nil},
		"an unknown field":           {strings.Replace(string(plain), `"version": 1`, `"version": 1, "x": 1`, 1), nil},
		"two documents":              {string(plain) + string(plain), nil},
		"a short key":                {`{"version":1,"keys":[{"id":"0000000000000000","key":"AAAA"}]}`, nil},
		"neither":                    {`{"version":1,"keys":[{"id":"0000000000000000"}]}`, nil},
		"nothing":                    {"", nil},
	} {
		_, err := secrets.ParseKeys(ctx, []byte(c.doc), c.wrap)
		if helpers.ReasonOf(err) != helpers.BadMaterial {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKeysDoNotPrint(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	doc, err := secrets.AppendKeys(t.Context(), nil, []secrets.Key{k}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var d struct{ Keys []struct{ Key []byte } }
	if err := json.Unmarshal(doc, &d); err != nil {
		t.Fatal(err)
	}
	ring := secrets.NewKeyring(k)
	for _, v := range []any{k, &k, ring, []secrets.Key{k}, struct{ k secrets.Key }{k}, map[string]secrets.Key{"k": k}} {
		var b bytes.Buffer
		slog.New(slog.NewTextHandler(&b, nil)).Info("x", "v", v)
		text := fmt.Sprintf("%v %+v %#v %s %x %d ", v, v, v, v, v, v) + b.String()
		if out, err := json.Marshal(v); err == nil {
			text += string(out)
		}
		for _, form := range []string{string(d.Keys[0].Key), fmt.Sprintf("%x", d.Keys[0].Key), fmt.Sprint(d.Keys[0].Key)} {
			if strings.Contains(text, strings.Trim(form, "[]")) {
				t.Errorf("a key prints in %q", text)
			}
		}
	}
}
