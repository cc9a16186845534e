// Package memory keeps what was in the records that a store opened last. Each read of a secret reads its record; when
// that is to the byte the one that was opened before, at the same place, opening and parsing it again, which takes
// longer than reading it, would give the same material.
package memory

import (
	"bytes"
	"sync"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
)

// size is how many records are kept: the working set of a busy worker, at about 1 KiB each.
const size = 1024

// A Memory is safe for concurrent use. The zero Memory is empty.
type Memory struct {
	mu      sync.RWMutex
	records map[name]opened
}

// name is the name of a secret.
type name struct{ workspace, name string }

// opened is a record with what is in it.
type opened struct {
	place    secrets.Place
	record   []byte
	material helpers.Material
}

// Recall returns what is in the record at a place, if that is remembered.
func (m *Memory) Recall(p secrets.Place, record []byte) (helpers.Material, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	o, ok := m.records[name{p.Workspace, p.Name}]
	if !ok || o.place != p || !bytes.Equal(o.record, record) {
		return helpers.Material{}, false
	}
	return o.material, true
}

// Remember keeps what is in the record at a place. A full memory is emptied: which records will be asked for next is not
// known.
func (m *Memory) Remember(p secrets.Place, record []byte, material helpers.Material) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.records == nil || len(m.records) >= size {
		m.records = make(map[name]opened)
	}
	m.records[name{p.Workspace, p.Name}] = opened{p, record, material}
}
