package secrets

import (
	"context"
	"encoding/hex"
	"fmt"
	"sync/atomic"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// A Keyring holds the keys of a store. One of them is current, which is the one that [Rotator.Rotate] brings everything
// to. It prints as "[redacted]" and is safe for concurrent use.
type Keyring struct {
	opaque
	read func(context.Context) ([]byte, error) // nil for keys that were given
	wrap Wrapper
	keys atomic.Pointer[keys]
	turn chan struct{} // has room for the one who reads again
	// begun counts the readings. Whoever's turn it is keeps in latest the last one that ended, and its error in failed.
	begun  atomic.Int64
	latest int64
	failed error
}

// keys is one state of a keyring.
type keys struct {
	list []Key // the current one first
	byID map[[idSize]byte]Key
}

func index(list []Key) *keys {
	k := &keys{list: list, byID: make(map[[idSize]byte]Key, len(list))}
	for _, one := range list {
		k.byID[one.k().id] = one
	}
	return k
}

// NewKeyring returns a keyring of keys that stay as they are.
func NewKeyring(current Key, others ...Key) *Keyring {
	r := &Keyring{}
	r.keys.Store(index(append([]Key{current}, others...)))
	return r
}

// LoadKeyring returns a keyring whose document, see [ParseKeys], comes from read: from a file, from the environment. It
// is read again whenever a record turns up that is sealed with a key which is not in the keyring, so that a process
// follows a rotation that another one makes. The wrapper unwraps the keys; it is nil for a document that holds the keys
// themselves.
func LoadKeyring(ctx context.Context, read func(context.Context) ([]byte, error), w Wrapper) (*Keyring, error) {
	r := &Keyring{read: read, wrap: w, turn: make(chan struct{}, 1)}
	return r, r.Reload(ctx)
}

// Reload reads the keyring's document again, for all who call it before it begins to. When that fails, the keyring stays
// as it was. It ends with ctx, also while another caller's reading takes longer.
func (r *Keyring) Reload(ctx context.Context) error {
	return r.reload(ctx, func() bool { return false })
}

// reload is [Keyring.Reload], and does without a reading of its own once the keyring has enough.
func (r *Keyring) reload(ctx context.Context, enough func() bool) error {
	if r.read == nil {
		return nil
	}
	before := r.begun.Load()
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return fmt.Errorf("reading the keyring: %w", ctx.Err())
	}
	if enough() {
		return nil
	}
	if r.latest > before {
		return r.failed
	}
	this := r.begun.Add(1)
	err := r.again(ctx)
	if err == nil || ctx.Err() == nil { // what ended because this caller gave up says nothing to the others
		r.latest, r.failed = this, err
	}
	return err
}

func (r *Keyring) again(ctx context.Context) error {
	data, err := r.read(ctx)
	if err != nil {
		return fmt.Errorf("reading the keyring: %w", err)
	}
	var have []Key
	if old := r.keys.Load(); old != nil {
		have = old.list
	}
	list, err := parseKeys(ctx, data, r.wrap, have)
	if err != nil {
		return err
	}
	r.keys.Store(index(list))
	return nil
}

// Current returns the current key.
func (r *Keyring) Current() Key { return r.keys.Load().list[0] }

// Keys returns all keys, the current one first.
func (r *Keyring) Keys() []Key { return append([]Key(nil), r.keys.Load().list...) }

// Has tells whether the keyring has the key of the id. It is read again to find out, if need be.
func (r *Keyring) Has(ctx context.Context, id string) (bool, error) {
	has := func() bool { _, ok := r.get(id); return ok }
	if has() {
		return true, nil
	}
	err := r.reload(ctx, has)
	return err == nil && has(), err
}

func (r *Keyring) get(id string) (Key, bool) {
	raw, err := hex.DecodeString(id)
	if err != nil || len(raw) != idSize {
		return Key{}, false
	}
	k, ok := r.keys.Load().byID[[idSize]byte(raw)]
	return k, ok
}

// find returns the key of a record, and reads the keyring again when it does not have it.
func (r *Keyring) find(ctx context.Context, p Place, id [idSize]byte) (Key, error) {
	if k, ok := r.keys.Load().byID[id]; ok {
		return k, nil
	}
	if err := r.reload(ctx, func() bool { _, ok := r.keys.Load().byID[id]; return ok }); err != nil {
		return Key{}, Unavailable(p, err, "")
	}
	if k, ok := r.keys.Load().byID[id]; ok {
		return k, nil
	}
	return Key{}, lacking(p, hex.EncodeToString(id[:]))
}

func lacking(p Place, id string) error {
	return &helpers.Failure{
		Reason: helpers.StoreFailed,
		Text:   p.String() + " " + ErrSealed.Error() + ": " + ErrNoKey.Error() + " " + id,
		Hint:   "put the keyring back that was kept with the store, or the key out of it",
		Cause:  fmt.Errorf("%w: %w", ErrSealed, ErrNoKey),
	}
}
