//go:build unix

package file_test

import (
	"bufio"
	"errors"
	"io/fs"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/internal/file"
	"github.com/beam-cloud/docker-credential-beta9/internal/file/filetest"
)

// A writer that is killed leaves the version that it said was written, or the one after it, whole.
func TestKilledWriterLeavesOldOrNew(t *testing.T) {
	t.Parallel()
	d, folder := private(t)
	last := 0 // the version that must be there, or the one after it
	interrupted := 0
	for range 200 {
		cmd := filetest.Process(t, "versions", nil, folder, strconv.Itoa(last+1))
		stdout, err := cmd.StdoutPipe()
		do(t, err)
		do(t, cmd.Start())
		lines := bufio.NewScanner(stdout)
		for range rand.N(3) {
			lines.Scan()
			last, err = strconv.Atoi(lines.Text())
			do(t, err)
		}
		// The random point: a version takes about as long to write.
		<-time.After(rand.N(2 * time.Millisecond))
		cmd.Process.Kill()
		for lines.Scan() {
			last, err = strconv.Atoi(lines.Text())
			do(t, err)
		}
		cmd.Wait()

		content, err := d.Read("record", 1<<20)
		if errors.Is(err, fs.ErrNotExist) && last == 0 {
			continue
		}
		do(t, err)
		n, whole := numberOf(content)
		if !whole || n != last && n != last+1 {
			t.Fatalf("%d was written last; there is %d, whole: %v", last, n, whole)
		}
		last = n

		names, err := d.Names()
		do(t, err)
		for _, name := range names {
			if of, ok := file.Temporary(name); ok && of == "record" {
				interrupted++
				do(t, d.Remove(name))
			} else if name != "record" {
				t.Errorf("left behind: %s", name)
			}
		}
	}
	t.Logf("%d of 200 were killed while they wrote; %d versions", interrupted, last)
	if interrupted == 0 {
		t.Error("nobody was killed while writing: the test shows nothing")
	}
}
