package helpers

import (
	"bytes"
	"errors"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// The JSON of the protocol is read and written here and not by encoding/json, for two reasons. The package takes the
// last of two equal fields, matches names in any case, replaces invalid UTF-8 and half surrogates, and stops reading
// behind the object: each of these makes two readers see two different things. And it is a fifth of the size of a
// helper, which is latency on first use.

// maxDepth is how deep values may be nested. What is read here is three deep; the rest is skipped.
const maxDepth = 64

var (
	errNotObject = errors.New("is not one JSON object")
	errTwice     = errors.New("has a field twice")
	errUTF8      = errors.New("is not valid UTF-8")
)

// A value is one JSON value as it stands in the input, checked for its syntax.
type value []byte

// An object holds the fields of a JSON object.
type object map[string]value

// parseObject reads exactly one JSON object (RFC 8259), after a byte order mark if there is one. Its errors are clauses
// that hold no part of the input.
func parseObject(data []byte) (object, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if !utf8.Valid(data) {
		return nil, errUTF8
	}
	s := scanner{data: data}
	if !s.value(0) || !s.end() {
		if s.half {
			return nil, errUTF8
		}
		return nil, errNotObject
	}
	return value(data).object()
}

// object returns the fields of a value that is an object. Its bytes were scanned before.
func (v value) object() (object, error) {
	s := scanner{data: v}
	if !s.take('{') {
		return nil, errNotObject
	}
	fields := object{}
	for !s.take('}') {
		s.take(',')
		name, _ := s.next().text()
		s.take(':')
		if _, ok := fields[name]; ok {
			return nil, errTwice
		}
		fields[name] = s.next()
	}
	return fields, nil
}

// array returns the elements of a value that is an array. Its bytes were scanned before.
func (v value) array() ([]value, bool) {
	s := scanner{data: v}
	if !s.take('[') {
		return nil, false
	}
	var elements []value
	for !s.take(']') {
		s.take(',')
		elements = append(elements, s.next())
	}
	return elements, true
}

// text returns the string that a value is.
func (v value) text() (string, bool) {
	if len(v) < 2 || v[0] != '"' {
		return "", false
	}
	in := v[1 : len(v)-1]
	if bytes.IndexByte(in, '\\') < 0 {
		return string(in), true
	}
	out := make([]byte, 0, len(in))
	for i := 0; i < len(in); i++ {
		if in[i] != '\\' {
			out = append(out, in[i])
			continue
		}
		i++
		switch c := in[i]; c {
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, _ := hex4(in[i+1:])
			i += 4
			if utf16.IsSurrogate(r) { // with its other half, as the scanner saw
				low, _ := hex4(in[i+3:])
				r = utf16.DecodeRune(r, low)
				i += 6
			}
			out = utf8.AppendRune(out, r)
		default:
			out = append(out, c)
		}
	}
	return string(out), true
}

// text returns the string in a field: nothing and true when the field is not there, false when it is something other
// than a string.
func (o object) text(name string) (string, bool) {
	v, ok := o[name]
	if !ok {
		return "", true
	}
	return v.text()
}

// A scanner goes over JSON and checks its syntax.
type scanner struct {
	data []byte
	i    int
	half bool // stopped at one half of a surrogate pair
}

func (s *scanner) space() {
	for s.i < len(s.data) && (s.data[s.i] == ' ' || s.data[s.i] == '\t' || s.data[s.i] == '\r' || s.data[s.i] == '\n') {
		s.i++
	}
}

// take skips white space, and the byte behind it if it is c.
func (s *scanner) take(c byte) bool {
	s.space()
	if s.i < len(s.data) && s.data[s.i] == c {
		s.i++
		return true
	}
	return false
}

func (s *scanner) end() bool {
	s.space()
	return s.i == len(s.data)
}

// next returns the value that comes next in input that was scanned before.
func (s *scanner) next() value {
	s.space()
	start := s.i
	s.value(0)
	return value(s.data[start:s.i])
}

// value goes over one value and reports whether it is well-formed.
func (s *scanner) value(depth int) bool {
	s.space()
	if s.i == len(s.data) || depth > maxDepth {
		return false
	}
	switch c := s.data[s.i]; {
	case c == '{':
		return s.list('}', func() bool { return s.take('"') && s.string() && s.take(':') && s.value(depth+1) })
	case c == '[':
		return s.list(']', func() bool { return s.value(depth + 1) })
	case c == '"':
		s.i++
		return s.string()
	case c == '-' || '0' <= c && c <= '9':
		return s.number()
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if bytes.HasPrefix(s.data[s.i:], []byte(word)) {
			s.i += len(word)
			return true
		}
	}
	return false
}

// list goes over what stands between brackets and is separated by commas.
func (s *scanner) list(closing byte, element func() bool) bool {
	s.i++
	if s.take(closing) {
		return true
	}
	for {
		if !element() {
			return false
		}
		if s.take(closing) {
			return true
		}
		if !s.take(',') {
			return false
		}
	}
}

// string goes over a string from behind its opening quote to behind its closing one.
func (s *scanner) string() bool {
	for s.i < len(s.data) {
		c := s.data[s.i]
		s.i++
		switch {
		case c == '"':
			return true
		case c < 0x20:
			return false
		case c == '\\' && !s.escape():
			return false
		}
	}
	return false
}

// escape goes over what follows a backslash.
func (s *scanner) escape() bool {
	if s.i == len(s.data) {
		return false
	}
	c := s.data[s.i]
	s.i++
	if c != 'u' {
		return bytes.IndexByte([]byte(`"\/bfnrt`), c) >= 0
	}
	r, ok := hex4(s.data[s.i:])
	if !ok {
		return false
	}
	s.i += 4
	if !utf16.IsSurrogate(r) {
		return true
	}
	s.half = true
	if !bytes.HasPrefix(s.data[s.i:], []byte(`\u`)) {
		return false
	}
	low, ok := hex4(s.data[s.i+2:])
	if !ok || utf16.DecodeRune(r, low) == utf8.RuneError {
		return false
	}
	s.half = false
	s.i += 6
	return true
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[:4]), 16, 16)
	return rune(n), err == nil
}

func (s *scanner) number() bool {
	s.literal('-')
	if !s.literal('0') && !s.digits() {
		return false
	}
	if s.literal('.') && !s.digits() {
		return false
	}
	if s.literal('e') || s.literal('E') {
		if !s.literal('+') {
			s.literal('-')
		}
		return s.digits()
	}
	return true
}

func (s *scanner) literal(c byte) bool {
	if s.i < len(s.data) && s.data[s.i] == c {
		s.i++
		return true
	}
	return false
}

func (s *scanner) digits() bool {
	start := s.i
	for s.i < len(s.data) && '0' <= s.data[s.i] && s.data[s.i] <= '9' {
		s.i++
	}
	return s.i > start
}
