package gcr

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/helpers/upstream"
)

// The names of the sources, as they are reported.
const (
	environmentSource = "GOOGLE_APPLICATION_CREDENTIALS"
	loginSource       = "application default credentials"
	metadataSource    = "metadata server"
)

// maxKeyFile is the largest file of an identity that is read, in bytes. The largest real one has 4 KiB.
const maxKeyFile = 1 << 20

// ambient is the machine's own identity.
type ambient struct {
	machine helpers.Machine
	service *service
	product string // the file that names the machine's maker
	boot    string // the file that tells one start of the machine from the next

	once  sync.Once
	found found
	err   error
}

// found is an identity and where it comes from. What a file says is read when a token is made: for a key its content is
// enough.
type found struct {
	source   string
	identity func() (identity, error)
	key      helpers.Key
}

// Ambient returns the machine's own identity at Google: the file that GOOGLE_APPLICATION_CREDENTIALS names, else the
// login that gcloud keeps as application default credentials (in CLOUDSDK_CONFIG, or its usual folder), else the metadata
// server's (at GCE_METADATA_HOST, or its usual address). The first that is configured decides. What configures it is
// read once: the value is for one call of a helper.
//
// Key opens no socket. Two keys are equal when the same file has the same content (and, where the file speaks of an
// identity at AWS, the environment the same key of AWS; where it speaks of a token in another file, that one is for the
// same subject), or when both are the metadata server's in one boot of the machine.
func Ambient(m helpers.Machine) helpers.Keyed {
	return &ambient{machine: m, product: productFile, boot: bootFile, service: &service{
		client: upstream.New(upstream.Options{Getenv: m.Getenv}), now: time.Now, getenv: m.Getenv,
		near: upstream.New(upstream.Options{Getenv: m.Getenv, Direct: true, Connect: probePatience, Plain: func(host string) bool {
			return isNear(host) || host == hostOf(m.Getenv("GCE_METADATA_HOST"))
		}}),
	}}
}

// Token makes an access token. The error is [helpers.ErrNotFound] when the machine has no identity at Google, and
// [helpers.ErrNoAnswer] when that is for want of an answer.
func (a *ambient) Token(ctx context.Context, r helpers.Registry) (helpers.Credential, error) {
	f, err := a.find(ctx, r)
	if err != nil {
		return helpers.Credential{}, err
	}
	id, err := f.identity()
	if err != nil {
		return helpers.Credential{}, err
	}
	c, err := id.token(ctx, a.service)
	if err != nil {
		return helpers.Credential{}, err
	}
	helpers.TakeSource(ctx, f.source)
	return c.WithSource(f.source), nil
}

// Key tells whom tokens are for without asking for one.
func (a *ambient) Key(ctx context.Context, r helpers.Registry) (helpers.Key, error) {
	f, err := a.find(ctx, r)
	return f.key, err
}

func (a *ambient) find(ctx context.Context, r helpers.Registry) (found, error) {
	if t, ok := a.machine.Map.Lookup(r); !ok || t.Name != typ {
		return found{}, helpers.ErrNotFound
	}
	a.once.Do(func() { a.found, a.err = a.look(ctx) })
	return a.found, a.err
}

// look goes through the sources in their order.
func (a *ambient) look(ctx context.Context) (found, error) {
	getenv := a.machine.Getenv
	if path := getenv("GOOGLE_APPLICATION_CREDENTIALS"); path != "" {
		// The variable may hold what it should name, so its value is in no message.
		return a.fromFile(environmentSource, "the file that GOOGLE_APPLICATION_CREDENTIALS names", path)
	}
	helpers.LeaveSource(ctx, environmentSource, "it is not set")
	if path, ok := loginPath(getenv); !ok {
		helpers.LeaveSource(ctx, loginSource, "there is no home directory")
	} else if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		// A home that leads through a file, such as the /dev/null of some services, is none.
		helpers.LeaveSource(ctx, loginSource, "there is no "+path)
	} else {
		return a.fromFile(loginSource, path, path)
	}
	m, why := detectMetadata(getenv, a.product)
	if m == nil {
		helpers.LeaveSource(ctx, metadataSource, why)
		return found{}, helpers.ErrNotFound
	}
	// What a machine leaves on its disk may be started again as another machine, in another boot.
	boot, _ := os.ReadFile(a.boot) // where there is none, there is none
	print := helpers.Digest(metadataSource, m.host, "default", string(boot))
	return found{metadataSource, func() (identity, error) { return m, nil }, helpers.Key{Token: print, Origin: print}}, nil
}

// fromFile finds an identity in a file.
func (a *ambient) fromFile(source, name, path string) (found, error) {
	text, err := readFile(path)
	if err != nil {
		return found{}, &helpers.Failure{Reason: helpers.BadMaterial, Text: name + " cannot be read", Cause: pathless(err),
			Hint: "give its absolute path, and check its permissions"}
	}
	read := func() (identity, error) {
		f, err := readKeyFile(name, text)
		if err != nil {
			return nil, err
		}
		return f.identity(name, 0)
	}
	parts := []string{source, string(text)}
	if bytes.Contains(text, []byte(`"environment_id"`)) {
		// Whoever has the keys of AWS in the environment is who the file speaks of.
		parts = append(parts, a.machine.Getenv("AWS_ACCESS_KEY_ID"))
	}
	if bytes.Contains(text, []byte(`"credential_source"`)) {
		if id, err := read(); err == nil {
			parts = append(parts, bearer(id)...)
		}
	}
	print := helpers.Digest(parts...)
	return found{source, read, helpers.Key{Token: print, Origin: print}}, nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxKeyFile))
}

// pathless drops the path from an error of the file system: a variable may hold what it should name.
func pathless(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// loginPath is where "gcloud auth application-default login" leaves what it got.
func loginPath(getenv func(string) string) (string, bool) {
	const file = "application_default_credentials.json"
	if folder := getenv("CLOUDSDK_CONFIG"); folder != "" {
		return filepath.Join(folder, file), true
	}
	if runtime.GOOS == "windows" {
		return filepath.Join(getenv("APPDATA"), "gcloud", file), getenv("APPDATA") != ""
	}
	return filepath.Join(getenv("HOME"), ".config", "gcloud", file), getenv("HOME") != ""
}

// hostOf drops the port, and the brackets of an IPv6 address.
func hostOf(hostport string) string {
	return (&url.URL{Host: hostport}).Hostname()
}
