//go:build unix

package sqlite

import "io/fs"

// loose tells whether others than the owner may read or write the file.
func loose(info fs.FileInfo) bool { return info.Mode().Perm()&0o077 != 0 }
