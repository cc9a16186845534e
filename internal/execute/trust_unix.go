//go:build unix

package execute

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// suffix is what the file name of an executable ends with.
const suffix = ""

// maxLinks bounds the symbolic links on the way to a folder, as the kernel
// bounds them.
const maxLinks = 40

// resolve walks the absolute, clean path from the root and returns it without
// symbolic links. Each step is checked before the next is taken, so nobody who
// is not trusted can change the way between this walk and its use.
func resolve(path string) (string, error) {
	here, rest := "/", steps(path)
	for links := 0; ; {
		info, err := os.Lstat(here)
		if err != nil {
			return "", err
		}
		if err := checkOwner(here, info); err != nil {
			return "", err
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			if links++; links > maxLinks {
				return "", &TrustError{Path: path, Rule: RuleLinks}
			}
			target, err := os.Readlink(here)
			if err != nil {
				return "", err
			}
			here = filepath.Dir(here)
			if filepath.IsAbs(target) {
				here = "/"
			}
			rest = append(steps(target), rest...)
			continue
		}
		last := len(rest) == 0
		if err := checkFolder(here, info, last); err != nil {
			return "", err
		}
		if last {
			return here, nil
		}
		if rest[0] == ".." {
			here = filepath.Dir(here)
		} else {
			here = filepath.Join(here, rest[0])
		}
		rest = rest[1:]
	}
}

// steps cuts a path into the names to walk.
func steps(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}

// checkFolder checks one folder of the way; last is the helpers' own.
func checkFolder(path string, info fs.FileInfo, last bool) error {
	if !info.IsDir() {
		return &TrustError{Path: path, Rule: RuleFolder}
	}
	// In a sticky folder only the owner of an entry, the owner of the folder
	// and root can rename or remove it, and all of them are trusted. New
	// entries are still anybody's to make, which is why the folder of the
	// helpers itself gets no such grace.
	if info.Mode().Perm()&0o022 != 0 && (last || info.Mode()&fs.ModeSticky == 0) {
		return &TrustError{Path: path, Rule: RuleWritable, Detail: modeOf(info)}
	}
	return nil
}

// open opens the helper at path and checks the opened file. It does not follow
// a link and does not wait for a named pipe's other end.
func open(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ELOOP) {
		return nil, &TrustError{Path: path, Rule: RuleLink}
	}
	if err != nil {
		return nil, err
	}
	if err := checkFile(path, file); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// checkFile checks an opened helper.
func checkFile(path string, file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	mode := info.Mode()
	if !mode.IsRegular() {
		return &TrustError{Path: path, Rule: RuleFile}
	}
	if err := checkOwner(path, info); err != nil {
		return err
	}
	switch {
	case mode.Perm()&0o022 != 0:
		return &TrustError{Path: path, Rule: RuleWritable, Detail: modeOf(info)}
	case mode&(fs.ModeSetuid|fs.ModeSetgid) != 0:
		// It could not be killed, nor would it die with this process.
		return &TrustError{Path: path, Rule: RuleSetuid, Detail: modeOf(info)}
	case mode.Perm()&0o111 == 0:
		return &TrustError{Path: path, Rule: RuleExecutable, Detail: modeOf(info)}
	}
	return nil
}

// checkOwner refuses what belongs to anybody but root and the effective user.
func checkOwner(path string, info fs.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !ok:
		return &TrustError{Path: path, Rule: RuleOwner, Detail: "owner unknown"}
	case stat.Uid != 0 && int(stat.Uid) != os.Geteuid():
		return &TrustError{Path: path, Rule: RuleOwner, Detail: "uid " + strconv.Itoa(int(stat.Uid))}
	}
	return nil
}

// modeOf tells a mode the way chmod takes it.
func modeOf(info fs.FileInfo) string {
	mode := uint64(info.Mode().Perm())
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		mode = uint64(stat.Mode) & 0o7777
	}
	return "mode 0" + strconv.FormatUint(mode, 8)
}
