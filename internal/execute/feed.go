package execute

import "os"

// feed writes bytes into a pipe whose other end a child holds. A pipe rather
// than a sealed memory file, although material may be larger than a pipe's
// buffer: what was read from a pipe is gone, so whoever comes late to the
// child's descriptor finds nothing, pipes are never swapped out, and they exist
// on every system.
type feed struct {
	r, w *os.File
	data []byte
	done chan struct{}
}

func newFeed(data []byte) (*feed, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	return &feed{r: r, w: w, data: data}, nil
}

// start lets go of the child's end and begins to write. It is called once the
// child has its own copy of that end.
func (f *feed) start() {
	f.r.Close()
	f.done = make(chan struct{})
	go func() {
		defer close(f.done)
		// The error says that the child did not want to read on, which is its
		// own business.
		_, _ = f.w.Write(f.data)
		f.w.Close()
	}()
}

// end closes both ends and waits for the writing to stop, started or not.
func (f *feed) end() {
	f.r.Close()
	f.w.Close()
	if f.done != nil {
		<-f.done
	}
}
