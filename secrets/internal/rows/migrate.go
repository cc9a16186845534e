package rows

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

// Migrate brings the tables to the state that this release needs, and notes in a table of its own how far they are.
//
// Where two processes do so at the same time and nothing keeps them apart, each migration is made by the one whose
// transaction is first; the other one finds that it cannot be made again, looks, and goes on from there.
func Migrate(ctx context.Context, db *sql.DB, dialect goose.Dialect, files fs.FS, table string) error {
	p, err := goose.NewProvider(dialect, db, files, goose.WithTableName(table), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("migrations of the store: %w", err)
	}
	for {
		before, _, err := p.GetVersions(ctx)
		if err != nil {
			return fmt.Errorf("migrating the store: %w", err)
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
