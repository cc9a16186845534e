// Package acr makes credentials for Azure Container Registry.
//
// An application's secret or certificate, a federated token, or the machine's managed identity gets a token from
// Microsoft Entra that is good for registries only, and the registry itself exchanges that for its own token, which lives
// for about three hours. The authority follows from the registry's host; both calls go to hosts that match the table of
// types, label by label, so that a look-alike never sees a token. A registry's own token (its name and password, in
// Azure's words) needs no exchange.
package acr

import (
	"context"
	"strings"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/helpers/upstream"
)

const (
	typ = "acr"
	// username is what the registries ask for beside their own token.
	username = "00000000-0000-0000-0000-000000000000"

	tenantKey      = "AZURE_TENANT_ID"
	clientKey      = "AZURE_CLIENT_ID"
	secretKey      = "AZURE_CLIENT_SECRET"
	certificateKey = "AZURE_CLIENT_CERTIFICATE"
	tokenNameKey   = "ACR_TOKEN_NAME"
	tokenKey       = "ACR_TOKEN_PASSWORD"
)

// Exchanger is the [helpers.Exchanger] of Azure Container Registry. [New] makes one. It is safe for concurrent use.
type Exchanger struct{ service *service }

// New returns an exchanger that takes proxies and certificates from the machine's environment, see [upstream.Options],
// and nothing else of the machine.
func New(m helpers.Machine) helpers.Exchanger {
	return &Exchanger{&service{client: upstream.New(upstream.Options{Getenv: m.Getenv}), now: time.Now}}
}

// Exchange makes a registry's token. A token name with its password is handed on as it is. The error is a
// [*helpers.Failure]; it never quotes the material or an answer.
func (e *Exchanger) Exchange(ctx context.Context, r helpers.Registry, m helpers.Material) (helpers.Credential, error) {
	k, err := m.KeySet(typ, r)
	if err != nil {
		return helpers.Credential{}, err
	}
	c, err := cloudOf(r)
	if err != nil {
		return helpers.Credential{}, err
	}
	if k.Secret == tokenKey {
		return helpers.NewCredential(m.Value(tokenNameKey), m.Value(tokenKey), time.Time{}), nil
	}
	app := application{tenant: m.Value(tenantKey), client: m.Value(clientKey), authority: c.authority}
	switch k.Secret {
	case secretKey:
		app.proof = secret(m.Value(secretKey))
	case certificateKey:
		if app.proof, err = parseCertificate(m.Value(certificateKey)); err != nil {
			return helpers.Credential{}, err
		}
	}
	return e.service.exchange(ctx, r, &app)
}

// Share returns what tokens made of the material may be shared by. A token is for one registry; a token name with its
// password is not shared, since it costs nothing.
func Share(_ *helpers.Map, r helpers.Registry, m helpers.Material) helpers.Key {
	k, err := m.KeySet(typ, r)
	if err != nil || k.Secret == tokenKey {
		return helpers.Key{}
	}
	print := helpers.Digest("material", r.Identity(), m.Value(tenantKey), m.Value(clientKey), k.Secret, m.Value(k.Secret))
	return helpers.Key{Token: print, Origin: print}
}

// A cloud is one of Azure's, which share nothing.
type cloud struct{ label, authority string }

// clouds are told apart by the last label of a registry's host. The scope is the same in all of them; that it is in the
// clouds of China and of the US government rests on Azure's own command line, and could not be tried.
var clouds = [...]cloud{
	{"io", "https://login.microsoftonline.com"},
	{"cn", "https://login.chinacloudapi.cn"},
	{"us", "https://login.microsoftonline.us"},
}

// cloudOf returns the cloud of a registry. A host that is not one of the table of types is refused, whatever a user has
// pinned: a token of Entra's would be sent to it.
func cloudOf(r helpers.Registry) (cloud, error) {
	if t, ok := helpers.Lookup(r); ok && t.Name == typ {
		last := r.Host()[strings.LastIndexByte(r.Host(), '.')+1:] // the table has looked at the other labels
		for _, c := range clouds {
			if c.label == last {
				return c, nil
			}
		}
	}
	return cloud{}, helpers.Fail(helpers.WrongHost, r.Identity()+" is not a registry of Azure's", "")
}
