package execute

import (
	"errors"
	"io/fs"
)

// Rule is a condition that a helper, its folder and the way there must meet,
// put as what is wrong when it is not met.
type Rule string

// The rules.
const (
	RuleAbsolute   Rule = "is not an absolute path"
	RuleFolder     Rule = "is not a folder"
	RuleOwner      Rule = "belongs to neither root nor the user who runs it"
	RuleWritable   Rule = "can be changed by others than its owner"
	RuleLink       Rule = "is a symbolic link"
	RuleLinks      Rule = "leads through too many symbolic links"
	RuleFile       Rule = "is not a regular file"
	RuleSetuid     Rule = "is setuid or setgid"
	RuleExecutable Rule = "is not executable"
	RuleScript     Rule = "is a script, and only a binary can be executed as the file that was checked"
	RuleReplaced   Rule = "was replaced while it was checked"
)

// TrustError says which rule a file or folder breaks.
type TrustError struct {
	// Path is the file or folder that breaks the rule. It may lie above the
	// folder that was asked for.
	Path string
	// Rule is the rule it breaks.
	Rule Rule
	// Detail is what was found, such as "mode 0777"; it may be empty.
	Detail string
}

func (e *TrustError) Error() string {
	text := e.Path + " " + string(e.Rule)
	if e.Detail != "" {
		text += " (" + e.Detail + ")"
	}
	return text
}

// refused wraps what a check of the file system gave, so that it matches the
// kind it is: a broken rule, something missing, or the system saying no.
func refused(name string, err error) error {
	var rule *TrustError
	switch {
	case errors.As(err, &rule):
		return &Error{Name: name, Kind: ErrUntrusted, Err: err}
	case errors.Is(err, fs.ErrNotExist):
		return &Error{Name: name, Kind: ErrMissing, Err: err}
	}
	return &Error{Name: name, Kind: ErrStart, Err: err}
}

// unready wraps what went wrong with a helper that is there, so that it matches
// another kind than [ErrMissing] whatever else was missing.
func unready(name string, err error) error {
	if _, ok := errors.AsType[*TrustError](err); ok {
		return &Error{Name: name, Kind: ErrUntrusted, Err: err}
	}
	return &Error{Name: name, Kind: ErrStart, Err: err}
}
