package file_test

import (
	"errors"
	"slices"
	"syscall"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/internal/file"
	"github.com/beam-cloud/docker-credential-beta9/internal/file/filetest"
)

func TestFullDiskKeepsTheOldFile(t *testing.T) {
	folder := filetest.SmallDisk(t)
	d, err := file.Open(folder)
	do(t, err)
	defer d.Close()
	do(t, d.Write("record", []byte("old")))
	free := filetest.Fill(t, folder)
	err = d.Write("record", make([]byte, 8192))
	fe, ok := errors.AsType[*file.Error](err)
	if !ok || !errors.Is(err, syscall.ENOSPC) || fe.Hint() == "" {
		t.Errorf("writing to a full disk: %v", err)
	}
	if content, err := d.Read("record", 100); err != nil || string(content) != "old" {
		t.Errorf("reads %q, %v", content, err)
	}
	if names, err := d.Names(); err != nil || len(names) != 2 || !slices.Contains(names, "record") {
		t.Errorf("in the folder: %v, %v", names, err)
	}
	free()
	do(t, d.Write("record", make([]byte, 8192)))
}

func TestReadOnlyDiskCanBeRead(t *testing.T) {
	d, folder := private(t)
	do(t, d.Write("record", []byte("old")))
	filetest.ReadOnly(t, folder)
	d, err := file.Make(folder)
	do(t, err)
	defer d.Close()
	if content, err := d.Read("record", 100); err != nil || string(content) != "old" {
		t.Errorf("reads %q, %v", content, err)
	}
	for what, err := range map[string]error{
		"write":  d.Write("record", []byte("new")),
		"remove": d.Remove("record"),
	} {
		fe, ok := errors.AsType[*file.Error](err)
		if !ok || !errors.Is(err, syscall.EROFS) || fe.Hint() == "" {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := d.TryLock("lock"); !errors.Is(err, syscall.EROFS) {
		t.Errorf("lock: %v", err)
	}
}
