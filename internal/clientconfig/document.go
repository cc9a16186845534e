package clientconfig

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"unicode"

	"github.com/tailscale/hujson"
)

// errNotJSON says what is wrong with a file that is left alone. The parser's own error is not passed on: it may quote
// what stands in the file, which may be a password.
var errNotJSON = errors.New("is not a JSON object")

// A document is a JSON object whose layout survives a change: what is not changed keeps its place and its white space.
type document struct {
	root hujson.Value
	// unit is what a member of the top level is indented by; empty when everything stands on one line.
	unit string
}

// parse reads a document. Nothing at all stands for an object that is not there yet.
func parse(data []byte) (*document, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		// docker's own layout.
		root := hujson.Value{Value: &hujson.Object{}, AfterExtra: hujson.Extra("\n")}
		return &document{root: root, unit: "\t"}, nil
	}
	// The standard library bounds how deep values are nested, as it does in clients. The other parser does not, and would
	// overrun its stack.
	if !json.Valid(data) {
		return nil, errNotJSON
	}
	root, err := hujson.Parse(data)
	if err != nil || !root.IsStandard() || root.Value.Kind() != '{' {
		return nil, errNotJSON
	}
	d := &document{root: root}
	if members := d.top().Members; len(members) > 0 {
		_, d.unit, _ = strings.Cut(string(members[0].Name.BeforeExtra), "\n")
	}
	return d, nil
}

func (d *document) top() *hujson.Object { return d.root.Value.(*hujson.Object) }

// pack returns the document as it is to be written.
func (d *document) pack() []byte { return d.root.Pack() }

// empty tells whether the document has no member.
func (d *document) empty() bool { return len(d.top().Members) == 0 }

// A place is where a string stands: in an object of the top level, or, with an empty object, in the top level itself.
type place struct {
	Object string `json:"object,omitempty"`
	Key    string `json:"key"`
}

// find returns the object of the place, or nil when there is none.
func (d *document) find(p place) (*hujson.Object, error) {
	if p.Object == "" {
		return d.top(), nil
	}
	i := index(d.top(), p.Object)
	if i < 0 {
		return nil, nil
	}
	o, ok := d.top().Members[i].Value.Value.(*hujson.Object)
	if !ok {
		return nil, errors.New("has something other than an object in " + p.Object)
	}
	return o, nil
}

// get returns the string at the place.
func (d *document) get(p place) (value string, ok bool, err error) {
	o, err := d.find(p)
	if err != nil || o == nil {
		return "", false, err
	}
	i := index(o, p.Key)
	if i < 0 {
		return "", false, nil
	}
	literal, isLiteral := o.Members[i].Value.Value.(hujson.Literal)
	if !isLiteral || literal.Kind() != '"' {
		return "", false, errors.New("has something other than a string in " + p.Key)
	}
	return literal.String(), true, nil
}

// set puts a string at the place, and tells whether it had to make the object for it.
func (d *document) set(p place, value string) (made bool, err error) {
	o, err := d.find(p)
	if err != nil {
		return false, err
	}
	depth := 1
	if p.Object != "" {
		depth = 2
	}
	if o == nil {
		o, made = &hujson.Object{}, true
		d.insert(d.top(), 1, p.Object, hujson.Value{Value: o})
	}
	if i := index(o, p.Key); i >= 0 {
		o.Members[i].Value.Value = hujson.String(value)
		return made, nil
	}
	d.insert(o, depth, p.Key, hujson.Value{Value: hujson.String(value)})
	return made, nil
}

// insert adds a member at the end, set apart as the others are: on a line of its own if the first one is.
func (d *document) insert(o *hujson.Object, depth int, key string, value hujson.Value) {
	before := hujson.Extra(nil)
	if n := len(o.Members); n > 0 {
		before = o.Members[n-1].Name.BeforeExtra
		if first := o.Members[0].Name.BeforeExtra; bytes.Contains(first, []byte("\n")) {
			before = first
		}
		value.BeforeExtra = o.Members[n-1].Value.BeforeExtra
	} else if d.unit != "" {
		before = hujson.Extra("\n" + strings.Repeat(d.unit, depth))
		value.BeforeExtra = hujson.Extra(" ")
		o.AfterExtra = hujson.Extra("\n" + strings.Repeat(d.unit, depth-1))
	}
	o.Members = append(o.Members, hujson.ObjectMember{
		Name:  hujson.Value{BeforeExtra: before, Value: hujson.String(key)},
		Value: value,
	})
}

// remove takes the string at the place away.
func (d *document) remove(p place) error {
	o, err := d.find(p)
	if err != nil || o == nil {
		return err
	}
	if i := index(o, p.Key); i >= 0 {
		o.Members = append(o.Members[:i], o.Members[i+1:]...)
	}
	return nil
}

// removeEmpty takes an object of the top level away when nothing is in it.
func (d *document) removeEmpty(object string) error {
	o, err := d.find(place{Object: object})
	if err != nil || o == nil || len(o.Members) > 0 { // something else by now, or in use
		return nil
	}
	return d.remove(place{Key: object})
}

// strings returns the members of an object of the top level whose values are strings.
func (d *document) strings(object string) (map[string]string, error) {
	o, err := d.find(place{Object: object})
	if err != nil || o == nil {
		return nil, err
	}
	found := map[string]string{}
	for _, m := range o.Members {
		if v, ok := m.Value.Value.(hujson.Literal); ok && v.Kind() == '"' {
			found[m.Name.Value.(hujson.Literal).String()] = v.String()
		}
	}
	return found, nil
}

// redacted stands for what is not shown.
const redacted = "[redacted]"

// masked returns the document for a terminal: with every string replaced that is not the name of a helper, since logins
// stand in the file, and proxies and headers with passwords may, and without what a terminal could take for a command.
func (d *document) masked() []byte {
	shown := d.root.Clone()
	o := shown.Value.(*hujson.Object)
	for i := range o.Members {
		m := &o.Members[i]
		switch name := m.Name.Value.(hujson.Literal).String(); {
		case name == credsStore && isString(m.Value):
		case name == credHelpers && m.Value.Value.Kind() == '{':
			for j, h := range m.Value.Value.(*hujson.Object).Members {
				maskName(&m.Value.Value.(*hujson.Object).Members[j])
				if !isString(h.Value) {
					mask(&m.Value.Value.(*hujson.Object).Members[j].Value)
				}
			}
		default:
			mask(&m.Value)
		}
	}
	return bytes.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, shown.Pack())
}

func isString(v hujson.Value) bool { return v.Value.Kind() == '"' }

// maskName replaces a name in which a user and a password stand before a host.
func maskName(m *hujson.ObjectMember) {
	if strings.Contains(m.Name.Value.(hujson.Literal).String(), "@") {
		m.Name.Value = hujson.String(redacted)
	}
}

func mask(v *hujson.Value) {
	switch inner := v.Value.(type) {
	case hujson.Literal:
		if inner.Kind() == '"' {
			v.Value = hujson.String(redacted)
		}
	case *hujson.Object:
		for i := range inner.Members {
			maskName(&inner.Members[i])
			mask(&inner.Members[i].Value)
		}
	case *hujson.Array:
		for i := range inner.Elements {
			mask(&inner.Elements[i])
		}
	}
}

// index returns the place of the last member of that name, which is the one that counts for clients.
func index(o *hujson.Object, name string) int {
	for i := len(o.Members) - 1; i >= 0; i-- {
		if o.Members[i].Name.Value.(hujson.Literal).String() == name {
			return i
		}
	}
	return -1
}
