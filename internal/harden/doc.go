// Package harden closes a process to the other processes of the same user, and
// keeps its descriptors to itself. A command that handles secrets calls
// [Process] before anything else.
package harden
