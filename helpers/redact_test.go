package helpers_test

import (
	"bytes"
	"encoding"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"expvar"
	"fmt"
	htmltemplate "html/template"
	"io"
	"log"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

const canary = "canary-K7qPz0/4711+secret"

// inDisguise returns the forms in which the standard library might let the canary out.
func inDisguise() map[string]string {
	forms := map[string]string{
		"clear":       canary,
		"hex":         hex.EncodeToString([]byte(canary)),
		"HEX":         strings.ToUpper(hex.EncodeToString([]byte(canary))),
		"spaced hex":  fmt.Sprintf("% x", canary),
		"hex bytes":   strings.Trim(fmt.Sprintf("%#v", []byte(canary)), "[]byte{}"),
		"decimal":     strings.Trim(fmt.Sprint([]byte(canary)), "[]"),
		"URL-encoded": url.QueryEscape(canary),
		"JS-escaped":  template.JSEscapeString(canary),
	}
	for shift := range 3 {
		encoded := base64.StdEncoding.EncodeToString([]byte("xyz"[:shift] + canary))
		forms[fmt.Sprintf("base64 at %d", shift)] = encoded[4 : len(encoded)-4]
	}
	return forms
}

// An errorAround is an error that carries a value without showing it.
type errorAround struct{ inside any }

func (errorAround) Error() string { return "it failed" }

// wrapped puts a value into every shape that a caller might keep it in.
func wrapped[T comparable](v T) map[string]any {
	p := &v
	type exported struct{ Value T }
	type unexported struct{ value T }
	type embedded struct{ exported }
	type inAny struct {
		Value any
		value any
	}
	type deep struct {
		slice   []T
		array   [1]T
		byName  map[string]T
		byValue map[T]string
		pointer *T
		twice   **T
		self    *unexported
	}
	failure := &helpers.Failure{Reason: helpers.Internal, Text: "it failed", Cause: errorAround{v}}
	return map[string]any{
		"itself":                   v,
		"pointer":                  p,
		"pointer to pointer":       &p,
		"slice":                    []T{v},
		"pointers":                 []*T{p},
		"array":                    [1]T{v},
		"any":                      []any{v, p},
		"map":                      map[string]T{"k": v},
		"map of pointers":          map[string]*T{"k": p},
		"key":                      map[T]string{v: "x"},
		"exported field":           exported{v},
		"unexported field":         unexported{v},
		"pointer to unexported":    &unexported{v},
		"slice of unexported":      []unexported{{v}},
		"slice of pointers to one": []*unexported{{v}},
		"map of unexported":        map[string]unexported{"k": {v}},
		"embedded":                 embedded{exported{v}},
		"interface fields":         inAny{v, v},
		"pointers in interfaces":   inAny{p, p},
		"deep":                     deep{[]T{v}, [1]T{v}, map[string]T{"k": v}, map[T]string{v: "x"}, p, &p, &unexported{v}},
		"pointer to deep":          &deep{slice: []T{v}, pointer: p},
		"error":                    errorAround{v},
		"wrapped error":            fmt.Errorf("around: %w", errorAround{v}),
		"joined errors":            errors.Join(errorAround{v}, errors.New("other")),
		"cause":                    failure,
		"failure in a field":       struct{ err error }{failure},
		"channel":                  func() chan T { c := make(chan T, 1); c <- v; close(c); return c }(),
	}
}

// printed runs a value through every printing path of the standard library.
func printed(v any) map[string]string {
	out := map[string]string{}
	for _, flags := range []string{"", "+", "#", " ", "-", "0", "+#", "# ", "40", ".3", "-+# 040.3"} {
		for _, verb := range "vTtbcdoOqxXUeEfFgGspwy" {
			format := "%" + flags + string(verb)
			out[format] = fmt.Sprintf(format, v)
		}
	}
	// Formats that do not fit their arguments.
	for _, format := range []string{"x", "%*d", "%[2]d", "%!"} {
		out[format] = fmt.Sprintf(format, v, v, v)
	}
	for _, format := range []string{"%w", "%w %w"} {
		out[format+" of Errorf"] = fmt.Errorf(format, v, v).Error()
	}
	out["Sprint"] = fmt.Sprint(v)
	out["Sprintln"] = fmt.Sprintln("x", v)
	out["Append"] = string(fmt.Append(nil, v))
	written := func(name string, write func(io.Writer)) {
		var b bytes.Buffer
		write(&b)
		out[name] = b.String()
	}
	written("log", func(w io.Writer) {
		l := log.New(w, "", 0)
		l.Print(v)
		l.Printf("%+v %s", v, v)
	})
	slogged := func(h slog.Handler) {
		l := slog.New(h)
		l.Info("message", "value", v, "list", []any{v}, slog.Group("group", "value", v))
		l.With("value", v).WithGroup("group").Error("message", slog.Any("value", v), v)
	}
	written("slog text", func(w io.Writer) { slogged(slog.NewTextHandler(w, nil)) })
	written("slog JSON", func(w io.Writer) { slogged(slog.NewJSONHandler(w, nil)) })
	written("JSON", func(w io.Writer) { _ = json.NewEncoder(w).Encode(v) })
	written("JSON in any", func(w io.Writer) { _ = json.NewEncoder(w).Encode(map[string]any{"v": v}) })
	written("XML", func(w io.Writer) { _ = xml.NewEncoder(w).Encode(v) })
	written("gob", func(w io.Writer) { _ = gob.NewEncoder(w).Encode(v) })
	written("expvar", func(w io.Writer) { fmt.Fprint(w, expvar.Func(func() any { return v })) })
	for _, text := range []string{
		"{{.}}", "{{print .}}", `{{printf "%s %d %x %q %#v" . . . . .}}`, "{{html .}}", "{{js .}}", "{{urlquery .}}", "{{range $i, $e := .}}{{$e}}{{end}}",
	} {
		written("template "+text, func(w io.Writer) { _ = template.Must(template.New("").Parse(text)).Execute(w, v) })
	}
	for _, text := range []string{
		"<p>{{.}}</p>", `<p title="{{.}}">`, `<a href="/?q={{.}}">`, "<script>var x = {{.}}</script>", "<style>p { color: {{.}} }</style>",
	} {
		written("HTML template "+text, func(w io.Writer) { _ = htmltemplate.Must(htmltemplate.New("").Parse(text)).Execute(w, v) })
	}
	if err, ok := v.(error); ok {
		out["Error"] = err.Error()
	}
	return out
}

func checkRedacted(t *testing.T, wraps map[string]any) {
	t.Helper()
	forms := inDisguise()
	for how, v := range wraps {
		for path, out := range printed(v) {
			for form, s := range forms {
				if strings.Contains(out, s) {
					t.Errorf("%s, printed by %s, shows the secret (%s): %.200q", how, path, form, out)
				}
			}
		}
	}
}

func secretMaterial(t *testing.T) helpers.Material {
	t.Helper()
	typ, _ := helpers.TypeNamed("ghcr")
	m, err := helpers.NewMaterial(typ, parse(t, "ghcr.io"), map[string]string{"GITHUB_TOKEN": canary, "GITHUB_USERNAME": canary})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMaterialPrintsRedacted(t *testing.T) {
	t.Parallel()
	checkRedacted(t, wrapped(secretMaterial(t)))
}

func TestCredentialPrintsRedacted(t *testing.T) {
	t.Parallel()
	checkRedacted(t, wrapped(helpers.NewCredential(canary, canary, time.Time{}).WithSource(canary)))
}

func TestLoginPrintsRedacted(t *testing.T) {
	t.Parallel()
	l, err := helpers.NewLogin("https://user:"+canary[:10]+"@quay.io", canary, canary)
	if err != nil {
		t.Fatal(err)
	}
	checkRedacted(t, wrapped(l))
}

func TestKeptPrintsRedacted(t *testing.T) {
	t.Parallel()
	checkRedacted(t, wrapped(helpers.Kept{Material: secretMaterial(t), Credential: helpers.NewCredential(canary, canary, time.Time{})}))
}

// The check of this file finds a value that does print.
func TestThePrintingPathsWouldShowASecret(t *testing.T) {
	type open struct{ Secret string }
	shown := map[string]bool{}
	for path, out := range printed(open{canary}) {
		for _, s := range inDisguise() {
			if strings.Contains(out, s) {
				shown[path] = true
			}
		}
	}
	for _, path := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%p", "Sprint", "log", "slog text", "slog JSON", "JSON", "XML", "gob", "template {{.}}"} {
		if !shown[path] {
			t.Errorf("%s does not show a secret that is not hidden", path)
		}
	}
}

func TestRedactedValuesSaySo(t *testing.T) {
	c := helpers.NewCredential("u", "s", time.Time{})
	for _, got := range []string{
		fmt.Sprint(c), fmt.Sprintf("%v", &c), fmt.Sprintf("%#v", c), fmt.Sprintf("%x", c), c.String(), c.GoString(), c.LogValue().String(),
		fmt.Sprint(secretMaterial(t)), fmt.Sprint(helpers.Login{}), fmt.Sprint(helpers.Credential{}),
	} {
		if got != "[redacted]" {
			t.Errorf("prints as %q", got)
		}
	}
	for _, v := range []any{c, secretMaterial(t), helpers.Login{}} {
		_, isText := v.(encoding.TextMarshaler)
		_, isJSON := v.(json.Marshaler)
		_, isLog := v.(slog.LogValuer)
		_, isFormat := v.(fmt.Formatter)
		_, isGo := v.(fmt.GoStringer)
		if !isText || !isJSON || !isLog || !isFormat || !isGo {
			t.Errorf("%T does not say how it prints", v)
		}
	}
	out, err := json.Marshal(map[string]any{"c": c, "m": secretMaterial(t)})
	if err != nil || string(out) != `{"c":"[redacted]","m":"[redacted]"}` {
		t.Errorf("as JSON: %s, %v", out, err)
	}
}

// Zero values are of no use and do no harm.
func TestZeroValuesDoNotPanic(t *testing.T) {
	var (
		c helpers.Credential
		m helpers.Material
		l helpers.Login
	)
	if !c.IsZero() || c.Username()+c.Secret()+c.Source() != "" || !c.ExpiresAt().IsZero() || c.ValidAt(time.Time{}) || !c.WithSource("x").IsZero() {
		t.Error("the zero credential is not empty")
	}
	if !m.IsZero() || m.Type()+m.Value("GITHUB_TOKEN")+string(m.Scope()) != "" || m.Keys() != nil || !m.Registry().IsZero() || !m.WithScope("o").IsZero() {
		t.Error("the zero material is not empty")
	}
	if _, err := m.AppendBlob(nil); !errors.Is(err, helpers.ErrNotFound) {
		t.Errorf("the zero material is written: %v", err)
	}
	if err := m.Bound("ghcr", parse(t, "ghcr.io")); !errors.Is(err, helpers.ErrNotFound) {
		t.Errorf("the zero material is bound: %v", err)
	}
	if l.ServerURL()+l.Username()+l.Secret() != "" || !l.Registry().IsZero() {
		t.Error("the zero login is not empty")
	}
}
