package acr

import (
	"context"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/helpers/upstream"
)

// The names of the sources, as they are reported.
const (
	federatedSource = "AZURE_FEDERATED_TOKEN_FILE"
	serviceSource   = "IDENTITY_ENDPOINT"
	instanceSource  = "instance metadata"
)

// ambient is the machine's own identity.
type ambient struct {
	machine  helpers.Machine
	service  *service
	instance string // the address of the metadata service
	asset    string // the file that names the machine's maker
	boot     string // the file that tells one start of the machine from the next

	once  sync.Once
	found found
	err   error
}

// found is an identity and where it comes from.
type found struct {
	source string
	id     identity
	print  string
}

// Ambient returns the machine's own identity at Azure: the workload identity that AZURE_FEDERATED_TOKEN_FILE,
// AZURE_TENANT_ID and AZURE_CLIENT_ID describe (with AZURE_AUTHORITY_HOST, if it is set), else the managed identity of
// App Service and Container Apps (IDENTITY_ENDPOINT, IDENTITY_HEADER), else that of the virtual machine; AZURE_CLIENT_ID
// chooses among several. The first that is configured decides. What configures it is read once: the value is for one
// call of a helper. The secret or certificate of an application is material of the type's keys, and not looked at here.
//
// Key opens no socket. A key is for one registry, since each makes its own tokens.
func Ambient(m helpers.Machine) helpers.Keyed {
	return &ambient{machine: m, instance: instanceURL, asset: assetFile, boot: bootFile, service: &service{
		client: upstream.New(upstream.Options{Getenv: m.Getenv}), now: time.Now,
		near: upstream.New(upstream.Options{Getenv: m.Getenv, Direct: true, Connect: probePatience, Plain: isNear}),
	}}
}

// Token makes a registry's token. The error is [helpers.ErrNotFound] when the machine has no identity at Azure, and
// [helpers.ErrNoAnswer] when that is for want of an answer.
func (a *ambient) Token(ctx context.Context, r helpers.Registry) (helpers.Credential, error) {
	f, err := a.find(ctx, r)
	if err != nil {
		return helpers.Credential{}, err
	}
	c, err := a.service.exchange(ctx, r, f.id)
	if err != nil {
		return helpers.Credential{}, err
	}
	helpers.TakeSource(ctx, f.source)
	return c.WithSource(f.source), nil
}

// Key tells whom tokens are for without asking for one.
func (a *ambient) Key(ctx context.Context, r helpers.Registry) (helpers.Key, error) {
	f, err := a.find(ctx, r)
	if err != nil {
		return helpers.Key{}, err
	}
	return helpers.Key{Token: helpers.Digest(f.print, r.Identity()), Origin: f.print}, nil
}

func (a *ambient) find(ctx context.Context, r helpers.Registry) (found, error) {
	c, err := cloudOf(r)
	if err != nil {
		return found{}, helpers.ErrNotFound
	}
	a.once.Do(func() { a.found, a.err = a.look(ctx, c) })
	return a.found, a.err
}

// look goes through the sources in their order.
func (a *ambient) look(ctx context.Context, c cloud) (found, error) {
	getenv := a.machine.Getenv
	if path := getenv("AZURE_FEDERATED_TOKEN_FILE"); path != "" {
		return a.federated(c, path)
	}
	helpers.LeaveSource(ctx, federatedSource, "it is not set")
	m, why := detectManaged(getenv, a.instance, a.asset)
	if m == nil || m.source != serviceSource {
		if getenv("IDENTITY_ENDPOINT") == "" {
			helpers.LeaveSource(ctx, serviceSource, "it is not set")
		} else {
			helpers.LeaveSource(ctx, serviceSource, "it is there without IDENTITY_HEADER, as Azure Arc sets it, which is not supported")
		}
	}
	if m == nil {
		helpers.LeaveSource(ctx, instanceSource, why)
		return found{}, helpers.ErrNotFound
	}
	return found{m.source, m, helpers.Digest(m.source, m.address, m.client, a.bearer(m))}, nil
}

// bearer tells apart what answers at one address for several identities. App Service and Container Apps have one address
// for all of theirs, and each has its own header. What a virtual machine leaves on its disk may be started again as
// another machine, in another boot.
func (a *ambient) bearer(m *managed) string {
	if m.source == serviceSource {
		return m.header.Get(serviceHeader)
	}
	boot, _ := os.ReadFile(a.boot) // where there is none, there is none
	return string(boot)
}

// federated reads the workload identity. The token in the file is renewed all the time, and so is not part of the key.
func (a *ambient) federated(c cloud, path string) (found, error) {
	getenv := a.machine.Getenv
	app := application{tenant: getenv(tenantKey), client: getenv(clientKey), authority: c.authority}
	for _, key := range []string{tenantKey, clientKey} {
		if getenv(key) == "" {
			return found{}, helpers.Fail(helpers.BadMaterial, "AZURE_FEDERATED_TOKEN_FILE is there without "+key, "set "+key+" beside it")
		}
	}
	if host := getenv("AZURE_AUTHORITY_HOST"); host != "" {
		app.authority = strings.TrimRight(host, "/")
	}
	app.proof = tokenFile(path)
	return found{federatedSource, &app, helpers.Digest(federatedSource, path, app.authority, app.tenant, app.client)}, nil
}
