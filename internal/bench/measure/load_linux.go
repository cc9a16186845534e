package measure

import (
	"bytes"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// tick is the unit of /proc/stat: one hundredth of a second on every system that Go runs on (USER_HZ, proc(5)).
const tick = 10 * time.Millisecond

// processors reads what the processors did since the start of the machine.
func processors() (usage, bool) {
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return usage{}, false
	}
	u, ok := parseStat(data)
	if !ok {
		return usage{}, false
	}
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		var r unix.Rusage
		if err := unix.Getrusage(who, &r); err != nil {
			return usage{}, false
		}
		u.own += time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	return u, true
}

// parseStat reads the first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal. What a host took away
// from this machine counts as busy. Times of guests, which follow, are part of the first two.
func parseStat(data []byte) (usage, bool) {
	line, _, _ := bytes.Cut(data, []byte("\n"))
	fields := bytes.Fields(line)
	if len(fields) < 9 || string(fields[0]) != "cpu" {
		return usage{}, false
	}
	var u usage
	for i, field := range fields[1:9] {
		n, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return usage{}, false
		}
		d := time.Duration(n) * tick
		u.all += d
		if i != 3 && i != 4 { // idle, and idle with a disk at work
			u.busy += d
		}
	}
	return u, true
}
