package registrytest

import (
	"crypto/tls"
	"errors"
	"net/http"
	"time"
)

// Auth is how a registry asks who is there.
type Auth int

const (
	Open   Auth = iota // it does not ask
	Basic              // RFC 7617 on every request
	Bearer             // a scoped token of the registry's own token server, as Docker's distribution spells it
)

// Software is the program behind the registry's address.
type Software int

const (
	// InProcess is go-containerregistry's registry, in memory, behind this package's own access control.
	InProcess Software = iota
	// Distribution is a docker-registry process, which controls access itself: htpasswd for Basic, signed tokens for Bearer. A
	// proxy in front of it keeps the record, refuses and does TLS.
	Distribution
)

// Options describe a registry. The zero value is an open one, in memory, on a port of the loopback interface.
type Options struct {
	Software Software
	Auth     Auth

	// Listen holds the addresses (host:port) that lead to the registry. Default: 127.0.0.1:0.
	Listen []string
	// Name is the host[:port] under which clients know the registry; it stands in the realm of its challenges. Default:
	// the first of Listen, with localhost for an address of the loopback interface (crane refuses a realm on such an
	// address) and without the port that the scheme implies.
	Name string
	// TokenListen holds the addresses of the token server. Default: the registry's own.
	TokenListen []string
	// TokenName is for the token server what Name is for the registry.
	TokenName string
	// TLS makes it serve HTTPS; plain HTTP when nil. The configuration is used for every address.
	TLS *tls.Config

	// Accounts holds the password of each user name.
	Accounts map[string]string
	// Verify tells whether a password that Accounts does not hold is good now, as for users whose passwords some other
	// service makes. Nil when there are none. InProcess only.
	Verify func(user, password string) bool
	// Handle answers, by their path, requests that are not a registry's, such as the exchange of tokens that the registries
	// of a cloud have at their own address.
	Handle map[string]http.Handler
	// Reach limits an account to some repositories, each meant with everything below it. An account without an entry
	// reaches them all.
	Reach map[string][]string
	// Public holds the repositories, each meant with everything below it, that can be pulled without credentials.
	Public []string
	// IdentityTokens holds the account that each identity token stands for: what a client stores under the user name
	// "<token>". Bearer only.
	IdentityTokens map[string]string
	// OfferIdentityTokens makes a login at the token server yield an identity token in place of the password. Bearer only.
	OfferIdentityTokens bool

	// TokenLifetime is how long an access token is good for. Default: 5 minutes.
	TokenLifetime time.Duration
	// Now is the clock by which tokens are issued and expire. Default: time.Now. InProcess only.
	Now func() time.Time
}

// defaultTokenLifetime is what the public registries' token servers use, Docker Hub's among them.
const defaultTokenLifetime = 5 * time.Minute

func (o Options) check() error {
	if o.Auth != Bearer && (len(o.IdentityTokens) > 0 || o.OfferIdentityTokens || len(o.TokenListen) > 0) {
		return errors.New("options of a token server without Auth: Bearer")
	}
	for _, user := range o.IdentityTokens {
		if _, ok := o.Accounts[user]; !ok {
			return errors.New("identity token of no account: " + user)
		}
	}
	if o.Software == Distribution {
		if o.Now != nil {
			return errors.New("docker-registry goes by the machine's clock: Now is for InProcess")
		}
		if o.Verify != nil {
			return errors.New("docker-registry knows its accounts: Verify is for InProcess")
		}
		if o.Auth == Basic && (len(o.Public) > 0 || len(o.Reach) > 0) {
			return errors.New("docker-registry's Basic knows no repositories: Public and Reach are for Bearer or InProcess")
		}
	}
	return nil
}
