package serve

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/cache"
	"github.com/beam-cloud/docker-credential-beta9/internal/folders"
	"github.com/beam-cloud/docker-credential-beta9/internal/interrupt"
)

const (
	// FDVariable, FileVariable and SocketVariable say where material is read from, and then from nowhere else.
	FDVariable     = "BETA9_CREDENTIAL_FD"
	FileVariable   = "BETA9_CREDENTIAL_FILE"
	SocketVariable = "BETA9_CREDENTIAL_SOCKET"
	// AmbientVariable forbids with "off" the machine's own identity.
	AmbientVariable = "BETA9_CREDENTIAL_AMBIENT"
	// MapVariable names the map file, in the place of registries.json in the folder of the configuration.
	MapVariable = "BETA9_CREDENTIAL_REGISTRIES"

	// maxFile is the largest map file and the largest file with material that is read, in bytes. Material larger than
	// 2 MiB is refused by its parser; a map of ten thousand entries has 1 MiB.
	maxFile = 2<<20 + 1
)

// credential looks at the sources in their order. The first that has something decides: its failure is the outcome, and
// the next source is not asked in its place.
func (c *call) credential(ctx context.Context, m *helpers.Map, r helpers.Registry) (helpers.Credential, error) {
	if source := c.explicit(); source != nil {
		material, err := source.Material(ctx, r)
		if err != nil {
			return helpers.Credential{}, err
		}
		return c.exchange(ctx, m, r, material, "material")
	}
	credential, err := c.stored(ctx, m, r)
	if !helpers.IsNotFound(err) {
		return credential, err
	}
	if !c.ambientReadsKeys() {
		material, err := c.fromEnvironment(ctx, r)
		if err == nil {
			return c.exchange(ctx, m, r, material, "environment")
		}
		if !helpers.IsNotFound(err) {
			return helpers.Credential{}, err
		}
	}
	return c.ambient(ctx, m, r)
}

// stored uses what a client gave to be stored for this registry.
func (c *call) stored(ctx context.Context, m *helpers.Map, r helpers.Registry) (helpers.Credential, error) {
	l, err := c.logins().Get(ctx, c.kind.Type, r)
	if err != nil {
		if _, nowhere := errors.AsType[*folders.Error](err); nowhere || helpers.IsNotFound(err) {
			helpers.LeaveSource(ctx, "login", "nothing is stored for "+r.Identity())
			return helpers.Credential{}, helpers.ErrNotFound
		}
		return helpers.Credential{}, err
	}
	kept := c.kind.Keep(ctx, l, time.Now())
	switch {
	case !kept.Material.IsZero():
		return c.exchange(ctx, m, r, kept.Material, "login")
	case !kept.Credential.IsZero():
		helpers.TakeSource(ctx, "login")
		return kept.Credential.WithSource("login"), nil
	}
	helpers.LeaveSource(ctx, "login", "what is stored for "+r.Identity()+" is no longer valid")
	return helpers.Credential{}, helpers.ErrNotFound
}

// fromEnvironment takes the type's keys from the environment, or from the files that it names.
func (c *call) fromEnvironment(ctx context.Context, r helpers.Registry) (helpers.Material, error) {
	t, _ := helpers.TypeNamed(c.kind.Type)
	var unread error
	material, err := t.FromEnvironment(r, func(key string) string {
		if v := c.process.Getenv(key); v != "" {
			return v
		}
		for _, k := range t.Keys {
			if k.Secret != key || k.File == "" || c.process.Getenv(k.File) == "" {
				continue
			}
			value, err := readSecretFile(c.process.Getenv(k.File))
			if unread == nil {
				unread = notSecret("the file that "+k.File+" names", value, err)
			}
			return value
		}
		return ""
	})
	if unread != nil {
		return helpers.Material{}, unread
	}
	if helpers.IsNotFound(err) {
		helpers.LeaveSource(ctx, "environment", "no key of "+c.kind.Type+" is set for "+r.Identity())
		if hint := t.EnvironmentHint(r, c.process.Getenv); hint != "" {
			helpers.Hint(ctx, hint)
		}
	}
	return material, err
}

// ambient uses the machine's own identity, when the type has one and nobody forbade it.
func (c *call) ambient(ctx context.Context, m *helpers.Map, r helpers.Registry) (helpers.Credential, error) {
	if !c.mayBeAmbient() {
		if c.kind.Ambient != nil {
			helpers.LeaveSource(ctx, "machine", AmbientVariable+" is off")
		}
		return helpers.Credential{}, helpers.ErrNotFound
	}
	return c.cache().Source(c.kind.Ambient(c.machine(m))).Token(ctx, r)
}

// switches checks the settings that forbid something: one that is misspelt would be taken for leave.
func (p Process) switches() error {
	switch p.Getenv(AmbientVariable) {
	case "", "on", "off":
	default:
		return helpers.Fail(helpers.BadRequest, AmbientVariable+" is neither on nor off", "set it to on or off, or unset it")
	}
	switch p.Getenv(cache.Variable) {
	case "", "on", cache.Off, cache.Renew:
	default:
		return helpers.Fail(helpers.BadRequest, cache.Variable+" is none of on, off and renew", "set it to one of them, or unset it")
	}
	return nil
}

func (c *call) mayBeAmbient() bool {
	return c.kind.Ambient != nil && c.process.Getenv(AmbientVariable) != "off"
}

func (c *call) ambientReadsKeys() bool { return c.kind.AmbientReadsKeys && c.mayBeAmbient() }

func (c *call) machine(m *helpers.Map) helpers.Machine {
	return helpers.Machine{Getenv: c.process.Getenv, Environ: c.process.Environ, Map: m, Interruptible: interrupt.Context}
}

func (c *call) cache() *cache.Cache {
	return cache.Open(c.kind.Type, c.process.Getenv, time.Now).Sharing(&c.keys)
}

// exchange makes a credential out of material, or takes the one that was made of it before.
func (c *call) exchange(ctx context.Context, m *helpers.Map, r helpers.Registry, material helpers.Material, source string) (helpers.Credential, error) {
	helpers.TakeSource(ctx, source)
	var from helpers.TokenSource = exchanged{c.kind, c.machine(m), material}
	if c.kind.Share != nil {
		from = c.cache().Source(exchanged{c.kind, c.machine(m), material})
	}
	credential, err := from.Token(ctx, r)
	return credential.WithSource(source), err
}

// exchanged yields the credentials that one material makes.
type exchanged struct {
	kind     Kind
	machine  helpers.Machine
	material helpers.Material
}

// Token makes a credential.
func (e exchanged) Token(ctx context.Context, r helpers.Registry) (helpers.Credential, error) {
	return e.kind.Exchanger(e.machine).Exchange(ctx, r, e.material)
}

// Key returns what the tokens of the material may be shared by. Material that may not be used for the registry shares
// nothing: the exchanger will refuse it.
func (e exchanged) Key(_ context.Context, r helpers.Registry) (helpers.Key, error) {
	if e.material.Bound(e.kind.Type, r) != nil {
		return helpers.Key{}, nil
	}
	return e.kind.Share(e.machine.Map, r, e.material), nil
}

// forget drops the cached tokens for a registry: those of every source that has something for it, so that whichever
// answers next makes a new one.
func (c *call) forget(ctx context.Context, m *helpers.Map, r helpers.Registry, stored helpers.Material) error {
	if c.kind.Share == nil {
		return nil
	}
	sources := []helpers.Keyed{}
	if !stored.IsZero() {
		sources = append(sources, exchanged{c.kind, c.machine(m), stored})
	}
	if source := c.explicit(); source != nil {
		if material, err := source.Material(ctx, r); err == nil {
			sources = append(sources, exchanged{c.kind, c.machine(m), material})
		}
	} else {
		if material, err := c.fromEnvironment(ctx, r); err == nil {
			sources = append(sources, exchanged{c.kind, c.machine(m), material})
		}
		if c.mayBeAmbient() {
			sources = append(sources, c.kind.Ambient(c.machine(m)))
		}
	}
	for _, source := range sources {
		key, err := source.Key(ctx, r)
		if err != nil {
			continue // a source that cannot tell what it would ask for has nothing in the cache
		}
		if err := c.cache().Forget(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// notSecret says why what was read from a file cannot be the secret that somebody put there, or nil.
func notSecret(file, value string, err error) error {
	switch {
	case err != nil:
		return &helpers.Failure{Reason: helpers.BadMaterial, Cause: err, Text: file + " cannot be read",
			Hint: "check its path and its permissions"}
	case value == "":
		return helpers.Fail(helpers.BadMaterial, file+" is empty", "write the secret into it, or unset the variable")
	case len(value) > helpers.MaxSecret:
		return helpers.Fail(helpers.BadMaterial, file+" is larger than 1 MiB", "name a file that holds nothing but the secret")
	}
	return nil
}

// readSecretFile reads a secret as people write it to a file: with or without a newline at its end.
func readSecretFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	const lineEnds = 16 // more than an editor leaves
	data, err := io.ReadAll(io.LimitReader(f, helpers.MaxSecret+lineEnds))
	for len(data) > 0 && (data[len(data)-1] == '\n' || data[len(data)-1] == '\r') {
		data = data[:len(data)-1]
	}
	return string(data), err
}
