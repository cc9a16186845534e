package secrets

import (
	"context"
	"encoding/hex"
	"fmt"
	"sync"
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
	mu   sync.Mutex // held while reading again
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
	r := &Keyring{read: read, wrap: w}
	return r, r.Reload(ctx)
}

// Reload reads the keyring's document again. When that fails, the keyring stays as it was.
func (r *Keyring) Reload(ctx context.Context) error {
	if r.read == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
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
	if _, ok := r.get(id); ok {
		return true, nil
	}
	if err := r.Reload(ctx); err != nil {
		return false, err
	}
	_, ok := r.get(id)
	return ok, nil
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
	if err := r.Reload(ctx); err != nil {
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
