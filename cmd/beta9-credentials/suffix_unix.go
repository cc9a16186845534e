//go:build unix

package main

// executableSuffix ends the file names of programs.
const executableSuffix = ""
