package main

import "github.com/spf13/cobra"

// clipCommands are none: CLIP knows no Windows.
func clipCommands(*app) []*cobra.Command { return nil }
