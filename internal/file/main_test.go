//go:build unix

package file_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/internal/file"
	"github.com/beam-cloud/docker-credential-beta9/internal/file/filetest"
)

func TestMain(m *testing.M) {
	os.Exit(filetest.Main(m, map[string]filetest.Role{
		"count":     count,
		"versions":  versions,
		"hold":      hold,
		"unmasked":  unmasked,
		"nobody":    nobody,
		"tiny":      tiny,
		"keep lock": keepLock,
	}))
}

// version returns content from which its number can be read, if it is whole.
func version(n int) []byte {
	return bytes.Repeat(fmt.Appendf(nil, "version %9d\n", n), 4000)
}

// numberOf returns the number of a version, and whether the content is whole.
func numberOf(content []byte) (int, bool) {
	if len(content) < 18 {
		return 0, false
	}
	n, err := strconv.Atoi(string(bytes.TrimLeft(content[8:17], " ")))
	return n, err == nil && bytes.Equal(content, version(n))
}

// count adds 1 to the number in a file, a hundred times, under a lock.
func count(args []string) error {
	d, err := file.Open(args[0])
	if err != nil {
		return err
	}
	for range 100 {
		lock, err := d.Lock(context.Background(), "count.lock")
		if err != nil {
			return err
		}
		content, err := d.Read("count", 20)
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(string(content))
		if err != nil {
			return fmt.Errorf("torn: %w", err)
		}
		if err := d.Write("count", []byte(strconv.Itoa(n+1))); err != nil {
			return err
		}
		if n%2 == 0 { // both ways of letting go
			lock.Discard()
		} else {
			lock.Release()
		}
	}
	return nil
}

// versions writes versions of a file until it is killed, and prints a line after each.
func versions(args []string) error {
	d, err := file.Make(args[0])
	if err != nil {
		return err
	}
	first, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	for n := first; ; n++ {
		if err := d.Write("record", version(n)); err != nil {
			return err
		}
		fmt.Println(n)
	}
}

// hold takes a lock, says so, and keeps it until its stdin ends or it is killed.
func hold(args []string) error {
	d, err := file.Make(args[0])
	if err != nil {
		return err
	}
	if _, err := d.Lock(context.Background(), "lock"); err != nil {
		return err
	}
	fmt.Println("held")
	io.Copy(io.Discard, os.Stdin)
	return nil
}

// keepLock takes a lock, starts a program that outlives the lock's holder, and ends.
func keepLock(args []string) error {
	d, err := file.Make(args[0])
	if err != nil {
		return err
	}
	if _, err := d.Lock(context.Background(), "lock"); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	child, err := os.StartProcess(self, []string{self, args[1]}, &os.ProcAttr{
		Env:   []string{"BETA9_TEST_ROLE=hold"},
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
	})
	if err != nil {
		return err
	}
	return child.Release()
}

// unmasked writes under a umask, and reads it back.
func unmasked(args []string) error {
	mask, err := strconv.ParseInt(args[1], 8, 32)
	if err != nil {
		return err
	}
	syscall.Umask(int(mask))
	d, err := file.Make(args[0])
	if err != nil {
		return err
	}
	lock, err := d.Lock(context.Background(), "lock")
	if err != nil {
		return err
	}
	defer lock.Release()
	if err := d.Write("record", []byte("content")); err != nil {
		return err
	}
	_, err = d.Read("record", 100)
	return err
}

// nobody tries, as a user without any rights, what its first argument says, and prints what comes of it.
func nobody(args []string) error {
	if err := syscall.Setuid(65534); err != nil {
		return err
	}
	d, err := file.Open(args[1])
	if err != nil {
		fmt.Print(err)
		return nil
	}
	switch args[0] {
	case "read":
		_, err = d.Read("record", 1<<20)
	case "write":
		err = d.Write("record", []byte("new"))
	case "lock":
		_, err = d.TryLock("lock")
	case "remove":
		err = d.Remove("record")
	}
	fmt.Print(err)
	return nil
}

// tiny writes and reads with a limit on open files or on the size of files.
func tiny(args []string) error {
	limit := map[string]int{"nofile": syscall.RLIMIT_NOFILE, "fsize": syscall.RLIMIT_FSIZE}[args[1]]
	n, err := strconv.ParseUint(args[2], 10, 64)
	if err != nil {
		return err
	}
	if err := syscall.Setrlimit(limit, &syscall.Rlimit{Cur: n, Max: n}); err != nil {
		return err
	}
	d, err := file.Open(args[0])
	if err != nil {
		return err
	}
	for range 100 { // more than there are file numbers
		lock, err := d.Lock(context.Background(), "lock")
		if err != nil {
			return err
		}
		err = d.Write("record", []byte("new"))
		if args[1] == "fsize" && !errors.Is(err, syscall.EFBIG) {
			return fmt.Errorf("writing a file that may not grow: %v", err)
		}
		if args[1] != "fsize" && err != nil {
			return err
		}
		lock.Release()
		if _, err := d.Read("record", 100); err != nil {
			return err
		}
		if _, err := d.Names(); err != nil {
			return err
		}
	}
	return nil
}
