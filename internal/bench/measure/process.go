package measure

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// A Command is a program that is run again and again. Its standard input and output are files, so that no goroutine of this
// process copies anything while it runs.
type Command struct {
	path    string
	args    []string
	env     []string
	dir     string
	in, out *os.File
	// Accept looks at what one run has printed and at its exit code. Nil wants exit code 0.
	Accept func(stdout []byte, code int) error
}

// NewCommand makes a command of an absolute path. env is its whole environment, input what it finds on standard input. Its
// files lie in dir, and it runs there; they are closed by [Command.Close].
func NewCommand(dir, path string, args, env []string, input string) (*Command, error) {
	if !filepath.IsAbs(path) {
		return nil, fmt.Errorf("%s is not an absolute path", path)
	}
	in, err := os.CreateTemp(dir, "in-*")
	if err != nil {
		return nil, err
	}
	out, err := os.CreateTemp(dir, "out-*")
	if err == nil {
		_, err = in.WriteString(input)
	}
	c := &Command{path: path, args: args, env: append([]string{}, env...), dir: dir, in: in, out: out}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// Close closes and removes the command's files.
func (c *Command) Close() error {
	var errs []error
	for _, f := range []*os.File{c.in, c.out} {
		if f != nil {
			errs = append(errs, f.Close(), os.Remove(f.Name()))
		}
	}
	return errors.Join(errs...)
}

// Input replaces what the command finds on standard input.
func (c *Command) Input(s string) error {
	if err := c.in.Truncate(0); err != nil {
		return err
	}
	_, err := c.in.WriteAt([]byte(s), 0)
	return err
}

// Run runs the command once, and has its outcome looked at after the clock was stopped.
func (c *Command) Run() (Sample, error) {
	cmd, err := c.prepare()
	if err != nil {
		return Sample{}, err
	}
	began := time.Now()
	err = cmd.Run()
	wall := time.Since(began)
	if err := c.look(err, cmd.ProcessState); err != nil {
		return Sample{}, err
	}
	return Sample{Wall: wall, CPU: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}, nil
}

// Output returns what the last run has printed.
func (c *Command) Output() ([]byte, error) {
	if _, err := c.out.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return io.ReadAll(c.out)
}

func (c *Command) prepare() (*exec.Cmd, error) {
	if _, err := c.in.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	if _, err := c.out.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	if err := c.out.Truncate(0); err != nil {
		return nil, err
	}
	cmd := exec.Command(c.path, c.args...)
	cmd.Env, cmd.Dir = c.env, c.dir
	cmd.Stdin, cmd.Stdout = c.in, c.out
	return cmd, nil
}

// look judges the outcome of a run.
func (c *Command) look(err error, state *os.ProcessState) error {
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		return err
	}
	out, err := c.Output()
	if err != nil {
		return err
	}
	accept := c.Accept
	if accept == nil {
		accept = succeeded
	}
	if err := accept(out, state.ExitCode()); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(c.path), err)
	}
	return nil
}

func succeeded(out []byte, code int) error {
	if code != 0 {
		return fmt.Errorf("exit code %d: %s", code, bytes.TrimSpace(out))
	}
	return nil
}

// Subject makes a subject of the command.
func (c *Command) Subject(name string) Subject { return Subject{Name: name, Run: c.Run} }
