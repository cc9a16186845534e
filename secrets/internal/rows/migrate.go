package rows

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// Migrate brings the tables to the state that this release needs, and notes in a table of its own how far they are.
//
// Where two processes do so at the same time and nothing keeps them apart, each migration is made by the one whose
// transaction is first; the other one finds that it cannot be made again, looks, and goes on from there.
//
// Tables that a newer release has migrated are left as they are: what this one does not know of them it could damage. The
// error is then a [*helpers.Failure] with helpers.StoreFailed.
func Migrate(ctx context.Context, db *sql.DB, dialect goose.Dialect, files fs.FS, table string) error {
	p, err := goose.NewProvider(dialect, db, files, goose.WithTableName(table), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("migrations of the store: %w", err)
	}
	for {
		before, known, err := p.GetVersions(ctx)
		if err != nil {
			return fmt.Errorf("migrating the store: %w", err)
		}
		if before > known {
			return helpers.Fail(helpers.StoreFailed, fmt.Sprintf("the tables of the store are of version %d, and this release knows them up to %d", before, known),
				"use the release that migrated them, or a later one")
		}
		_, err = p.Up(ctx)
		if err == nil {
			return nil
		}
		if after, _, look := p.GetVersions(ctx); look != nil || after == before {
			return fmt.Errorf("migrating the store: %w", err)
		}
	}
}
