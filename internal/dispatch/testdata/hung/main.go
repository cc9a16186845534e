// Command hung is a helper that never ends, and neither does the child that it starts when WITNESS names a pipe. The child
// writes its process id there and keeps the pipe open.
package main

import (
	"fmt"
	"os"
	"os/exec"
)

func main() {
	witness := os.Getenv("WITNESS")
	switch {
	case witness == "":
	case len(os.Args) == 2:
		self, err := os.Executable()
		if err != nil {
			os.Exit(2)
		}
		if exec.Command(self, os.Args[1], "child").Start() != nil {
			os.Exit(2)
		}
	default:
		pipe, err := os.OpenFile(witness, os.O_WRONLY, 0)
		if err != nil {
			os.Exit(2)
		}
		fmt.Fprintln(pipe, os.Getpid())
		defer pipe.Close()
	}
	r, w, err := os.Pipe()
	if err != nil {
		os.Exit(2)
	}
	defer w.Close()
	r.Read(make([]byte, 1))
}
