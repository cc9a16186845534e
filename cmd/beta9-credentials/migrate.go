package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/beam-cloud/docker-credential-beta9/secrets/beta9"
	"github.com/beam-cloud/docker-credential-beta9/secrets/postgres"
)

func newMigrateCommand(a *app) *cobra.Command {
	var flag storeFlag
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Make the tables of a store, or bring them up to date",
		Long: `migrate makes the tables of a store, or brings those of an older release up to date. Several
may run at the same time; what is up to date is left alone. A store in a file does this
by itself whenever it is opened.

In Beta9's database it makes tables whose names start with cred_beta9_, and the columns
credential_secret_name and credential_secret_id of an image where they are missing. All
else there stays as it is.

` + aboutStores,
		Example: "  " + storeVariable + "=postgres://secrets@db.example/secrets beta9-credentials migrate",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			at, err := a.address(flag)
			if err != nil {
				return err
			}
			switch at.kind {
			case "postgres":
				err = postgres.Migrate(cmd.Context(), at.at)
			case "beta9":
				err = beta9.Migrate(cmd.Context(), at.at)
			default:
				var s workspaceStore
				if s, err = a.open(cmd.Context(), flag); err == nil {
					err = s.Close()
				}
			}
			if err == nil {
				fmt.Fprintln(a.stdout, "The tables of the store are there, and up to date.")
			}
			return flag.typed(err)
		},
	}
	flag.add(cmd)
	return cmd
}
