package secretstest

import (
	"testing"

	"github.com/jackc/pgx/v5"
)

// TestServerOfSomebodyElse makes databases on a server that was there before, and leaves none behind.
func TestServerOfSomebodyElse(t *testing.T) {
	cluster := NewCluster(t)
	t.Setenv(serverVariable, cluster.Address("postgres"))
	t.Run("a test", func(t *testing.T) {
		first, second := Postgres(t), Postgres(t)
		if first == second {
			t.Fatal("two tests share a database")
		}
		for _, address := range []string{first, second} {
			Execute(t, address, "CREATE TABLE x ()")
		}
	})
	conn := must(pgx.Connect(t.Context(), cluster.Address("postgres")))(t)
	defer conn.Close(t.Context())
	var left int
	do(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_database WHERE datname LIKE 'beta9\\_test%'").Scan(&left))
	if left != 0 {
		t.Errorf("%d databases are left", left)
	}
	if shared.cluster != nil {
		t.Error("a server was started though there is one")
	}
}
