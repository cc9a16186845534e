package ecr

import (
	"os"
	"path/filepath"
	"strings"
)

// truth is what is known about a statement.
type truth int

const (
	unsure truth = iota
	yes
	no
)

// onEC2 looks at what the firmware says of the machine. On instances of the Nitro system the maker is "Amazon EC2"; on
// those of Xen the version of the firmware ends in ".amazon". A machine that names another maker is none; where there is
// no such file, as in some sandboxes and outside of Linux, nothing is known.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/identify_ec2_instances.html
func onEC2(system string) truth {
	read := func(name string) string {
		data, err := os.ReadFile(filepath.Join(system, "sys/class/dmi/id", name))
		if err != nil {
			return ""
		}
		return strings.ToLower(string(data))
	}
	maker := read("sys_vendor")
	switch {
	case strings.Contains(maker, "amazon"), strings.Contains(read("bios_version"), "amazon"):
		return yes
	case maker != "":
		return no
	}
	return unsure
}
