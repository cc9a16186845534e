// Package serve is the main of every helper: it reads a request from stdin, finds the credential and answers on stdout,
// within one deadline.
//
//	func main() { os.Exit(serve.Main(serve.Kind{Type: "ngc", Exchanger: ngc.Exchanger{}, Keep: ngc.Keep})) }
package serve

import (
	"context"
	"errors"
	"io"
	"strconv"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

const (
	// TimeoutVariable sets the deadline of the whole call: a duration such as 5s, or a number of seconds.
	TimeoutVariable = "BETA9_CREDENTIAL_TIMEOUT"
	// ExtendedVariable asks with "1" for an answer that also has ExpiresAt and Source.
	ExtendedVariable = "BETA9_CREDENTIAL_EXTENDED"
	// DebugVariable asks with "1" for what was tried, on stderr.
	DebugVariable = "BETA9_CREDENTIAL_DEBUG"

	// defaultTimeout is the deadline when none is set: clients have none of their own, and a person waits.
	defaultTimeout = 10 * time.Second
)

// Run carries out one call of the helper k and returns its exit code: 0, or 1 with an error line on stdout. It never
// takes longer than the deadline of the call, whatever stdin, stdout and the network do. When the deadline passes while
// stdin or stdout is stuck, the goroutine that reads or writes is left behind, for the process is about to end.
func Run(ctx context.Context, k Kind, p Process) int {
	if code, done := usage(k.Type, p); done {
		return code
	}
	c := &call{kind: k, process: p}
	timeout, err := p.timeout()
	if err != nil {
		return c.finish(nil, err)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	answer, err := within(ctx, func() ([]byte, error) { return c.carryOut(c.trace(ctx)) })
	return c.finish(answer, err)
}

// A call is one run of a helper.
type call struct {
	kind    Kind
	process Process
	say     sayings
}

func (c *call) carryOut(ctx context.Context) ([]byte, error) {
	switch c.process.Args[0] {
	case helpers.VerbGet:
		return c.get(ctx)
	case helpers.VerbStore:
		return nil, c.store(ctx)
	case helpers.VerbErase:
		return nil, c.erase(ctx)
	default: // usage lets no other verb through
		return c.list(ctx)
	}
}

// within runs f and gives up waiting for it when the context ends. What f reports about the context's end is said in
// the protocol's words either way.
func within(ctx context.Context, f func() ([]byte, error)) ([]byte, error) {
	type outcome struct {
		answer []byte
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		answer, err := f()
		done <- outcome{answer, err}
	}()
	select {
	case o := <-done:
		return o.answer, o.err
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return nil, helpers.Fail(helpers.Timeout, "the call did not end within its deadline",
				"set "+TimeoutVariable+" to wait longer, or "+DebugVariable+"=1 to see for what")
		}
		return nil, helpers.Fail(helpers.Canceled, "the call was interrupted", "")
	}
}

// finish writes the answer or the error line, and returns the exit code. An answer that could not be written whole is a
// failure, so that no client takes silence for success.
func (c *call) finish(answer []byte, err error) int {
	c.say.end(c.process.Stderr, err)
	code := 0
	if err != nil {
		code, answer = 1, []byte(helpers.ErrorLine(err)+"\n")
	}
	if !write(c.process.Stdout, answer) {
		return 1
	}
	return code
}

// write writes all of b, and gives up when the reader does not take it in the time that a whole call may need.
func write(w io.Writer, b []byte) bool {
	if len(b) == 0 {
		return true
	}
	ctx, cancel := context.WithTimeout(context.Background(), defaultTimeout)
	defer cancel()
	_, err := within(ctx, func() ([]byte, error) {
		_, err := w.Write(b)
		return nil, err
	})
	return err == nil
}

func (p Process) timeout() (time.Duration, error) {
	s := p.getenv(TimeoutVariable)
	if s == "" {
		return defaultTimeout, nil
	}
	d, err := time.ParseDuration(s)
	if n, err2 := strconv.ParseUint(s, 10, 16); err2 == nil {
		d, err = time.Duration(n)*time.Second, nil
	}
	if err != nil || d <= 0 {
		return 0, helpers.Fail(helpers.BadRequest, TimeoutVariable+" is not a duration",
			"set it to a duration such as 5s")
	}
	return d, nil
}
