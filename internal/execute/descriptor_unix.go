//go:build unix

package execute

import (
	"os"
	"os/exec"
)

// handDown makes r the child's descriptor 3 and returns that number.
func handDown(cmd *exec.Cmd, r *os.File) (string, error) {
	cmd.ExtraFiles = []*os.File{r}
	return "3", nil
}
