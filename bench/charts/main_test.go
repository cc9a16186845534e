package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gonum.org/v1/plot"
)

const results = `{"charts": [
 {"file": "bars.svg", "title": "bars of it", "axis": "times", "limits": [{"name": "the limit", "value": 1.5}],
  "bars": [{"name": "first", "who": "ours", "value": 1.25, "label": "1.25 ×"}, {"name": "second", "who": "peer", "value": 4, "label": "4.00 ×"}]},
 {"file": "ratios.svg", "title": "ratios", "axis": "times", "logarithmic": true, "limits": [{"name": "even", "value": 1}],
  "bars": [{"name": "less", "who": "ours", "value": 0.25, "label": "0.25 ×"}, {"name": "more", "who": "behind", "value": 2, "label": "2.00 ×"}]},
 {"file": "lines.svg", "title": "lines", "axis": "ms", "across": "entries", "logarithmic": true,
  "lines": [{"name": "grows", "who": "ours", "points": [[1, 1], [100, 2], [10000, 300]]}]}
]}`

func TestChartsAreDrawn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "results.json"), []byte(results), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := run(dir); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string][]string{
		"bars.svg":   {"bars of it", "first", "second", "the limit", "1.25 ×"},
		"ratios.svg": {"less", "more", "0.25 ×"},
		"lines.svg":  {"grows", "entries", "10000"},
	} {
		data, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		text := texts(t, string(data))
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%s does not say %q: %q", file, w, text)
			}
		}
	}
}

// texts returns what a picture says.
func texts(t *testing.T, svg string) string {
	t.Helper()
	var said strings.Builder
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return said.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		if chars, ok := token.(xml.CharData); ok {
			said.Write(chars)
		}
	}
}

func TestAFileOutsideTheFolderIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "results.json"), []byte(`{"charts":[{"file":"../x.svg","bars":[]}]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := run(dir); err == nil {
		t.Error("the chart was drawn")
	}
}

func TestDecades(t *testing.T) {
	t.Parallel()
	got := []string{}
	for _, tick := range (decades{}).Ticks(0.4, 6) {
		got = append(got, tick.Label)
	}
	if want := "0.5 1 2 5"; strings.Join(got, " ") != want {
		t.Errorf("got %q, want %q", got, want)
	}
	var _ plot.Ticker = decades{}
}
