package execute

import "os"

// feed writes bytes into a pipe whose other end a child holds. A pipe rather
// than a sealed memory file, although material may be larger than a pipe's
// buffer: what was read from a pipe is gone, so whoever comes late to the
// child's descriptor finds nothing, pipes are never swapped out, and they exist
// on every system.
//
// What a pipe surely holds is written before there is anybody to read it, which
// takes no goroutine.
type feed struct {
	r, w *os.File
	data []byte
	done chan struct{}
}

// roomy is how many bytes an empty pipe takes at once everywhere: the least that
// POSIX leaves to a system (_POSIX_PIPE_BUF).
const roomy = 512

func newFeed(data []byte) (*feed, error) {
	r, w, err := pipe()
	if err != nil {
		return nil, err
	}
	f := &feed{r: r, w: w, data: data}
	if f.small() {
		f.write()
	}
	return f, nil
}

func (f *feed) small() bool { return len(f.data) <= roomy }

// write writes all there is. The error says that the child did not want to read
// on, which is its own business.
func (f *feed) write() {
	_, _ = f.w.Write(f.data)
	f.w.Close()
}

// start lets go of the child's end and begins to write what is not written yet.
// It is called once the child has its own copy of that end.
func (f *feed) start() {
	f.r.Close()
	if f.small() {
		return
	}
	f.done = make(chan struct{})
	go func() {
		defer close(f.done)
		f.write()
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
