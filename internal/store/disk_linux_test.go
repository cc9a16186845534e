package store

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/file/filetest"
)

func TestP6FullDisk(t *testing.T) {
	home := filetest.SmallDisk(t)
	s := at(home)
	old := login(t, "ghcr.io", "user", "not-a-secret")
	do(t, s.Put(t.Context(), "ghcr", old))
	free := filetest.Fill(t, home)
	for _, host := range []string{"ghcr.io", "other.example"} {
		err := s.Put(t.Context(), "ghcr", login(t, host, "user", strings.Repeat("s", 8192)))
		if !errors.Is(err, syscall.ENOSPC) || helpers.HintOf(err) == "" {
			t.Errorf("put %s: %v", host, err)
		}
	}
	if got, err := s.Get(t.Context(), "ghcr", old.Registry()); err != nil || !same(got, old) {
		t.Errorf("get: %v", err)
	}
	if n := len(records(t, home)); n != 1 {
		t.Errorf("%d records", n)
	}
	do(t, s.Delete(t.Context(), "ghcr", old.Registry()))
	free()
	do(t, s.Put(t.Context(), "ghcr", old))
}

func TestP6FullDiskFromTheStart(t *testing.T) {
	home := filetest.SmallDisk(t)
	free := filetest.Fill(t, home)
	s := at(home)
	l := login(t, "ghcr.io", "user", "not-a-secret")
	if err := s.Put(t.Context(), "ghcr", l); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("put: %v", err)
	}
	if _, err := s.Get(t.Context(), "ghcr", l.Registry()); !helpers.IsNotFound(err) {
		t.Errorf("get: %v", err)
	}
	if _, err := os.Stat(filepath.Join(home, "key")); err == nil {
		t.Error("a key without its bytes is there")
	}
	free()
	do(t, s.Put(t.Context(), "ghcr", l))
}

func TestP6ReadOnlyDisk(t *testing.T) {
	s, home := inHome(t)
	l := login(t, "ghcr.io", "user", "not-a-secret")
	do(t, s.Put(t.Context(), "ghcr", l))
	filetest.ReadOnly(t, home)
	if got, err := s.Get(t.Context(), "ghcr", l.Registry()); err != nil || !same(got, l) {
		t.Errorf("get: %v", err)
	}
	if heads, err := s.List(t.Context(), "ghcr"); err != nil || len(heads) != 1 {
		t.Errorf("list: %v, %v", heads, err)
	}
	for what, err := range map[string]error{
		"put": s.Put(t.Context(), "ghcr", l), "delete": s.Delete(t.Context(), "ghcr", l.Registry()),
	} {
		if !errors.Is(err, syscall.EROFS) || helpers.HintOf(err) == "" {
			t.Errorf("%s: %v", what, err)
		}
	}
	do(t, s.Delete(t.Context(), "ghcr", registry(t, "never.example")))
}
