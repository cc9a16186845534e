package secrets

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// maxNesting is how many JSON strings are unpacked: one for a client that encoded the blob twice, one for credentials
// that are a string themselves, and one to spare.
const maxNesting = 3

// ParseBlob reads what a secret holds, in each of the forms that are in use:
//
//	{"version":1,"registry":"ghcr.io","type":"ghcr","credentials":{"GITHUB_TOKEN":"..."}}   version may be absent
//	{"GITHUB_TOKEN":"..."}                                                                  for a known registry
//	user:password                                                                           for a known registry
//
// and the same inside a JSON string, or with credentials as a JSON string. r is the registry that is known from where
// the blob lay; for the zero Registry only the first form counts. Material that is bound to another registry than r is
// refused, and so are keys beside which another registry is named, and everything else; nothing is taken for a password by
// guess. [helpers.Material.AppendBlob] writes the first form.
//
// The error is a [*helpers.Failure] with [helpers.BadMaterial] or [helpers.WrongHost]; it never quotes the blob.
func ParseBlob(data []byte, r helpers.Registry) (helpers.Material, error) {
	m, err := parseBlob(bytes.TrimSpace(data), r, maxNesting)
	if err != nil {
		return helpers.Material{}, err
	}
	if !r.IsZero() && m.Registry().Identity() != r.Identity() {
		return helpers.Material{}, helpers.Fail(helpers.WrongHost, "the secret is bound to another registry than "+r.Identity(), "")
	}
	return m, storable(m)
}

func parseBlob(data []byte, r helpers.Registry, nesting int) (helpers.Material, error) {
	switch {
	case len(data) == 0:
		return helpers.Material{}, badBlob("is empty")
	case data[0] == '{':
		return parseObject(data, r, nesting)
	case data[0] == '"':
		inner, ok := unpack(data)
		if !ok || nesting == 0 {
			return helpers.Material{}, badBlob("is not JSON that can be understood")
		}
		return parseBlob(inner, r, nesting-1)
	}
	return parsePair(string(data), r)
}

// parseObject brings the object into the form that helpers.ParseMaterial reads, which is where it is checked that no
// field is there twice and that every value is a string.
func parseObject(data []byte, r helpers.Registry, nesting int) (helpers.Material, error) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(data, &fields) != nil {
		return helpers.Material{}, badBlob("is not a JSON object")
	}
	credentials, structured := fields["credentials"]
	if !structured {
		return parseFlat(data, fields, r)
	}
	if inner, ok := unpack(credentials); ok && nesting > 0 {
		if !json.Valid(inner) { // it could go on after the credentials
			return helpers.Material{}, badBlob("has credentials that cannot be understood")
		}
		// A field of the same name or text that is replaced in its stead makes what follows refuse the blob.
		return parseObject(bytes.Replace(data, credentials, inner, 1), r, nesting-1)
	}
	if _, ok := fields["version"]; !ok {
		data = append([]byte(`{"version":1,`), data[1:]...)
	}
	return helpers.ParseMaterial(data)
}

// parseFlat reads an object whose fields are keys. Keys that the type does not know are left out: what people have is often
// their whole environment.
func parseFlat(data []byte, fields map[string]json.RawMessage, r helpers.Registry) (helpers.Material, error) {
	t, err := known(r)
	if err != nil {
		return helpers.Material{}, err
	}
	head, err := json.Marshal(map[string]any{"version": 1, "registry": r.Identity(), "type": t.Name})
	if err != nil {
		return helpers.Material{}, badBlob("cannot be written as JSON")
	}
	head = append(bytes.TrimSuffix(head, []byte("}")), `,"credentials":`...)
	m, err := helpers.ParseMaterial(append(append(head, data...), '}'))
	if err != nil {
		return m, err
	}
	for _, name := range [...]string{"version", "registry", "type", "scope"} {
		if _, ok := fields[name]; ok { // it may be bound to another place than r, or mean something else
			return helpers.Material{}, badBlob(`has "` + name + `" and no "credentials"`)
		}
	}
	return m, namedBeside(m, r, fields)
}

// namedBeside refuses a password beside which, in the words of an environment, another registry is named.
func namedBeside(m helpers.Material, r helpers.Registry, fields map[string]json.RawMessage) error {
	k, err := m.KeySet(m.Type(), r)
	if err != nil || len(fields[k.HostKey]) == 0 {
		return err
	}
	var host string
	if json.Unmarshal(fields[k.HostKey], &host) == nil && host == "" {
		return nil
	}
	if named, err := helpers.ParseServerURL(host); err != nil || named.Identity() != r.Identity() {
		return helpers.Fail(helpers.WrongHost, "the secret names another registry than "+r.Identity()+" in "+k.HostKey,
			"store it for that one, or leave "+k.HostKey+" out")
	}
	return nil
}

// parsePair reads user:password. Which key each of the two goes under follows from the type of the registry; a type
// whose credential is computed has no user of its own but the few that stand for a kind of secret.
func parsePair(pair string, r helpers.Registry) (helpers.Material, error) {
	t, err := known(r)
	if err != nil {
		return helpers.Material{}, err
	}
	user, password, ok := strings.Cut(pair, ":")
	switch {
	case !ok, user == "", password == "", strings.ContainsFunc(pair, unicode.IsControl),
		strings.ContainsFunc(user, func(c rune) bool { return !unicode.IsPrint(c) }), // a byte order mark, and what nobody can type
		strings.ContainsAny(user, " []{}()<>\"'"), strings.HasPrefix(password, "//"), // other forms, and URLs
		strings.TrimLeftFunc(password, unicode.IsSpace) != password: // a line of YAML, or of a header
		return helpers.Material{}, badBlob("is in no form that is known")
	}
	values := map[string]string{}
	switch {
	case t.Name == "dockerhub":
		values["DOCKERHUB_USERNAME"], values["DOCKERHUB_PASSWORD"] = user, password
	case t.Name == "ghcr":
		values["GITHUB_USERNAME"], values["GITHUB_TOKEN"] = user, password
	case t.Name == "generic":
		values["USERNAME"], values["PASSWORD"] = user, password
	case t.Name == "acr":
		values["ACR_TOKEN_NAME"], values["ACR_TOKEN_PASSWORD"] = user, password
	case t.Name == "ngc" && user == "$oauthtoken":
		values["NGC_API_KEY"] = password
	case t.Name == "gcr" && user == "oauth2accesstoken":
		values["GCP_ACCESS_TOKEN"] = password
	case t.Name == "gcr" && user == "_json_key":
		values["GCP_SERVICE_ACCOUNT_JSON"] = password
	default:
		return helpers.Material{}, badBlob("is a user and a password, of which " + t.Name + " registries have none")
	}
	return helpers.NewMaterial(t, r, values)
}

// known returns the type of the registry that a blob lay under.
func known(r helpers.Registry) (helpers.Type, error) {
	if r.IsZero() {
		return helpers.Type{}, badBlob("does not tell which registry it is for")
	}
	return typeOf(r)
}

func typeOf(r helpers.Registry) (helpers.Type, error) {
	t, ok := helpers.Lookup(r)
	if !ok {
		return helpers.Type{}, helpers.Fail(helpers.BadMaterial, r.Identity()+" serves public images only", "leave the credential out")
	}
	return t, nil
}

// unpack returns the text inside a JSON string. A text with the character that encoding/json puts in the place of what
// is not UTF-8 is none: it may be another one than was written.
func unpack(data []byte) ([]byte, bool) {
	var inner *string
	if json.Unmarshal(data, &inner) != nil || inner == nil || strings.ContainsRune(*inner, utf8.RuneError) {
		return nil, false
	}
	return bytes.TrimSpace([]byte(*inner)), true
}

// storable checks that the material can work away from the machine it comes from.
func storable(m helpers.Material) error {
	if m.IsZero() {
		return badBlob("is empty")
	}
	t, err := typeOf(m.Registry())
	if err != nil {
		return err
	}
	if m.Type() != t.Name && t.Name != "generic" { // what is generic to the table can be pinned to a type by a user
		return helpers.Fail(helpers.BadMaterial, "the material of "+m.Registry().Identity()+" is not of its type, "+t.Name, "")
	}
	own, _ := helpers.TypeNamed(m.Type()) // known: material is of known types only
	for _, k := range own.Keys {
		if v := m.Value(k.Secret); k.Bound && v != "" && !isContent(v) {
			return namesFile(k.Secret)
		}
	}
	_, err = m.KeySet(m.Type(), m.Registry())
	return err
}

// readable returns the material as it will be read again, and refuses what will not be: it would be lost the moment it
// was stored.
func readable(m helpers.Material) (helpers.Material, error) {
	if err := storable(m); err != nil {
		return m, err
	}
	blob, err := m.AppendBlob(nil)
	if err != nil {
		return m, err
	}
	defer clear(blob)
	read, err := helpers.ParseMaterial(blob)
	if err != nil {
		return m, err
	}
	if read.Fingerprint() != m.Fingerprint() {
		return m, helpers.Fail(helpers.BadMaterial, "the material would not be read as it is written", "")
	}
	return read, storable(read)
}

// isContent tells the content of a credential's file from its path, for the key that stands for either.
func isContent(value string) bool { return strings.HasPrefix(strings.TrimSpace(value), "{") }

func namesFile(key string) error {
	return helpers.Fail(helpers.BadMaterial, key+" names a file, which is not there where the secret is used", "give what is in the file")
}

func badBlob(what string) error {
	return helpers.Fail(helpers.BadMaterial, "the secret "+what, `store it again, as {"KEY":"VALUE",...}`)
}
