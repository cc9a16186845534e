package file

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// What is wrong with a file or a folder that cannot be used. They arrive wrapped in an [*Error]; test with errors.Is.
// A file that is not there is fs.ErrNotExist, and what the operating system says arrives as it is.
var (
	// ErrLink is a symbolic link, or a file with a second name: writing or trusting it would reach another place.
	ErrLink = errors.New("a link, and links are not followed")
	// ErrForeign belongs to another user, who could change it.
	ErrForeign = errors.New("owned by another user")
	// ErrMode can be read or changed by other users.
	ErrMode = errors.New("open to other users")
	// ErrShared is open to other users who use it for purposes of their own: closing it would take that away from them.
	ErrShared = errors.New("shared with other users")
	// ErrNotFile is a folder, a device, a pipe or a socket where a file was expected.
	ErrNotFile = errors.New("not a regular file")
	// ErrNotFolder is something else where a folder was expected.
	ErrNotFolder = errors.New("not a folder")
	// ErrTooLarge is larger than what was asked for can be.
	ErrTooLarge = errors.New("larger than it can be")
	// ErrBusy is locked by another process.
	ErrBusy = errors.New("locked by another process")
)

// An Error says what is wrong with a file or a folder. It never holds content.
type Error struct {
	// Path is the file or folder as the caller named it.
	Path string
	// Err is one of the errors of this package or the operating system's.
	Err error
	// ended is why waiting ended, when it did.
	ended error
}

// Error names the path and what is wrong with it.
func (e *Error) Error() string {
	text := e.Path + ": " + e.Err.Error()
	if e.ended != nil {
		text += ": " + e.ended.Error()
	}
	return text
}

// Unwrap lets errors.Is find the cause, and the context's error when waiting was cut short.
func (e *Error) Unwrap() []error {
	if e.ended != nil {
		return []error{e.Err, e.ended}
	}
	return []error{e.Err}
}

// Hint says what a person can do about it, or nothing.
func (e *Error) Hint() string {
	switch {
	case errors.Is(e.Err, ErrLink):
		return "replace " + e.Path + " by what it stands for, or remove it"
	case errors.Is(e.Err, ErrForeign):
		return "run as the owner of " + e.Path + ", or set BETA9_CREDENTIAL_HOME to a folder of your own"
	case errors.Is(e.Err, ErrMode):
		return "take the access of others away: chmod go-rwx " + e.Path
	case errors.Is(e.Err, ErrShared):
		return "set BETA9_CREDENTIAL_HOME to a folder that is used for nothing else"
	case errors.Is(e.Err, ErrNotFile), errors.Is(e.Err, ErrNotFolder), errors.Is(e.Err, ErrTooLarge):
		return "move " + e.Path + " out of the way"
	case errors.Is(e.Err, ErrBusy):
		return "wait for the other process, or end it"
	case errors.Is(e.Err, syscall.ENOSPC), errors.Is(e.Err, syscall.EDQUOT), errors.Is(e.Err, syscall.EFBIG):
		return "free some space for " + e.Path
	case errors.Is(e.Err, fs.ErrPermission), errors.Is(e.Err, syscall.EROFS):
		return "make " + e.Path + " accessible to you, or set BETA9_CREDENTIAL_HOME to another folder"
	}
	return ""
}

// wrong wraps err with the path it is about. The layers that package os puts around an error name the path in a
// shorter form, and are taken off.
func wrong(path string, err error) error {
	switch layer := err.(type) {
	case *fs.PathError:
		err = layer.Err
	case *os.LinkError:
		err = layer.Err
	case *os.SyscallError:
		err = layer.Err
	}
	if errors.Is(err, syscall.ENOTDIR) { // below a file there is nothing
		err = fs.ErrNotExist
	}
	return &Error{Path: path, Err: err}
}
