package needs

import (
	"cmp"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
)

// Postgres returns the folder in which PostgreSQL's initdb and postgres lie, of the newest version when there are several.
// The server refuses to run as root.
func Postgres(t testing.TB) string {
	t.Helper()
	dir := postgresIn("/usr/lib/postgresql")
	if dir == "" {
		Missing(t, "no PostgreSQL server (initdb and postgres in one folder): run make deps, or install the package postgresql")
	}
	return dir
}

// postgresIn looks in the folders of Debian's versions below root, newest first, then where PATH finds initdb. A folder
// counts only with both programs in it: some machines have a link to one of them alone.
func postgresIn(root string) string {
	dirs, _ := filepath.Glob(filepath.Join(root, "*", "bin")) // fails only on a malformed pattern
	version := func(dir string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(dir))) // what is no number sorts last, as 0
		return n
	}
	slices.SortFunc(dirs, func(a, b string) int { return cmp.Compare(version(b), version(a)) })
	if initdb, err := exec.LookPath("initdb"); err == nil {
		dirs = append(dirs, filepath.Dir(initdb))
	}
	for _, dir := range dirs {
		_, errInit := exec.LookPath(filepath.Join(dir, "initdb"))
		_, errServer := exec.LookPath(filepath.Join(dir, "postgres"))
		if errInit == nil && errServer == nil {
			return dir
		}
	}
	return ""
}
