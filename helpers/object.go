package helpers

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"
)

var (
	errNotObject = errors.New("is not one JSON object")
	errTwice     = errors.New("has a field twice")
	errUTF8      = errors.New("is not valid UTF-8")
)

// parseObject reads exactly one JSON object and returns its fields unparsed. It is stricter than encoding/json, which
// takes the last of two equal fields, replaces invalid UTF-8 and half surrogates, and stops reading behind the object:
// each of these makes two readers see two different things. Its errors are clauses that hold no part of the input.
func parseObject(data []byte) (map[string]json.RawMessage, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if !utf8.Valid(data) || halfSurrogate(data) {
		return nil, errUTF8
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, errNotObject
	}
	fields := make(map[string]json.RawMessage)
	for dec.More() {
		t, err := dec.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, errNotObject
		}
		if _, ok := fields[name]; ok {
			return nil, errTwice
		}
		var value json.RawMessage
		if dec.Decode(&value) != nil {
			return nil, errNotObject
		}
		fields[name] = value
	}
	if _, err := dec.Token(); err != nil { // the closing brace
		return nil, errNotObject
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errNotObject
	}
	return fields, nil
}

// halfSurrogate tells whether the JSON has a \u escape of one half of a surrogate pair without the other. Backslashes
// stand in strings only, so the strings need not be found first.
func halfSurrogate(data []byte) bool {
	for i := 0; i < len(data); i++ {
		if data[i] != '\\' {
			continue
		}
		i++ // what is escaped
		if i >= len(data) || data[i] != 'u' {
			continue
		}
		switch escapeKind(data[i+1:]) {
		case highHalf:
			if i+6 >= len(data) || data[i+5] != '\\' || data[i+6] != 'u' || escapeKind(data[i+7:]) != lowHalf {
				return true
			}
			i += 10
		case lowHalf:
			return true
		}
	}
	return false
}

const (
	noHalf = iota
	highHalf
	lowHalf
)

// escapeKind looks at the hex digits behind \u: D800 to DBFF is the high half of a pair, DC00 to DFFF the low one.
func escapeKind(digits []byte) int {
	if len(digits) < 4 || digits[0]|0x20 != 'd' {
		return noHalf
	}
	switch digits[1] | 0x20 {
	case '8', '9', 'a', 'b': // digits have the bit already
		return highHalf
	case 'c', 'd', 'e', 'f':
		return lowHalf
	}
	return noHalf
}

// stringField returns the string in a field: nothing and true when the field is not there, false when it is something
// other than a string.
func stringField(fields map[string]json.RawMessage, name string) (string, bool) {
	raw, ok := fields[name]
	if !ok {
		return "", true
	}
	var s *string
	if json.Unmarshal(raw, &s) != nil || s == nil {
		return "", false
	}
	return *s, true
}
