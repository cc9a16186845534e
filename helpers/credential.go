package helpers

import "time"

// IdentityToken is the user name that marks a secret as an identity token: clients present it to the registry's token
// server as a refresh token.
const IdentityToken = "<token>"

// MaxSecret is the largest secret that is taken and handed out, in bytes. The largest real one, an ACR token, has 8 KiB.
const MaxSecret = 1 << 20

// A Credential is what leaves a helper: a user name and a secret for one registry, and until when they are valid. It
// prints as "[redacted]". A Credential is not changed after it was made and is safe for concurrent use.
type Credential struct {
	opaque
	c hidden[credential]
}

type credential struct {
	username, secret string
	expires          time.Time
	source           string
}

// NewCredential makes a credential. The zero time stands for a secret that does not expire.
func NewCredential(username, secret string, expires time.Time) Credential {
	return Credential{c: hide(credential{username: username, secret: secret, expires: expires})}
}

// WithSource returns the same credential with a note of where it comes from, such as "environment" or "login". The
// note is shown to people: it holds no secret.
func (c Credential) WithSource(source string) Credential {
	if c.IsZero() {
		return c
	}
	n := c.c.get()
	n.source = source
	return Credential{c: hide(n)}
}

// IsZero tells whether this is no credential at all.
func (c Credential) IsZero() bool { return c.c.isZero() }

// Username returns the user name; [IdentityToken] marks the secret as an identity token.
func (c Credential) Username() string { return c.c.get().username }

// Secret returns the secret.
func (c Credential) Secret() string { return c.c.get().secret }

// ExpiresAt returns the end of the credential's life, or the zero time when it has none.
func (c Credential) ExpiresAt() time.Time { return c.c.get().expires }

// Source returns where the credential comes from, or nothing when that is not known.
func (c Credential) Source() string { return c.c.get().source }

// ValidAt tells whether the credential can be used at the time.
func (c Credential) ValidAt(t time.Time) bool {
	end := c.ExpiresAt()
	return !c.IsZero() && (end.IsZero() || t.Before(end))
}
