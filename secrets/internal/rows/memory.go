package rows

import (
	"bytes"
	"sync"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
)

// remembered is how many opened records a store keeps: the working set of a busy worker, at about 1 KiB each.
const remembered = 1024

// A memory holds what was in the records that were opened last. Each read of a secret reads its record; when that is to
// the byte the one that was opened before, at the same place, opening and parsing it again, which takes longer than
// reading it, would give the same material.
type memory struct {
	mu      sync.RWMutex
	records map[record]opened
}

// record is the name of a secret.
type record struct{ workspace, name string }

// opened is a record with what is in it.
type opened struct {
	place    secrets.Place
	sealed   []byte
	material helpers.Material
}

// recall returns what is in the record of a row, if that is remembered.
func (m *memory) recall(r row) (helpers.Material, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	o, ok := m.records[record{r.place.Workspace, r.place.Name}]
	if !ok || o.place != r.place || !bytes.Equal(o.sealed, r.sealed) {
		return helpers.Material{}, false
	}
	return o.material, true
}

// remember keeps what is in the record of a row. A full memory is emptied: which records will be asked for next is not
// known.
func (m *memory) remember(r row, material helpers.Material) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.records == nil || len(m.records) >= remembered {
		m.records = make(map[record]opened)
	}
	m.records[record{r.place.Workspace, r.place.Name}] = opened{r.place, r.sealed, material}
}
