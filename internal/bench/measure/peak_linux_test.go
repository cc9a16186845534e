package measure

import (
	"bytes"
	"fmt"
	"os"
	"testing"
)

// hold is the argument with which this test binary holds memory in the place of running tests.
const hold = "hold-64-MiB"

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == hold {
		held := bytes.Repeat([]byte{1}, 64<<20)
		fmt.Println(len(held))
		return
	}
	os.Exit(m.Run())
}

// This process has more memory than the child that does nothing, and less than the one that holds some: what is told of a
// child is the child's own, many times over.
func TestPeakIsTheChildsOwn(t *testing.T) {
	own := bytes.Repeat([]byte{1}, 32<<20)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		path, arg   string
		least, most int64
	}{
		{self, hold, 64 << 20, 1 << 30},
		{"/bin/sh", "-c", 1 << 16, 16 << 20},
	} {
		args := []string{test.arg}
		if test.arg == "-c" {
			args = append(args, "exit 0")
		}
		c, err := NewCommand(t.TempDir(), test.path, args, nil, "")
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			peak, err := c.Peak()
			if err != nil {
				t.Fatal(err)
			}
			if peak < test.least || peak > test.most {
				t.Fatalf("the peak of %s is %d bytes, not from %d to %d", test.path, peak, test.least, test.most)
			}
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if own[0] != 1 {
		t.Error("the memory of this process is gone")
	}
}
