package helpers

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"
)

// strictJSON is what a reader of the protocol has to take and to refuse. %s stands for the object's own fields.
var strictJSON = []struct {
	name, json string
	ok         bool
}{
	{"plain", `{%s}`, true},
	{"final newline", "{%s}\n", true},
	{"white space around", " \t\r\n{ %s } \r\n", true},
	{"byte order mark", "\ufeff{%s}", true},
	{"unknown fields", `{"A":1,"B":[1,-2.5e+3,{"C":[]}],"D":null,"E":true,"F":{},%s,"G":false}`, true},
	{"same name in another case", `{"serverurl":"x","username":"x","secret":"x","VERSION":2,%s}`, true},
	{"same name one level down", `{"A":{"ServerURL":1,"Username":2,"Secret":3,"version":4},%s}`, true},
	{"a field twice inside what is skipped", `{"A":{"B":1,"B":2},%s}`, true},
	{"line separator", "{\"A\":\"\u2028\u2029\",%s}", true},
	{"escapes", `{"A":"\"\\\/\b\f\n\r\t\u0041\ud83d\ude00",%s}`, true},
	{"escaped backslash before what looks like an escape", `{"A":"\\ud800 \\u12",%s}`, true},
	{"delete character", "{\"A\":\"\x7f\",%s}", true},
	{"nested 64 deep", `{"A":` + strings.Repeat("[", 63) + strings.Repeat("]", 63) + `,%s}`, true},

	{"nothing", ``, false},
	{"white space only", " \n", false},
	{"null", `null`, false},
	{"string", `"x"`, false},
	{"number", `1`, false},
	{"list", `[{%s}]`, false},
	{"text behind", `{%s} x`, false},
	{"brace behind", `{%s}}`, false},
	{"bracket behind", `{%s}]`, false},
	{"comma behind", `{%s},`, false},
	{"NUL behind", "{%s}\x00", false},
	{"two objects", `{%s}{%s}`, false},
	{"two objects on two lines", "{%s}\n{%s}\n", false},
	{"every field twice", `{%s,%s}`, false},
	{"a field twice by an escape", `{"A":1,"\u0041":2,%s}`, false},
	{"cut", `{%s`, false},
	{"cut in a string", `{%s,"A":"`, false},
	{"no comma", `{%s "A":1}`, false},
	{"two commas", `{%s,,"A":1}`, false},
	{"leading comma", `{,%s}`, false},
	{"trailing comma", `{%s,}`, false},
	{"no colon", `{%s,"A" 1}`, false},
	{"no value", `{%s,"A":}`, false},
	{"no name", `{%s,:1}`, false},
	{"name without quotes", `{%s,A:1}`, false},
	{"single quotes", `{%s,'A':1}`, false},
	{"comment", `{%s/* x */}`, false},
	{"leading zero", `{%s,"A":01}`, false},
	{"lone minus", `{%s,"A":-}`, false},
	{"lone point", `{%s,"A":1.}`, false},
	{"plus sign", `{%s,"A":+1}`, false},
	{"hexadecimal", `{%s,"A":0x1}`, false},
	{"not a number", `{%s,"A":NaN}`, false},
	{"word", `{%s,"A":tru}`, false},
	{"word in capitals", `{%s,"A":True}`, false},
	{"raw line feed in a string", "{%s,\"A\":\"x\ny\"}", false},
	{"raw carriage return in a string", "{%s,\"A\":\"x\ry\"}", false},
	{"raw tab in a string", "{%s,\"A\":\"x\ty\"}", false},
	{"raw NUL in a string", "{%s,\"A\":\"x\x00y\"}", false},
	{"unknown escape", `{%s,"A":"\x41"}`, false},
	{"short escape", `{%s,"A":"\u41"}`, false},
	{"escape with a sign", `{%s,"A":"\u+123"}`, false},
	{"high half alone", `{%s,"A":"\ud800"}`, false},
	{"low half alone", `{%s,"A":"\udc00"}`, false},
	{"halves the wrong way round", `{%s,"A":"\ude00\ud83d"}`, false},
	{"high half and a letter", `{%s,"A":"\ud83dx"}`, false},
	{"high half twice", `{%s,"A":"\ud83d\ud83d\ude00"}`, false},
	{"half in a name", `{%s,"\uD800":1}`, false},
	{"invalid UTF-8", "{%s,\"A\":\"\xff\"}", false},
	{"overlong UTF-8", "{%s,\"A\":\"\xc0\xae\"}", false},
	{"surrogate in UTF-8", "{%s,\"A\":\"\xed\xa0\x80\"}", false},
	{"invalid UTF-8 between", "{%s\xff}", false},
	{"two byte order marks", "\ufeff\ufeff{%s}", false},
	{"byte order mark behind", "{%s}\ufeff", false},
	{"byte order mark of UTF-16", "\xff\xfe{%s}", false},
	{"no-break space", "\u00a0{%s}", false},
	{"form feed", "\f{%s}", false},
	{"nested 66 deep", `{"A":` + strings.Repeat("[", 65) + strings.Repeat("]", 65) + `,%s}`, false},
	{"nested without end", `{%s,"A":` + strings.Repeat("[", 1_000_000), false},
}

// Every reader of an object is as strict as every other.
func TestReadersAreStrict(t *testing.T) {
	for _, reader := range []struct {
		name, fields string
		read         func(data []byte) error
	}{
		{"login", `"ServerURL":"ghcr.io","Username":"u","Secret":"s"`,
			func(data []byte) error { _, err := ParseLogin(data); return err }},
		{"answer", `"ServerURL":"ghcr.io","Username":"u","Secret":"s"`,
			func(data []byte) error { _, err := ParseAnswer(data, "ghcr.io"); return err }},
		{"material", `"version":1,"registry":"ghcr.io","type":"ghcr","credentials":{"GITHUB_TOKEN":"t"}`,
			func(data []byte) error { _, err := ParseMaterial(data); return err }},
	} {
		for _, row := range strictJSON {
			err := reader.read([]byte(strings.ReplaceAll(row.json, "%s", reader.fields)))
			if row.ok != (err == nil) {
				t.Errorf("%s, %s: %v", reader.name, row.name, err)
			}
			if err != nil && len(err.Error()) > 100 {
				t.Errorf("%s, %s: the error is long: %.120s", reader.name, row.name, err)
			}
		}
	}
}

func TestTheStandardLibraryTakesWhatWeTake(t *testing.T) {
	for _, row := range strictJSON {
		data := []byte(strings.ReplaceAll(row.json, "%s", `"X":1`))
		checkObject(t, data)
	}
}

// checkObject compares parseObject with encoding/json.
func checkObject(t *testing.T, data []byte) {
	t.Helper()
	fields, err := parseObject(data)
	trimmed := bytes.TrimPrefix(data, []byte("\ufeff"))
	theirs := map[string]json.RawMessage{}
	valid := json.Unmarshal(trimmed, &theirs) == nil && bytes.HasPrefix(bytes.TrimLeft(trimmed, " \t\r\n"), []byte("{"))
	if err != nil {
		if valid && utf8.Valid(data) && !isRefusedOnPurpose(trimmed) {
			t.Fatalf("%.200q is refused: %v", data, err)
		}
		return
	}
	if !valid {
		t.Fatalf("%.200q is taken", data)
	}
	if len(fields) != len(theirs) {
		t.Fatalf("%.200q has %d fields and encoding/json finds %d", data, len(fields), len(theirs))
	}
	for name, v := range fields {
		raw, ok := theirs[name]
		if !ok || !bytes.Equal(raw, v) {
			t.Fatalf("%.200q: %q is %.200q and encoding/json says %.200q", data, name, v, raw)
		}
		var s string
		text, ok := v.text()
		if isString := raw[0] == '"'; ok != isString {
			t.Fatalf("%.200q: %q is a string: %t", data, name, ok)
		} else if isString && (json.Unmarshal(raw, &s) != nil || s != text) {
			t.Fatalf("%.200q: %q is %q and encoding/json says %q", data, name, text, s)
		}
		var list []json.RawMessage
		elements, ok := v.array()
		if isList := raw[0] == '['; ok != isList {
			t.Fatalf("%.200q: %q is a list: %t", data, name, ok)
		} else if isList && (json.Unmarshal(raw, &list) != nil || len(list) != len(elements)) {
			t.Fatalf("%.200q: %q has %d elements and encoding/json finds %d", data, name, len(elements), len(list))
		}
	}
}

// isRefusedOnPurpose tells whether JSON that encoding/json takes has a name twice in the outer object, half a surrogate
// pair, or more depth than is read.
func isRefusedOnPurpose(data []byte) bool {
	dec := json.NewDecoder(bytes.NewReader(data))
	depth, deepest, seen, atName := 0, 0, map[string]bool{}, false
	for {
		token, err := dec.Token()
		if err != nil {
			break
		}
		switch v := token.(type) {
		case json.Delim:
			if v == '{' || v == '[' {
				depth++
				deepest = max(deepest, depth)
			} else {
				depth--
			}
			atName = depth == 1
		case string:
			if depth == 1 && atName {
				if seen[v] {
					return true
				}
				seen[v] = true
				atName = false
				continue
			}
			atName = depth == 1
		default:
			atName = depth == 1
		}
	}
	return deepest > maxDepth || hasHalf(data)
}

// hasHalf looks for an escaped half of a surrogate pair, by pairing all escapes.
func hasHalf(data []byte) bool {
	pending := false
	for i := 0; i < len(data); i++ {
		var unit rune
		if data[i] == '\\' && i+5 < len(data) && data[i+1] == 'u' {
			unit, _ = hex4(data[i+2:])
		}
		high, low := utf16.IsSurrogate(unit) && unit < 0xdc00, unit >= 0xdc00 && utf16.IsSurrogate(unit)
		if pending != low {
			return true
		}
		pending = high
		switch {
		case high || low:
			i += 5
		case data[i] == '\\':
			i++
		}
	}
	return pending
}

func FuzzObjectIsReadAsTheStandardLibraryDoes(f *testing.F) {
	for _, row := range strictJSON {
		if data := strings.ReplaceAll(row.json, "%s", `"X":"\u00e9 y"`); len(data) < 500 {
			f.Add([]byte(data))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) { checkObject(t, data) })
}

func TestQuotingIsReadBackByTheStandardLibrary(t *testing.T) {
	var all []byte
	for r := rune(0); r < 0x3000; r++ {
		all = utf8.AppendRune(all, r)
	}
	for _, s := range []string{"", "plain", string(all), "\ufffd", "\U0001f600", "a\u2028b\u2029c", `<>&"\/`, "\x00\x1f\x7f"} {
		quoted := appendQuoted([]byte("x"), s)[1:]
		var back string
		if err := json.Unmarshal(quoted, &back); err != nil || back != s {
			t.Errorf("%.60q is quoted as %.60q, read back as %.60q: %v", s, quoted, back, err)
		}
		if ours, ok := value(quoted).text(); !ok || ours != s {
			t.Errorf("%.60q is quoted as %.60q, which we read as %.60q", s, quoted, ours)
		}
		if bytes.ContainsAny(quoted, "\n\r\u2028\u2029\x00") {
			t.Errorf("%.60q is quoted as %.60q", s, quoted)
		}
	}
}
