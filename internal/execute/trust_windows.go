package execute

import (
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/windows"
)

// suffix is what the file name of an executable ends with.
const suffix = ".exe"

const (
	// deleteChild is FILE_DELETE_CHILD: the right to delete what is in a folder.
	deleteChild = 0x40
	// replaceRights let somebody put another file or folder in the place of
	// one, or give himself the right to.
	replaceRights = windows.DELETE | windows.WRITE_DAC | windows.WRITE_OWNER |
		deleteChild | windows.GENERIC_ALL
	// changeRights let somebody change a file, or add one to a folder: a
	// library beside a program is loaded by it.
	changeRights = replaceRights | windows.FILE_WRITE_DATA | windows.FILE_APPEND_DATA | windows.GENERIC_WRITE
)

// resolve follows the links in path and checks the folder it leads to and every
// folder above. The folders may grow entries by anybody's hand except for the
// last one.
func resolve(path string) (string, error) {
	folder, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", err
	}
	info, err := os.Lstat(folder)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		return "", &TrustError{Path: folder, Rule: RuleFolder}
	}
	rights := windows.ACCESS_MASK(changeRights)
	for here := folder; ; here = filepath.Dir(here) {
		descriptor, err := windows.GetNamedSecurityInfo(here, windows.SE_FILE_OBJECT,
			windows.OWNER_SECURITY_INFORMATION|windows.DACL_SECURITY_INFORMATION)
		if err != nil {
			return "", &os.PathError{Op: "GetNamedSecurityInfo", Path: here, Err: err}
		}
		if err := checkDescriptor(here, descriptor, rights); err != nil {
			return "", err
		}
		if filepath.Dir(here) == here {
			return folder, nil
		}
		rights = replaceRights
	}
}

// open opens the helper at path so that it can be neither written, renamed nor
// removed until it is closed, and checks it.
func open(path string) (*os.File, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	handle, err := windows.CreateFile(name, windows.GENERIC_READ, windows.FILE_SHARE_READ, nil,
		windows.OPEN_EXISTING, windows.FILE_ATTRIBUTE_NORMAL|windows.FILE_FLAG_OPEN_REPARSE_POINT, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	file := os.NewFile(uintptr(handle), path)
	if err := checkFile(path, handle); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// checkFile checks an opened helper.
func checkFile(path string, handle windows.Handle) error {
	var info windows.ByHandleFileInformation
	if err := windows.GetFileInformationByHandle(handle, &info); err != nil {
		return os.NewSyscallError("GetFileInformationByHandle", err)
	}
	switch {
	case info.FileAttributes&windows.FILE_ATTRIBUTE_REPARSE_POINT != 0:
		return &TrustError{Path: path, Rule: RuleLink}
	case info.FileAttributes&windows.FILE_ATTRIBUTE_DIRECTORY != 0:
		return &TrustError{Path: path, Rule: RuleFile}
	}
	descriptor, err := windows.GetSecurityInfo(handle, windows.SE_FILE_OBJECT,
		windows.OWNER_SECURITY_INFORMATION|windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		return os.NewSyscallError("GetSecurityInfo", err)
	}
	return checkDescriptor(path, descriptor, changeRights)
}

// checkDescriptor refuses what belongs to somebody else, or gives somebody else
// one of these rights.
func checkDescriptor(path string, descriptor *windows.SECURITY_DESCRIPTOR, rights windows.ACCESS_MASK) error {
	owner, _, err := descriptor.Owner()
	if err != nil {
		return os.NewSyscallError("GetSecurityDescriptorOwner", err)
	}
	trusted, err := trustedSIDs()
	if err != nil {
		return err
	}
	isTrusted := func(sid *windows.SID) bool {
		for _, t := range trusted {
			if sid.Equals(t) {
				return true
			}
		}
		return false
	}
	if owner == nil {
		return &TrustError{Path: path, Rule: RuleOwner, Detail: "owner unknown"}
	}
	if !isTrusted(owner) {
		return &TrustError{Path: path, Rule: RuleOwner, Detail: owner.String()}
	}
	list, _, err := descriptor.DACL()
	if err != nil || list == nil {
		// There is no list, which gives everybody every right.
		return &TrustError{Path: path, Rule: RuleWritable, Detail: "no access list"}
	}
	for i := range uint32(list.AceCount) {
		var entry *windows.ACCESS_ALLOWED_ACE
		if err := windows.GetAce(list, i, &entry); err != nil {
			return os.NewSyscallError("GetAce", err)
		}
		if entry.Header.AceType == windows.ACCESS_DENIED_ACE_TYPE || entry.Header.AceFlags&windows.INHERIT_ONLY_ACE != 0 {
			continue
		}
		if entry.Header.AceType != windows.ACCESS_ALLOWED_ACE_TYPE {
			return &TrustError{Path: path, Rule: RuleWritable, Detail: "access list entry of an unknown kind"}
		}
		sid := (*windows.SID)(unsafe.Pointer(&entry.SidStart))
		if entry.Mask&rights != 0 && !isTrusted(sid) {
			return &TrustError{Path: path, Rule: RuleWritable, Detail: "by " + sid.String()}
		}
	}
	return nil
}

// trustedSIDs are the user who runs this, and the system's own identities: what
// they can change, they could change by other ways too.
func trustedSIDs() ([]*windows.SID, error) {
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return nil, os.NewSyscallError("GetTokenInformation", err)
	}
	sids := []*windows.SID{user.User.Sid}
	for _, kind := range []windows.WELL_KNOWN_SID_TYPE{windows.WinLocalSystemSid, windows.WinBuiltinAdministratorsSid} {
		sid, err := windows.CreateWellKnownSid(kind)
		if err != nil {
			return nil, os.NewSyscallError("CreateWellKnownSid", err)
		}
		sids = append(sids, sid)
	}
	installer, err := windows.StringToSid("S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464")
	if err != nil {
		return nil, os.NewSyscallError("ConvertStringSidToSid", err)
	}
	return append(sids, installer), nil
}
