package ecr

import (
	"errors"
	"net"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest"
	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest/aws"
)

func TestOnEC2(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		files map[string]string
		want  truth
	}{
		"Nitro":     {map[string]string{"sys_vendor": "Amazon EC2\n", "bios_version": "1.0\n"}, yes},
		"Xen":       {map[string]string{"sys_vendor": "Xen\n", "bios_version": "4.11.amazon\n"}, yes},
		"elsewhere": {map[string]string{"sys_vendor": "QEMU\n", "bios_version": "1.16\n"}, no},
		"Google":    {map[string]string{"sys_vendor": "Google\n"}, no},
		"nothing":   {nil, unsure},
		"empty":     {map[string]string{"sys_vendor": ""}, unsure},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for file, content := range test.files {
				w.write("sys/class/dmi/id/"+file, content)
			}
			if got := onEC2(w.home); got != test.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestWhereTheInstancesServiceIs(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		endpoint, mode, want string
		configured           bool
	}{
		{"", "", "http://169.254.169.254", false},
		{"", "ipv4", "http://169.254.169.254", false},
		{"", "IPv6", "http://[fd00:ec2::254]", true},
		{"http://[fd00:ec2::254]/", "IPv4", "http://[fd00:ec2::254]", true},
		{"http://mock.example.com:1338", "", "http://mock.example.com:1338", true},
	} {
		w := newWorld(t)
		w.set("AWS_EC2_METADATA_SERVICE_ENDPOINT", test.endpoint, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", test.mode)
		got, configured, err := (&chain{machine: w.machine(nil)}).instanceURL()
		if err != nil || got != test.want || configured != test.configured {
			t.Errorf("%q in mode %q: got %q, %v, %v", test.endpoint, test.mode, got, configured, err)
		}
	}
}

// probe asks a metadata service at an address that nobody has named.
func (w *world) probe(endpoint string, certain bool) error {
	c := &chain{machine: w.machine(nil), registry: registry(w.t, plainHost), system: w.home}
	a := w.ambient(nil)
	reach := a.reach(plan{})
	defer reach.close()
	_, err := c.instanceAt(endpoint, certain).keys(w.t.Context(), reach)
	return err
}

// Where nothing says that this is an instance, whatever is wrong means that it is none. One attempt is made.
func TestAMachineThatMayBeNoInstance(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]cloudtest.Fault{
		"hangs": cloudtest.Hang(), "garbage": cloudtest.Garbage(canary), "another cloud's": cloudtest.Status(400, canary),
		"out of order": cloudtest.Status(500, canary), "throttles": cloudtest.Throttle(10),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.cloud.Gate.Order(aws.Instance, fault)
			if err := w.probe(w.near(), false); !errors.Is(err, helpers.ErrNoAnswer) {
				t.Errorf("got %v", err)
			}
			if n := w.cloud.Gate.Count(aws.Instance); n != 1 {
				t.Errorf("%d calls", n)
			}
		})
	}
	w := newWorld(t)
	if err := w.probe("http://"+nobody(t), false); !errors.Is(err, helpers.ErrNoAnswer) {
		t.Errorf("refused: got %v", err)
	}
	// It is there, and has no role: that is an answer.
	for _, certain := range []bool{true, false} {
		if err := w.probe(w.near(), certain); !helpers.IsNotFound(err) || errors.Is(err, helpers.ErrNoAnswer) {
			t.Errorf("without a role: got %v, no answer %v", err, errors.Is(err, helpers.ErrNoAnswer))
		}
	}
	wants(t, w.probe("http://"+nobody(t), true), helpers.Unreachable)
	w.cloud.InstanceRole = "node"
	wants(t, w.probe(w.near(), false), "")
}

// The keys of an instance's role are neither asked for through a proxy nor with version 1 of the service.
func TestTheInstancesServiceIsAskedDirectly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.cloud.InstanceRole = "node"
	s := httptest.NewServer(w.cloud)
	t.Cleanup(s.Close)
	w.set("HTTP_PROXY", w.env["HTTPS_PROXY"], "http_proxy", w.env["HTTPS_PROXY"], "NO_PROXY", "")
	w.set("AWS_EC2_METADATA_DISABLED", "", "AWS_EC2_METADATA_SERVICE_ENDPOINT", s.URL)
	_, err := w.ambient(nil).Token(t.Context(), registry(t, plainHost))
	wants(t, err, "")
	if n := w.cloud.Gate.Count(aws.Instance); n != 3 {
		t.Errorf("%d calls", n)
	}
	for _, host := range w.called() {
		if strings.HasPrefix(host, "127.") {
			t.Errorf("the proxy was asked for %s", host)
		}
	}
}

// nobody returns an address at which nobody listens.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
