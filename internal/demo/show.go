//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/beam-cloud/docker-credential-beta9/internal/clients"
	"github.com/beam-cloud/docker-credential-beta9/internal/registrytest"
)

// A step does one thing and returns the line that says what came of it. What it leaves for later steps it puts into the show,
// and what has to be undone it hands to [show.atEnd].
type step struct {
	name string
	do   func(context.Context, *show) (string, error)
}

// steps are the demonstration, in its order.
var steps = []step{
	{"folder", makeHome},
	{"registry", startRegistry},
	{"push", push},
	{"client", findClient},
	{"refusal", refusePull},
	{"configure", configure},
	{"login", login},
	{"status", status},
	{"pull", pull},
	{"run", runProgram},
	{"logout", logout},
	{"tokens", startTokens},
	{"secrets", keepSecrets},
	{"worker", startWorker},
	{"mount", mountBoth},
	{"build", build},
	{"rotate", rotate},
	{"stranger", refuseStranger},
}

// lastStep is the name under which the end of everything is told.
const lastStep = "clean up"

// A show is what the steps share.
type show struct {
	bin            string // folder of the commands
	stdout, stderr io.Writer

	home     clients.Home
	registry *registrytest.Registry
	password string
	image    v1.Image
	ref      string
	client   client
	pulled   string // path of the tar archive that the client wrote
	tenant   tenant

	ends []func() (string, error)
}

// atEnd has something done when the show is over, however it ends: the latest first. It returns what was done, in a few words.
func (s *show) atEnd(do func() (string, error)) { s.ends = append(s.ends, do) }

// play carries out the steps, tells of each, cleans up, and returns the exit code.
func (s *show) play(ctx context.Context, steps []step) int {
	code := 0
	for _, step := range steps {
		said, err := step.do(ctx, s)
		if err == nil {
			s.tell(step.name, said)
			continue
		}
		if ctx.Err() != nil {
			s.tell(step.name, "interrupted")
			code = exitInterrupted
		} else {
			s.tell(step.name, "failed: "+err.Error())
			if errors.Is(err, fs.ErrNotExist) {
				fmt.Fprintln(s.stderr, "hint: run make demo, which builds what this needs, in the folder of the project")
			}
			code = exitFailed
		}
		break
	}
	for _, end := range slices.Backward(s.ends) {
		said, err := end()
		if err != nil {
			said, code = "failed: "+err.Error(), max(code, exitFailed)
		}
		s.tell(lastStep, said)
	}
	return code
}

func (s *show) tell(name, said string) { fmt.Fprintf(s.stdout, "%-9s  %s\n", name, said) }

// makeHome makes a person's home for the clients and the helpers; that of whoever runs this stays untouched.
func makeHome(_ context.Context, s *show) (string, error) {
	dir, err := os.MkdirTemp("", "demo-")
	if err != nil {
		return "", err
	}
	s.atEnd(func() (string, error) { return "removed " + dir, os.RemoveAll(dir) })
	if s.home, err = clients.NewHome(dir); err != nil {
		return "", err
	}
	return dir + " is the home in which all of this happens", nil
}
