package execute

import (
	"context"
	"path/filepath"
	"slices"
	"time"
)

const (
	// DefaultConcurrent is how many helpers of one folder run at once. More
	// of them do not finish sooner, and the slowest tenth finishes later.
	DefaultConcurrent = 8
	// DefaultDeadline bounds a call whose context has no deadline. It is more
	// than the ten seconds a helper gives itself, so that a helper in trouble
	// still gets to say what the trouble is.
	DefaultDeadline = 15 * time.Second
)

// Options are the limits of a [Folder].
type Options struct {
	// Types are the registry types that may be run; no other is. Each has to
	// match ^[a-z0-9][a-z0-9-]{0,31}$.
	Types []string
	// Concurrent is how many helpers run at once; 0 means
	// [DefaultConcurrent]. The tenants of the calls share them, see
	// [Call.Tenant].
	Concurrent int
	// Deadline bounds a call whose context has no deadline, the wait for its
	// turn included; 0 means [DefaultDeadline].
	Deadline time.Duration
	// MaxStdout is the most a helper may print, in bytes; 0 means [MaxStdout].
	MaxStdout int
}

// Folder is a folder of helpers that nobody but root and the user who runs
// this process can change. It holds no open file and needs no closing: the
// checks are made anew for each call, so helpers can be upgraded in place or by
// moving a link. It is safe for use by any number of goroutines.
type Folder struct {
	path     string
	types    []string
	deadline time.Duration
	stdout   int
	turns    *turns
}

// OpenFolder checks the folder at path, which has to be absolute, and returns
// it. The helpers in it need not be there yet.
func OpenFolder(path string, o Options) (*Folder, error) {
	if !filepath.IsAbs(path) {
		return nil, refused(path, &TrustError{Path: path, Rule: RuleAbsolute})
	}
	for _, t := range o.Types {
		if !validType(t) {
			return nil, &Error{Name: path, Kind: ErrName}
		}
	}
	f := &Folder{path: filepath.Clean(path), types: slices.Clone(o.Types), deadline: o.Deadline, stdout: o.MaxStdout}
	if f.stdout <= 0 {
		f.stdout = MaxStdout
	}
	if f.deadline <= 0 {
		f.deadline = DefaultDeadline
	}
	if o.Concurrent <= 0 {
		o.Concurrent = DefaultConcurrent
	}
	f.turns = newTurns(o.Concurrent)
	if _, err := resolve(f.path); err != nil {
		return nil, refused(f.path, err)
	}
	return f, nil
}

// Run executes one helper and waits for its end. When Run returns, the child
// has been reaped, the rest of its process group is dead, and no goroutine or
// descriptor of the call is left.
//
// So that the child inherits only its own pipes, Run marks all descriptors of
// this process above standard error as close-on-exec, those too that it was
// started with or that foreign code opened. Go programs hand descriptors on by
// other means and do not notice.
//
// The error is nil when the helper ended by itself, whatever its exit code.
// Otherwise it is an [*Error], and the result holds no more than what had been
// read of standard error. Run needs no deadline in ctx, but takes the one it
// finds.
func (f *Folder) Run(ctx context.Context, c Call) (Result, error) {
	// Whatever is in the set has the form of a type.
	if !slices.Contains(f.types, c.Type) {
		// The type is not repeated: it may be anything, a secret included.
		return Result{}, &Error{Name: f.path, Kind: ErrName}
	}
	name := Prefix + c.Type
	if !validVerb(c.Verb) {
		return Result{}, &Error{Name: name, Kind: ErrName}
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.deadline)
		defer cancel()
	}
	if ctx.Err() != nil {
		return Result{}, ended(ctx, name)
	}
	if err := f.turns.take(ctx, c.Tenant); err != nil {
		return Result{}, ended(ctx, name)
	}
	defer f.turns.give(c.Tenant)
	p, err := f.program(name)
	if err != nil {
		return Result{}, err
	}
	defer func() { p.file.Close() }() // by then it may be another one
	return p.run(ctx, c, f.stdout)
}

// Check makes the checks of Run of the helper's place, owner and mode, for those
// who leave it to somebody else to run it. The error is an [*Error].
func (f *Folder) Check(typ string) error {
	if !slices.Contains(f.types, typ) {
		return &Error{Name: f.path, Kind: ErrName}
	}
	p, err := f.program(Prefix + typ)
	if err != nil {
		return err
	}
	return p.file.Close()
}

// program opens and checks the helper with this file name.
func (f *Folder) program(name string) (*program, error) {
	folder, err := resolve(f.path)
	if err != nil {
		return nil, refused(name, err)
	}
	path := filepath.Join(folder, name+suffix)
	file, err := open(path)
	if err != nil {
		return nil, refused(name, err)
	}
	return &program{name: name, path: path, file: file}, nil
}
