package secretstest

import (
	"database/sql"
	"testing"
)

// Rows reaches the records of a store that keeps them in the table cred_secret, through the database/sql driver of this
// name.
type Rows string

// Load returns a record.
func (driver Rows) Load(t testing.TB, address, workspace, name string) (record []byte) {
	t.Helper()
	db := must(sql.Open(string(driver), address))(t)
	defer db.Close()
	do(t, db.QueryRow(`SELECT sealed FROM cred_secret WHERE workspace = $1 AND name = $2`, workspace, name).Scan(&record))
	return record
}

// Save puts a record in the place of another.
func (driver Rows) Save(t testing.TB, address, workspace, name string, record []byte) {
	t.Helper()
	driver.update(t, address, "sealed = $3", workspace, name, record)
}

// Change changes what stands beside a record.
func (driver Rows) Change(t testing.TB, address, workspace, name, assignments string) {
	t.Helper()
	driver.update(t, address, assignments, workspace, name)
}

func (driver Rows) update(t testing.TB, address, assignments string, args ...any) {
	t.Helper()
	db := must(sql.Open(string(driver), address))(t)
	defer db.Close()
	_, err := db.Exec(`UPDATE cred_secret SET `+assignments+` WHERE workspace = $1 AND name = $2`, args...)
	do(t, err)
}
