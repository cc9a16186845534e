package serve

import (
	"context"
	"io"
	"os"
	"strconv"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/socket"
)

// An explicit source is where material is read from when the environment says where.
type explicit struct {
	name string
	read func(ctx context.Context, r helpers.Registry) (helpers.Material, error)
}

// explicit returns the source that the environment names, or nil.
func (c *call) explicit() helpers.Source {
	if fd := c.process.Getenv(FDVariable); fd != "" {
		return explicit{FDVariable, func(context.Context, helpers.Registry) (helpers.Material, error) { return fromFD(fd) }}
	}
	if path := c.process.Getenv(FileVariable); path != "" {
		return explicit{FileVariable, func(context.Context, helpers.Registry) (helpers.Material, error) { return fromFile(path) }}
	}
	if path := c.process.Getenv(SocketVariable); path != "" {
		return explicit{SocketVariable, func(ctx context.Context, r helpers.Registry) (helpers.Material, error) {
			return socket.Ask(ctx, path, r)
		}}
	}
	return nil
}

// Material reads the material. What is bound to another registry than the one that is asked for is none for this one.
func (e explicit) Material(ctx context.Context, r helpers.Registry) (helpers.Material, error) {
	m, err := e.read(ctx, r)
	if err != nil {
		return helpers.Material{}, err
	}
	if m.Registry().Identity() != r.Identity() || r.Scope() != "" && !m.Scope().Covers(r.Scope()) {
		helpers.LeaveSource(ctx, e.name, "its material is bound to another registry")
		return helpers.Material{}, helpers.ErrNotFound
	}
	return m, nil
}

func fromFD(number string) (helpers.Material, error) {
	f, err := OpenDescriptor(number)
	if err != nil {
		return helpers.Material{}, err
	}
	return readMaterial(f, FDVariable)
}

// OpenDescriptor returns the file that FDVariable names. Closing it closes the descriptor. The error is a
// [*helpers.Failure].
func OpenDescriptor(number string) (*os.File, error) {
	n, err := strconv.ParseUint(number, 10, 16)
	if err != nil || n < 3 {
		return nil, helpers.Fail(helpers.BadMaterial, FDVariable+" is not the number of a descriptor above 2", "")
	}
	if !handedDown(uintptr(n)) {
		return nil, helpers.Fail(helpers.BadMaterial, "the material that "+FDVariable+" names cannot be read", "hand the descriptor down to the helper")
	}
	return os.NewFile(uintptr(n), FDVariable), nil
}

func fromFile(path string) (helpers.Material, error) {
	f, err := os.Open(path)
	if err != nil {
		return helpers.Material{}, &helpers.Failure{Reason: helpers.BadMaterial, Cause: err,
			Text: "the file that " + FileVariable + " names cannot be opened", Hint: "check its path and its permissions"}
	}
	return readMaterial(f, FileVariable)
}

func readMaterial(f *os.File, variable string) (helpers.Material, error) {
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return helpers.Material{}, &helpers.Failure{Reason: helpers.BadMaterial, Cause: err,
			Text: "the material that " + variable + " names cannot be read"}
	}
	return helpers.ParseMaterial(data)
}
