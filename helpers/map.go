package helpers

import (
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
)

// maxMap is the largest map file that is read, in bytes: ten thousand entries have 1 MiB.
const maxMap = 2 << 20

// A Map holds what a user has pinned in the map file (registries.json in the folder of the configuration): hosts that
// the compiled-in table cannot know, such as a GitHub Enterprise server or a name in front of an ECR registry, and
// which identity a registry is used with. The nil Map holds nothing. A Map is not changed after it was read and is
// safe for concurrent use.
//
//	{"registries": [
//	  {"host": "containers.ghe.example.com", "type": "ghcr"},
//	  {"host": "*.dkr.ecr.*.amazonaws.com", "profile": "images"},
//	  {"host": "mirror.example.com", "type": "ecr", "registry": "123456789012.dkr.ecr.us-east-1.amazonaws.com"}
//	]}
type Map struct {
	pins       []pin
	partitions []Partition
}

// pin is an entry with the host in the form in which it is compared.
type pin struct {
	Pin
	rule, port string
}

// A Pin is one entry of the map file. The first entry whose host matches a registry counts.
type Pin struct {
	// Host is a host[:port] in which an asterisk stands for one or more characters of one label.
	Host string
	// Type names the family of the host. It may be left out for a host that the compiled-in table knows, and may not
	// contradict the table.
	Type string
	// Registry is the registry that really stands behind the host.
	Registry string
	// Region, Profile, Role, ExternalID and SessionName choose the identity for an ECR registry.
	Region      string
	Profile     string
	Role        string
	ExternalID  string
	SessionName string
}

// ReadMap reads the map file at path. Since the file says which role or profile a registry is used with, it has to belong
// to root or to the effective user, and nobody but its owner may be able to write to it; on Windows the access lists of
// the folder see to that. The error is a [*Failure] with [BadMaterial].
func ReadMap(path string) (*Map, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|noWait, 0)
	if err != nil {
		return nil, unreadMap(path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, unreadMap(path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, unreadMap(path, errNoMap)
	}
	if what := distrust(info); what != "" {
		return nil, Fail(BadMaterial, "the map file "+path+" "+what,
			"let it belong to root or to you, and let nobody else write to it: chmod go-w "+path)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxMap+1))
	if err != nil {
		return nil, unreadMap(path, err)
	}
	return ParseMap(data)
}

// errNoMap is the cause for a map file that is a folder, a pipe or a device.
var errNoMap = errors.New("not a regular file")

func unreadMap(path string, err error) error {
	return &Failure{Reason: BadMaterial, Text: "the map file " + path + " cannot be read", Cause: err,
		Hint: "check its path and its permissions"}
}

// ParseMap reads a map file. The error is a [*Failure] with [BadMaterial] that names the entry at fault.
func ParseMap(data []byte) (*Map, error) {
	if len(data) > maxMap {
		return nil, badMap("is larger than 2 MiB")
	}
	file, err := parseObject(data)
	if err != nil {
		return nil, badMap(err.Error())
	}
	registries, partitions := []Pin{}, []Partition{}
	err = eachField(file, map[string]func(value) error{
		"registries": func(v value) error {
			return eachObject(v, "registries", func(o object) error { return appendPin(&registries, o) })
		},
		"partitions": func(v value) error {
			return eachObject(v, "partitions", func(o object) error { return appendPartition(&partitions, o) })
		},
	})
	if err != nil {
		return nil, err
	}
	m := &Map{}
	for _, p := range partitions {
		if p.Name == "" || len(p.Regions) == 0 || p.Suffix == "" {
			return nil, badMap("has a partition without name, regions or suffix")
		}
		m.partitions = append(m.partitions, p)
	}
	for i, entry := range registries {
		p, err := newPin(i+1, entry)
		if err == nil {
			err = m.sensible(p)
		}
		if err != nil {
			return nil, err
		}
		m.pins = append(m.pins, p)
	}
	return m, nil
}

func badMap(what string) error {
	return Fail(BadMaterial, "the map file "+what, "see registries.json, or the file that BETA9_CREDENTIAL_REGISTRIES names: it has registries, each with host and "+
		"type, registry, region, profile, role, external_id or session_name, and partitions")
}

// newPin checks the nth entry.
func newPin(n int, entry Pin) (pin, error) {
	p := pin{Pin: entry}
	// What a host may look like is asked of the parser, with a letter for each asterisk.
	r, err := ParseServerURL(strings.ReplaceAll(entry.Host, "*", "x"))
	if err != nil || r.userinfo || strings.ContainsAny(entry.Host, "/?#") {
		// Not quoted: a user and a password may stand in it.
		return pin{}, badMap("has a host that is not one in entry " + strconv.Itoa(n))
	}
	p.rule, p.port = r.host, r.port
	if strings.Contains(entry.Host, "*") {
		host, _, _ := splitPort(TrimServerURL(entry.Host)) // no error: the parser took it
		p.rule = strings.TrimSuffix(strings.ToLower(host), ".")
	}
	for label := range strings.SplitSeq(p.rule, ".") {
		if strings.Count(label, "*") > 1 {
			return pin{}, badMap("has an entry with two asterisks in one label: " + entry.Host)
		}
	}
	if entry.Type != "" {
		t, ok := TypeNamed(entry.Type)
		if !ok {
			return pin{}, badMap("names the unknown type " + entry.Type + " for " + entry.Host)
		}
		p.Type = t.Name
		if row, ok := Lookup(r); p.rule == r.host && (!ok || !row.CatchAll() && row.Name != t.Name) {
			return pin{}, badMap("names the type " + entry.Type + " for " + entry.Host + ", which is known not to be of it")
		}
	}
	if entry.Registry != "" {
		if behind, err := ParseServerURL(entry.Registry); err != nil || behind.userinfo {
			return pin{}, badMap("has a registry behind " + entry.Host + " that is not one")
		}
	}
	return p, nil
}

// sensible refuses an entry that says something about an identity where nobody asks for it: it would pass for a choice that
// was made. What an asterisk without a type may match is not known here.
func (m *Map) sensible(p pin) error {
	if p.Role == "" && p.ExternalID+p.SessionName != "" {
		return badMap("has an external_id or a session_name without a role for " + p.Host)
	}
	if p.Registry+p.Region+p.Profile+p.Role == "" || p.Type == "ecr" || p.Type == "" && strings.Contains(p.rule, "*") {
		return nil
	}
	if r, err := ParseServerURL(p.Host); err == nil && p.Type == "" {
		if t, ok := m.Lookup(r); ok && t.Name == "ecr" {
			return nil
		}
	}
	return badMap("chooses an identity for " + p.Host + ", which is not of the type ecr")
}

// Pin returns the first entry that matches the registry.
func (m *Map) Pin(r Registry) (Pin, bool) {
	if m == nil || r.token != "" {
		return Pin{}, false
	}
	for _, p := range m.pins {
		if p.port == r.port && matchHost(p.rule, r.host) {
			return p.Pin, true
		}
	}
	return Pin{}, false
}

// Lookup returns the row that the registry belongs to. A host of a named service keeps its type whatever is pinned; a
// pin gives a type only to a host that would otherwise be generic.
func (m *Map) Lookup(r Registry) (Type, bool) {
	if r.IsZero() {
		return Type{}, false
	}
	t := generic()
	if r.port == "" {
		if matchAny(publicHosts, r.host) {
			return Type{}, false
		}
		for _, row := range types {
			if row.matches(r.host) {
				t = row
				break
			}
		}
	}
	if t.CatchAll() && m != nil {
		t = m.pinned(r)
	}
	if t.Computed && r.userinfo {
		return Type{}, false
	}
	return t, true
}

func (m *Map) pinned(r Registry) Type {
	if p, ok := m.Pin(r); ok && p.Type != "" {
		t, _ := TypeNamed(p.Type) // known: ParseMap has looked
		return t
	}
	if _, ok := parseECRHost(r.host, m.partitions); ok && r.port == "" {
		t, _ := TypeNamed("ecr")
		return t
	}
	return generic()
}

// ECR tells which Elastic Container Registry a registry is: by its own name, by the one that is pinned behind it, or, as
// far as it matters for a token, by the region that is pinned for it.
func (m *Map) ECR(r Registry) (ECRHost, bool) {
	if h, ok := m.ecr(r); ok {
		return h, true
	}
	p, ok := m.Pin(r)
	if !ok || p.Type != "ecr" {
		return ECRHost{}, false
	}
	if p.Registry == "" {
		return m.ecrRegion(p.Region)
	}
	behind, err := ParseServerURL(p.Registry)
	if err != nil {
		return ECRHost{}, false
	}
	return m.ecr(behind)
}

// ecrRegion returns what is known of a registry of which only the region is.
func (m *Map) ecrRegion(region string) (ECRHost, bool) {
	for _, table := range [][]Partition{partitions, m.partitions} {
		for _, p := range table {
			if p.hasRegion(region) {
				return ECRHost{Region: region, Partition: p}, true
			}
		}
	}
	return ECRHost{}, false
}

func (m *Map) ecr(r Registry) (ECRHost, bool) {
	if r.port != "" {
		return ECRHost{}, false
	}
	h, ok := parseECRHost(r.host, partitions)
	if !ok && m != nil {
		h, ok = parseECRHost(r.host, m.partitions)
	}
	return h, ok
}
