package cases

import (
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/beam-cloud/docker-credential-beta9/internal/needs"
)

// surroundings makes, in a new network, an interface that every packet may leave by and that nobody reads, says that it is
// done, and keeps the network alive until its standard input ends.
const surroundings = `set -e
ip link set lo up
ip tuntap add dev silent mode tun
ip link set silent up
ip address add 192.0.2.1/24 dev silent
ip route add default dev silent
echo done
cat`

// quiet makes a network that swallows whatever is sent, and returns the program and the arguments that run another program
// in it. The case ends, for what is missing, where none can be made.
func (s *scene) quiet() (path string, args []string) {
	for _, tool := range []string{"ip", "unshare", "nsenter"} {
		needs.Tool(s.stage, tool)
	}
	needs.Namespaces(s.stage)
	flags, enter := "-n", "-n"
	if os.Geteuid() != 0 {
		flags, enter = "-rn", "-Un --preserve-credentials"
	}
	cmd := exec.CommandContext(s.ctx, must(needs.Find("unshare"))(s.stage), flags, "sh", "-c", surroundings)
	keep := must(cmd.StdinPipe())(s.stage)
	out := must(cmd.StdoutPipe())(s.stage)
	var said strings.Builder
	cmd.Stderr = &said
	s.do(cmd.Start())
	s.Cleanup(func() {
		keep.Close()
		cmd.Wait()
	})
	line := make([]byte, len("done\n"))
	if _, err := io.ReadFull(out, line); err != nil {
		s.Skipf("no silent network (%s): run as root, or give the container --device /dev/net/tun", strings.TrimSpace(said.String()))
	}
	return must(needs.Find("nsenter"))(s.stage), append([]string{"-t", strconv.Itoa(cmd.Process.Pid)}, append(strings.Fields(enter), "--")...)
}
