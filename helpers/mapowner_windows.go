package helpers

import "io/fs"

// noWait is nothing: a pipe is opened at once here.
const noWait = 0

func distrust(fs.FileInfo) string { return "" }
