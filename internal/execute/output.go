package execute

import (
	"errors"
	"os"
	"time"
)

// output reads what a child writes to its standard output or error.
type output struct {
	r, w *os.File
	to   *capped
	done chan struct{} // closed when the reading has ended; nil before it began
	cut  bool          // something may be unread; to be looked at when the reading has ended
}

func newOutput(to *capped) (*output, error) {
	r, w, err := pipe()
	return &output{r: r, w: w, to: to}, err
}

// start lets go of the child's end and begins to read. It is called once the
// child has its own copy of that end.
func (o *output) start() {
	o.w.Close()
	o.done = make(chan struct{})
	go func() {
		defer close(o.done)
		_, err := o.to.ReadFrom(o.r)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = drain(o.r, o.to)
		}
		o.cut = err != nil
		// Whoever writes on is told that nobody reads.
		o.r.Close()
	}()
}

// finish waits until everything is read or the time has come, and from then on
// for no more than what lies in the pipe. Time alone does not tell that somebody
// holds the pipe open: a busy process may not have come to read.
func (o *output) finish(late <-chan time.Time) {
	select {
	case <-o.done:
		return
	case <-late:
	}
	if o.r.SetReadDeadline(time.Unix(1, 0)) != nil {
		o.r.Close()
	}
	<-o.done
}

// close lets go of what a child that did not start leaves.
func (o *output) close() {
	o.w.Close()
	if o.done == nil {
		o.r.Close()
	}
}
