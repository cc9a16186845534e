package execute

import (
	"errors"
	"io"
	"slices"
)

const (
	// MaxStdout is the most a helper may print, in bytes, unless the folder
	// was opened with another limit. An answer carries one secret; the largest
	// that a service hands out is a good deal smaller.
	MaxStdout = 1 << 20
	// MaxStderr is how much of standard error is kept, in bytes. It is for a
	// person to read.
	MaxStderr = 16 << 10
)

// errFull ends the copying into a capped of which nothing may be lost.
var errFull = errors.New("output over its cap")

// capped keeps the first limit bytes written to it. It does not embed a
// buffer: the buffer's ReadFrom would come along, and io.Copy would use it in
// place of ours and write past the cap. It belongs to one goroutine at a time.
type capped struct {
	limit int
	// over, if set, is called once when something had to be left out, and
	// makes that an error. Without it the rest is dropped in silence, and the
	// writer is never held up.
	over func()
	data []byte
	full bool
}

// least is the room in which a reading begins, in bytes: most answers fit.
const least = 512

// ReadFrom keeps what fits of all that r has. Without it io.Copy would make a
// buffer of 32 KiB for each answer of a few hundred bytes.
func (c *capped) ReadFrom(r io.Reader) (n int64, err error) {
	for {
		c.data = slices.Grow(c.data, least)
		// What goes past the limit is read, too: it tells that there is more.
		got, err := r.Read(c.data[len(c.data):cap(c.data)])
		n += int64(got)
		if _, full := c.Write(c.data[len(c.data) : len(c.data)+got]); full != nil {
			return n, full
		}
		if err != nil {
			if err == io.EOF {
				err = nil
			}
			return n, err
		}
	}
}

// Write keeps what fits.
func (c *capped) Write(b []byte) (int, error) {
	room := c.limit - len(c.data)
	if len(b) <= room {
		c.data = append(c.data, b...)
		return len(b), nil
	}
	c.data = append(c.data, b[:room]...)
	if c.over == nil {
		return len(b), nil
	}
	if !c.full {
		c.full = true
		c.over()
	}
	return room, errFull
}
