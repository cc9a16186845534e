package file

import (
	"io/fs"
	"os"
)

// The access lists of the user's profile do on Windows what owner and mode do elsewhere, and package os shows neither.

func foreign(fs.FileInfo) bool { return false }

func loose(fs.FileInfo) bool { return false }

func links(fs.FileInfo) uint64 { return 1 }

func giveTo(*os.File, fs.FileInfo) error { return nil }
