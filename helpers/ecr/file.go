package ecr

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

var errLargeFile = errors.New("the file is too large")

// readFile reads a file whole, if it has no more than max bytes. The error does not hold the path: it comes from a
// variable, which may hold what it should name.
func readFile(path string, max int64) ([]byte, error) {
	f, err := os.Open(path)
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return nil, e.Err
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, max+1))
	if err == nil && int64(len(data)) > max {
		return nil, errLargeFile
	}
	return data, err
}
