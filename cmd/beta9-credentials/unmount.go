//go:build unix

package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"
)

func newUnmountCommand(a *app) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "unmount DIR",
		Short: "Unmount an image",
		Long: `unmount takes a mounted image off its folder, and returns when the process that served it has
removed what it had made. A folder on which something else is mounted is left alone.`,
		Example: "  beta9-credentials unmount /mnt/app",
		Args:    exactly(1, "a folder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := filepath.Abs(args[0])
			if err != nil {
				return err
			}
			if err := isMounted(dir); err != nil {
				return err
			}
			if err := unmount(dir, force); err != nil {
				return err
			}
			// By force it may be served for as long as something uses it.
			if !force && awaitLeft(cmd.Context(), dir) != nil {
				a.hint("a process that has served an image there has not ended yet: it still has files to remove, or its image was unmounted by force and is still in use")
			}
			fmt.Fprintf(a.stdout, "Unmounted %s.\n", dir)
			return nil
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "unmount although something uses it: it goes away from the folder at once, and altogether when that ends")
	return cmd
}
