package clientconfig

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"unicode"

	"github.com/tailscale/hujson"
)

// errNotJSON says what is wrong with a file that is left alone. The parser's own error is not passed on: it may quote
// what stands in the file, which may be a password.
var errNotJSON = notJSON{}

type notJSON struct{}

func (notJSON) Error() string { return "is not a JSON object" }
func (notJSON) Hint() string  { return "put the file right, or move it away; it was left as it is" }

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

// objects returns the objects of the top level with this name, in their order. There may be several: clients read them one
// after the other into one map.
func (d *document) objects(name string) ([]*hujson.Object, error) {
	var found []*hujson.Object
	for _, m := range d.top().Members {
		if !isField(m, name) {
			continue
		}
		o, ok := m.Value.Value.(*hujson.Object)
		if !ok {
			return nil, errors.New("has something other than an object in " + name)
		}
		found = append(found, o)
	}
	return found, nil
}

// find returns the object that the member at the place is in, and its index there: of the last one if there are several,
// which is the one that counts for clients. The index is -1 when there is no such member; the object is then the one that
// it belongs into, or nil when there is none either.
func (d *document) find(p place) (*hujson.Object, int, error) {
	if p.Object == "" {
		return d.top(), lastField(d.top(), p.Key), nil
	}
	objects, err := d.objects(p.Object)
	if err != nil || len(objects) == 0 {
		return nil, -1, err
	}
	for _, o := range slices.Backward(objects) {
		if i := index(o, p.Key); i >= 0 {
			return o, i, nil
		}
	}
	return objects[len(objects)-1], -1, nil
}

// get returns the string at the place.
func (d *document) get(p place) (value string, ok bool, err error) {
	o, i, err := d.find(p)
	if err != nil || i < 0 {
		return "", false, err
	}
	literal, isLiteral := o.Members[i].Value.Value.(hujson.Literal)
	if !isLiteral || literal.Kind() != '"' {
		return "", false, errors.New("has something other than a string in " + p.Key)
	}
	return literal.String(), true, nil
}

// set puts a string at the place, and tells whether it had to make the object for it. A member that is there keeps its
// spelling.
func (d *document) set(p place, value string) (made bool, err error) {
	o, i, err := d.find(p)
	if err != nil {
		return false, err
	}
	if i >= 0 {
		o.Members[i].Value.Value = hujson.String(value)
		return false, nil
	}
	depth := 1
	if p.Object != "" {
		depth = 2
	}
	if o == nil {
		o, made = &hujson.Object{}, true
		d.insert(d.top(), 1, p.Object, hujson.Value{Value: o})
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
	o, i, err := d.find(p)
	if err != nil || i < 0 {
		return err
	}
	o.Members = slices.Delete(o.Members, i, i+1)
	return nil
}

// removeEmpty takes an object of the top level away when nothing is in it.
func (d *document) removeEmpty(object string) {
	i := lastField(d.top(), object)
	if i < 0 {
		return
	}
	// It may be something else by now, or in use.
	if o, ok := d.top().Members[i].Value.Value.(*hujson.Object); ok && len(o.Members) == 0 {
		d.top().Members = slices.Delete(d.top().Members, i, i+1)
	}
}

// strings returns the members of an object of the top level whose values are strings.
func (d *document) strings(object string) (map[string]string, error) {
	objects, err := d.objects(object)
	if err != nil || objects == nil {
		return nil, err
	}
	found := map[string]string{}
	for _, o := range objects {
		for _, m := range o.Members {
			if v, ok := m.Value.Value.(hujson.Literal); ok && v.Kind() == '"' {
				found[nameOf(m)] = v.String()
			}
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
		switch {
		case isField(*m, credsStore) && isString(m.Value):
		case isField(*m, credHelpers) && m.Value.Value.Kind() == '{':
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
	if strings.Contains(nameOf(*m), "@") {
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

func nameOf(m hujson.ObjectMember) string { return m.Name.Value.(hujson.Literal).String() }

// isField tells whether clients take a member of the top level for the one of this name. They read the top level into the
// fields of a struct, for which [json.Unmarshal] does not tell the case of letters apart.
func isField(m hujson.ObjectMember, name string) bool { return strings.EqualFold(nameOf(m), name) }

// lastField returns the index of the last member of the top level that clients take for this one, or -1.
func lastField(o *hujson.Object, name string) int {
	for i := len(o.Members) - 1; i >= 0; i-- {
		if isField(o.Members[i], name) {
			return i
		}
	}
	return -1
}

// index returns the index of the last member of exactly that name, or -1. The objects of the top level are maps to
// clients, in which the case of letters counts.
func index(o *hujson.Object, name string) int {
	for i := len(o.Members) - 1; i >= 0; i-- {
		if nameOf(o.Members[i]) == name {
			return i
		}
	}
	return -1
}
