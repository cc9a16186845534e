// Package serve is the main of every helper: it reads a request from stdin, finds the credential and answers on stdout,
// within one deadline.
//
//	func main() { os.Exit(serve.Main(serve.Kind{Type: "ngc", Exchanger: ngc.New, Keep: ngc.Keep})) }
package serve

import (
	"context"
	"strconv"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/seal"
	"github.com/beam-cloud/docker-credential-beta9/internal/stack"
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
	// maxTimeout is the longest deadline: nobody waits longer, and time can be added to it.
	maxTimeout = 24 * time.Hour
	// lastMoment is how long a call that is over may take to finish or take back what it is writing, and to end what it
	// runs.
	lastMoment = 250 * time.Millisecond
)

// Run carries out one call of the helper k and returns its exit code: 0, or 1 with an error line on stdout.
func Run(ctx context.Context, k Kind, p Process) int {
	c := &call{kind: k, process: p}
	return Protocol(ctx, helpers.ExecutablePrefix+k.Type, p, 0, c.carryOut)
}

// An Outcome is what a verb ends with when it does not fail: what it prints, and the exit code.
type Outcome struct {
	Stdout, Stderr []byte
	Code           int
}

// Protocol is the frame of a call of the program called name: it refuses what is not a verb, runs carryOut within the
// deadline of the call plus grace, and prints the outcome. It never takes longer, whatever stdin, stdout and the network
// do: when the deadline passes while one of them is stuck, the process is ended from beside it, see [Process]. What is not
// stuck has a last moment to come to an end of its own.
func Protocol(ctx context.Context, name string, p Process, grace time.Duration, carryOut func(context.Context, string) (Outcome, error)) int {
	e := ending{process: p, done: make(chan struct{})}
	if o, done := usage(name, p.Args); done {
		return e.print(o, nil)
	}
	timeout, err := p.Timeout()
	if err != nil {
		return e.print(Outcome{}, err)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout+grace)
	defer cancel()
	ctx = p.trace(ctx, &e.say)
	defer context.AfterFunc(ctx, func() { e.giveUp(ctx) })()
	stack.Grow()
	o, err := carryOut(ctx, p.Args[0])
	if err != nil && ctx.Err() != nil {
		err = over(ctx)
	}
	return e.print(o, err)
}

// A call is one run of a helper.
type call struct {
	kind    Kind
	process Process
	keys    seal.Keys
}

func (c *call) carryOut(ctx context.Context, verb string) (o Outcome, err error) {
	switch verb {
	case helpers.VerbGet:
		o.Stdout, err = c.get(ctx)
	case helpers.VerbStore:
		err = c.store(ctx)
	case helpers.VerbErase:
		err = c.erase(ctx)
	default: // usage lets no other verb through
		o.Stdout, err = c.list(ctx)
	}
	return o, err
}

// Timeout returns the deadline of a call. The error is a [*helpers.Failure] with [helpers.BadRequest].
func (p Process) Timeout() (time.Duration, error) {
	s := p.Getenv(TimeoutVariable)
	if s == "" {
		return defaultTimeout, nil
	}
	d, err := time.ParseDuration(s)
	if n, err2 := strconv.ParseUint(s, 10, 16); err2 == nil {
		d, err = time.Duration(n)*time.Second, nil
	}
	d = min(d, maxTimeout)
	if err != nil || d <= 0 {
		return 0, helpers.Fail(helpers.BadRequest, TimeoutVariable+" is not a duration",
			"set it to a duration such as 5s")
	}
	return d, nil
}
