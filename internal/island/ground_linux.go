package island

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/beam-cloud/docker-credential-beta9/internal/needs"
)

// bundles are the files in which systems keep the certificates they trust. Debian, Alpine; Fedora; openSUSE.
var bundles = []string{
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/ca-bundle.pem",
}

// furnish turns the namespaces that this process woke up in into the island: it alone sees these files and this network.
func furnish(dir string, c Config) error {
	// Without this, what is mounted here would appear outside.
	if err := unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("private mounts: %w", err)
	}
	names, err := hosts(c.Names)
	if err != nil {
		return err
	}
	// Looking up any other name must not reach a resolver outside, nor one on the machine that would.
	services, resolver := "hosts: files\n", ""
	if c.Silent {
		services, resolver = "hosts: files dns\n", "nameserver "+beyond+"\n"
	}
	for path, content := range map[string]string{
		"/etc/hosts":         names,
		"/etc/nsswitch.conf": services,
		"/etc/resolv.conf":   resolver,
	} {
		own := filepath.Join(dir, filepath.Base(path))
		if err := os.WriteFile(own, []byte(content), 0o644); err != nil {
			return err
		}
		if err := cover(path, own); err != nil {
			return err
		}
	}
	for _, path := range bundles {
		if err := cover(path, filepath.Join(dir, bundleFile)); err != nil {
			return err
		}
	}
	if err := raiseLoopback(); err != nil {
		return err
	}
	if c.Silent {
		return surround()
	}
	return nil
}

// cover puts one file in the place of another, if that is there.
func cover(path, with string) error {
	switch err := unix.Mount(with, path, "", unix.MS_BIND, ""); {
	case errors.Is(err, unix.ENOENT):
		return nil
	case err != nil:
		return fmt.Errorf("in the place of %s: %w", path, err)
	}
	return nil
}

// land is where the names of an island lie: addresses for documentation (RFC 5737). Loopback addresses would do for most
// clients, but docker lets them pass without TLS, and oras refuses a token server there.
var land = netip.MustParsePrefix("203.0.113.0/24")

// hosts spells the table of names, each with an address of its own.
func hosts(names []string) (string, error) {
	var table strings.Builder
	table.WriteString("127.0.0.1 localhost\n::1 localhost\n")
	address := land.Addr()
	for _, name := range names {
		if name == "" || strings.ContainsAny(name, " \t\n#:/") {
			return "", fmt.Errorf("not a host name: %q", name)
		}
		if address = address.Next(); !land.Contains(address) {
			return "", fmt.Errorf("too many names for %s", land)
		}
		fmt.Fprintf(&table, "%s %s\n", address, name)
	}
	return table.String(), nil
}

// raiseLoopback switches on the one interface that a new network has, which is off, and gives it the land as well.
func raiseLoopback() (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("loopback interface: %w", err)
		}
	}()
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(socket, unix.SIOCGIFFLAGS, lo); err != nil {
		return err
	}
	lo.SetUint16(lo.Uint16() | unix.IFF_UP)
	if err := unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, lo); err != nil {
		return err
	}
	// With an address on this interface, everything under its mask is local.
	for _, set := range []struct {
		request uint
		value   net.IP
	}{
		{unix.SIOCSIFADDR, land.Addr().Next().AsSlice()},
		{unix.SIOCSIFNETMASK, net.IP(net.CIDRMask(land.Bits(), 32))},
	} {
		second, err := unix.NewIfreq("lo:1")
		if err != nil {
			return err
		}
		if err := second.SetInet4Addr(set.value); err != nil {
			return err
		}
		if err := unix.IoctlIfreq(socket, set.request, second); err != nil {
			return err
		}
	}
	return nil
}

// The silent network, in another range for documentation.
const (
	shore  = "192.0.2.1"  // the island's own
	beyond = "192.0.2.53" // the resolver that never answers
)

// surround adds an interface that every packet may leave by and that nobody reads.
func surround() error {
	ip, err := needs.Find("ip")
	if err != nil {
		return fmt.Errorf("silent network: %w", err)
	}
	for _, args := range []string{
		"tuntap add dev silent mode tun",
		"link set silent up",
		"address add " + shore + "/24 dev silent",
		"route add default dev silent",
	} {
		if out, err := exec.Command(ip, strings.Fields(args)...).CombinedOutput(); err != nil {
			return fmt.Errorf("silent network: ip %s: %w: %s", args, err, bytes.TrimSpace(out))
		}
	}
	return nil
}
