package provider

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/execute"
	"github.com/beam-cloud/docker-credential-beta9/internal/socket/listener"
)

// A BuildEnvironment is what buildah, skopeo, podman and docker need to pull the images of one build through the
// helpers: a private folder with an auth file, and a socket from which the helpers get the material. Nothing in it is
// secret: the material stays in this process until a helper of the same user asks for it. It has to be closed, best by
// a deferred call, and is safe for concurrent use.
type BuildEnvironment struct {
	provider *Provider
	folder   string
	granted  map[string]helpers.Registry // by identity: what the socket answers for
	named    map[string]string           // the helper for each key of the auth file
	socket   *listener.Listener          // nil under the policy Ambient
	unwatch  context.CancelFunc
	removing sync.Once
	removed  error
}

// BuildEnvironment makes the environment of a build that pulls the images of the references. It ends with
// [BuildEnvironment.Close], with the context, or with the provider, whatever comes first. Under the policy Isolated the
// Source is asked for the material at once, so that a build does not start without what it needs, and again each time a
// helper asks. The clients of a build ask for a whole registry: when the images of one registry need different material,
// the error says so. Nor does a build start whose helpers are missing or could have been replaced by somebody else. The
// error is a [*helpers.Failure].
func (p *Provider) BuildEnvironment(ctx context.Context, references ...string) (*BuildEnvironment, error) {
	b := &BuildEnvironment{provider: p, granted: make(map[string]helpers.Registry), named: make(map[string]string)}
	if err := b.grant(ctx, references); err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp(p.options.TempFolder, "beta9-")
	if err != nil {
		return nil, unmade(err)
	}
	b.folder = folder
	ctx, b.unwatch = context.WithCancel(ctx)
	if err := b.fill(); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	p.builds.Store(b, nil)
	context.AfterFunc(ctx, func() { _ = b.remove() })
	if p.work.ctx.Err() != nil { // closed meanwhile; Close may have missed this build
		return nil, errors.Join(gaveUp(errClosed), b.Close())
	}
	return b, nil
}

func unmade(err error) error {
	return &helpers.Failure{Reason: helpers.StoreFailed, Text: "the folder of the build environment cannot be made", Cause: err,
		Hint: "check the folder for temporary files"}
}

// grant notes the registries of the references, but for those that serve public images only.
func (b *BuildEnvironment) grant(ctx context.Context, references []string) error {
	ctx, cancel := context.WithTimeout(ctx, b.provider.options.Deadline)
	defer cancel()
	given := make(map[string]helpers.Material)
	for _, s := range references {
		ref, err := helpers.ParseReference(s)
		if err != nil {
			return err
		}
		r := ref.Registry()
		t, ok := b.provider.registries.Lookup(r)
		if !ok {
			continue
		}
		if b.provider.options.Policy == Isolated {
			m, err := b.provider.material(ctx, t, r)
			if err != nil && !helpers.IsNotFound(err) {
				return err
			}
			if other, ok := given[r.Identity()]; ok && other.Fingerprint() != m.Fingerprint() {
				return helpers.Fail(helpers.BadRequest, "the images of "+r.Identity()+" need different credentials in one build",
					"use a credential that is good for all of them")
			}
			given[r.Identity()] = m
		}
		// The clients of the build execute the helper without a look at it, and one of the same name from elsewhere on
		// PATH if there is none here.
		if err := b.provider.folder.Check(t.Name); err != nil {
			return execute.Failure(err)
		}
		b.granted[r.Identity()] = r
		b.name(t, r, s)
	}
	return nil
}

// name enters the helper of a registry into the auth file. The clients compare a key with the host as the reference spells
// it, upper case and port 443 included.
func (b *BuildEnvironment) name(t helpers.Type, r helpers.Registry, reference string) {
	keys := r.ConfigKeys()
	typed, _, _ := strings.Cut(reference, "/")
	if host, err := helpers.ParseServerURL(typed); err == nil && host.Identity() == r.Identity() {
		keys = append(keys, typed)
	}
	for _, k := range keys {
		b.named[k] = strings.TrimPrefix(t.Executable(), "docker-credential-")
	}
}

// check sees to it that nobody can put another folder in the place of this one: clients execute what an auth file names.
func (b *BuildEnvironment) check() error {
	if b.provider.options.Policy == Ambient {
		return nil
	}
	_, err := execute.OpenFolder(b.folder, execute.Options{}) // asks the same of a folder of helpers
	if err == nil {
		return nil
	}
	return &helpers.Failure{Reason: helpers.BadRequest, Cause: err,
		Text: "the folder of the build environment lies where others can replace it, or is not named by an absolute path",
		Hint: "choose a folder for temporary files that belongs to you or to root, and is sticky if others write to it"}
}

// fill makes what lies in the folder.
func (b *BuildEnvironment) fill() error {
	if err := b.check(); err != nil {
		return err
	}
	auth, err := b.authFile()
	if err != nil {
		return unmade(err)
	}
	if err := os.WriteFile(b.AuthFile(), auth, 0o600); err != nil {
		return unmade(err)
	}
	if b.provider.options.Policy == Ambient {
		return nil
	}
	settings := filepath.Join(b.configHome(), "containers", "registries.conf.d")
	if err := os.MkdirAll(settings, 0o700); err != nil {
		return unmade(err)
	}
	if err := os.WriteFile(filepath.Join(settings, "beta9.conf"), []byte(onlyAuthFiles), 0o600); err != nil {
		return unmade(err)
	}
	b.socket, err = listener.Listen(b.socketPath(), b)
	return err
}

// onlyAuthFiles is what skopeo, podman and buildah read after the machine's own registries.conf, see
// containers-registries.conf.d(5). A machine may name helpers there that they ask for every registry, before auth files.
const onlyAuthFiles = "credential-helpers = [\"containers-auth.json\"]\n"

// configHome is where the home of a build has its settings, by XDG_CONFIG_HOME and without it.
func (b *BuildEnvironment) configHome() string { return filepath.Join(b.folder, ".config") }

// nowhere is a host that cannot be (RFC 6761, section 6.4).
const nowhere = "nowhere.invalid"

// authFile is the configuration file of docker and its relatives. It names a helper for each registry and holds no
// login, nor a helper for any other registry: what is not named here is pulled anonymously. It is not left without any,
// because docker takes a file without logins and helpers for a fresh one, and looks into the machine's own key store.
func (b *BuildEnvironment) authFile() ([]byte, error) {
	if len(b.named) == 0 {
		b.named[nowhere] = "beta9-generic"
	}
	return json.MarshalIndent(map[string]any{"credHelpers": b.named}, "", "  ")
}

// AuthFile returns the path of the auth file, for --authfile. The helpers that it names are found and get the material
// only with the environment of [BuildEnvironment.Environ].
func (b *BuildEnvironment) AuthFile() string { return filepath.Join(b.folder, "config.json") }

// clients are the variables that tell docker and its relatives where credentials come from.
var clients = []string{"DOCKER_AUTH_CONFIG", "DOCKER_CONFIG", "REGISTRY_AUTH_FILE"}

// Environ returns the environment for a program of the build: that of base, as os.Environ returns it, with PATH led by
// the folder of the helpers, and with the variables that lead to the auth file in the place of those that lead
// elsewhere. Under the policy Isolated those of the helpers themselves are replaced as well, and HOME and
// XDG_CONFIG_HOME lead to the private folder: skopeo, podman and buildah fall back to auth files in there, and only a file
// in there keeps them from the helpers that the machine's registries.conf names. XDG_DATA_HOME keeps the place of a
// rootless user's images.
func (b *BuildEnvironment) Environ(base []string) []string {
	isolated := b.provider.options.Policy == Isolated
	was := make(map[string]string) // what the new values depend on
	env := slices.DeleteFunc(slices.Clone(base), func(entry string) bool {
		key, value, _ := strings.Cut(entry, "=")
		switch key {
		case "PATH", "HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME":
			was[key] = value
			return key == "PATH" || isolated && key != "XDG_DATA_HOME"
		}
		return slices.Contains(clients, key) || isolated && strings.HasPrefix(key, "BETA9_CREDENTIAL_") ||
			key == mapVariable && b.provider.options.MapFile != ""
	})
	path := b.provider.options.Folder
	if was["PATH"] != "" {
		path += string(filepath.ListSeparator) + was["PATH"]
	}
	env = append(env, "PATH="+path, "DOCKER_CONFIG="+b.folder, "REGISTRY_AUTH_FILE="+b.AuthFile())
	if file := b.provider.options.MapFile; file != "" {
		env = append(env, mapVariable+"="+file)
	}
	if !isolated {
		return env
	}
	if was["XDG_DATA_HOME"] == "" && was["HOME"] != "" {
		env = append(env, "XDG_DATA_HOME="+filepath.Join(was["HOME"], ".local", "share"))
	}
	return append(env, "HOME="+b.folder, "XDG_CONFIG_HOME="+b.configHome(), "BETA9_CREDENTIAL_SOCKET="+b.socketPath(),
		"BETA9_CREDENTIAL_AMBIENT=off", "BETA9_CREDENTIAL_CACHE=off")
}

func (b *BuildEnvironment) socketPath() string { return filepath.Join(b.folder, "s") }

// Material makes a build environment the Source of its socket: it yields what the images of the build need, and nothing for
// a part of a registry that this is not good for.
func (b *BuildEnvironment) Material(ctx context.Context, r helpers.Registry) (helpers.Material, error) {
	granted, ok := b.granted[r.Identity()]
	if !ok {
		return helpers.Material{}, helpers.ErrNotFound
	}
	t, _ := b.provider.registries.Lookup(granted) // known: grant has looked
	m, err := b.provider.material(ctx, t, granted)
	if err == nil && r.Scope() != "" && !m.Scope().Covers(r.Scope()) {
		return helpers.Material{}, helpers.ErrNotFound
	}
	return m, err
}

// Close ends the service of the socket and removes the folder with all that is in it. Programs that still run get no
// material any more.
func (b *BuildEnvironment) Close() error {
	err := b.remove()
	b.unwatch()
	return err
}

// remove does the work of Close, once.
func (b *BuildEnvironment) remove() error {
	b.removing.Do(func() {
		var errs []error
		if b.socket != nil {
			errs = append(errs, b.socket.Close())
		}
		if err := os.RemoveAll(b.folder); err != nil {
			errs = append(errs, &helpers.Failure{Reason: helpers.StoreFailed,
				Text: "the folder of the build environment cannot be removed", Cause: err})
		}
		b.provider.builds.Delete(b)
		b.removed = errors.Join(errs...)
	})
	return b.removed
}
