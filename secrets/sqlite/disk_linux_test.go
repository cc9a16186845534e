package sqlite_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/file/filetest"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
	"github.com/beam-cloud/docker-credential-beta9/secrets/sqlite"
)

func TestFullDisk(t *testing.T) {
	folder := filetest.SmallDisk(t)
	s, err := sqlite.Open(t.Context(), filepath.Join(folder, "secrets.db"), ring(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	kept := put(t, s, "ghcr.io", "kept")
	free := filetest.Fill(t, folder)
	var full error
	written := 0
	for i := 0; full == nil && i < 1000; i++ {
		_, full = s.Put(t.Context(), secret(t, fmt.Sprintf("registry-%d.example", i), strings.Repeat("x", 4096)))
		if full == nil {
			written++
		}
	}
	if !errors.Is(full, secrets.ErrUnavailable) || helpers.HintOf(full) == "" {
		t.Fatalf("a full disk: %v, hint %q", full, helpers.HintOf(full))
	}
	if got, err := s.Get(t.Context(), "w", kept.Name); err != nil || got.Material.Value("GITHUB_TOKEN") != "kept" {
		t.Errorf("reading from a full disk: %v", err)
	}
	if list, err := s.List(t.Context(), "w"); err != nil || len(list) != written+1 {
		t.Errorf("%d of the %d that were acknowledged are there, %v", len(list), written+1, err)
	}
	free()
	put(t, s, "quay.io", "later")
}

// TestDisksThatCannotBeWritten has processes begin while the disk is full, and while it is read-only.
func TestDisksThatCannotBeWritten(t *testing.T) {
	folder := filetest.SmallDisk(t)
	path, k := filepath.Join(folder, "secrets.db"), ring(t)
	open := func() *sqlite.Store {
		s, err := sqlite.Open(t.Context(), path, k)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	kept := put(t, s, "ghcr.io", "kept")
	s.Close()
	try := func(how string) {
		s := open()
		defer s.Close()
		if got, err := s.Get(t.Context(), "w", kept.Name); err != nil || got.Material.Value("GITHUB_TOKEN") != "kept" {
			t.Errorf("reading from a disk that is %s: %v", how, err)
		}
		_, err := s.Put(t.Context(), secret(t, "quay.io", strings.Repeat("x", 1<<16)))
		if !errors.Is(err, secrets.ErrUnavailable) || helpers.HintOf(err) == "" {
			t.Errorf("writing to a disk that is %s: %v, hint %q", how, err, helpers.HintOf(err))
		}
	}
	free := filetest.Fill(t, folder)
	try("full")
	try("full still")
	free()
	s = open()
	put(t, s, "quay.io", "later")
	s.Close()
	filetest.ReadOnly(t, folder)
	try("read-only")
}
