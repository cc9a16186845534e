package helpers

// Kept is what a type makes of a login that a client gave to be stored: material from which credentials are made later,
// or a credential that is used as it is. When both are zero the login is of no use later and is dropped, as a token is
// whose end of life cannot be told. It prints as "[redacted]" for what it holds.
type Kept struct {
	Material   Material
	Credential Credential
}

// IsZero tells whether nothing is to be kept.
func (k Kept) IsZero() bool { return k.Material.IsZero() && k.Credential.IsZero() }
