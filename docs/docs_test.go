// Package docs_test types what README.md and the pages of this folder tell people to type, and reads what they show.
//
// A fenced block of sh is run, block by block in the order of its page, with bash -eu, in a home of its own, in a network
// in which the names of registries lead to registries of the test. A new page needs nothing here, or a line in fixtures.
package docs_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/commands"
)

func TestMain(m *testing.M) { os.Exit(commands.Main(m)) }

// root is the folder of the project, from here.
const root = ".."

// A page is a Markdown file.
type page struct {
	name   string // from the root
	text   []byte
	blocks []block
}

// A block is one of its fenced blocks.
type block struct {
	line     int // of its fence, from 1
	language string
	text     string
}

// pages reads all pages.
func pages(t *testing.T) []page {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	var pages []page
	for _, path := range append([]string{filepath.Join(root, "README.md")}, paths...) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			t.Fatal(err)
		}
		p := page{name: filepath.ToSlash(name), text: text}
		if p.blocks, err = blocks(text); err != nil {
			t.Fatalf("%s: %v", p.name, err)
		}
		pages = append(pages, p)
	}
	return pages
}

// blocks finds the fenced blocks. Indented ones, which nobody would read here, are refused.
func blocks(text []byte) ([]block, error) {
	var found []block
	var current *block
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		language, fence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case fence && current == nil:
			current = &block{line: n, language: language}
		case fence:
			found = append(found, *current)
			current = nil
		case current != nil:
			current.text += line
		case strings.HasPrefix(line, "    ") || strings.HasPrefix(line, "\t"):
			return nil, fmt.Errorf("line %d is an indented block: fence it, with sh for what is to be typed", n)
		}
	}
	if current != nil {
		return nil, fmt.Errorf("the fence of line %d is not closed", current.line)
	}
	return found, nil
}

func TestBlocks(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a\n```sh\nb\nc\n```\n":                   "[{2 sh b\nc\n}]",
		"```\na\n```\nb\n```json\n{}\n```\n":      "[{1  a\n} {5 json {}\n}]",
		"a\n\n    b\n":                            "line 3",
		"a\n```sh\nb\n":                           "line 2",
		"```sh\n    indented within is fine\n```": "[{1 sh     indented within is fine\n}]",
	} {
		got, err := blocks([]byte(text))
		if s := fmt.Sprint(got); err != nil && !strings.Contains(err.Error(), want) || err == nil && s != want {
			t.Errorf("%q: got %s, %v; want %q", text, s, err, want)
		}
	}
}

// What pages show in JSON is read by what would read it.
func TestJSON(t *testing.T) {
	t.Parallel()
	for _, p := range pages(t) {
		for _, b := range p.blocks {
			if b.language != "json" {
				continue
			}
			if err := read([]byte(b.text)); err != nil {
				t.Errorf("%s: line %d: %v", p.name, b.line, err)
			}
		}
	}
}

// What pages show in Go stands in the examples of package provider, where the compiler reads it.
func TestGo(t *testing.T) {
	t.Parallel()
	var examples string
	for _, folder := range []string{"provider", filepath.Join("provider", "workertest")} { // those with CLIP are in the latter
		data, err := os.ReadFile(filepath.Join(root, folder, "example_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		examples += string(data)
	}
	for _, p := range pages(t) {
		for _, b := range p.blocks {
			indented := "\t\t" + strings.ReplaceAll(strings.TrimSpace(b.text), "\n", "\n\t\t")
			if b.language == "go" && !strings.Contains(examples, strings.ReplaceAll(indented, "\n\t\t\n", "\n\n")) {
				t.Errorf("%s: the Go of line %d is not in an example", p.name, b.line)
			}
		}
	}
}

// read reads a map file, material, or a client's configuration, whichever it is.
func read(text []byte) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return err
	}
	has := func(names ...string) bool {
		for _, name := range names {
			if _, ok := fields[name]; ok {
				return true
			}
		}
		return false
	}
	switch {
	case has("registries", "partitions"):
		_, err := helpers.ParseMap(text)
		return err
	case has("credentials"):
		_, err := helpers.ParseMaterial(text)
		return err
	case has("credHelpers", "credsStore", "auths"):
		return nil
	}
	return fmt.Errorf("nothing here reads such an object")
}

func TestReadRefusesWhatIsWrong(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{"registries": [{"host": "registry.example.com", "typ": "ghcr"}]}`,
		`{"registries": [{"host": "ghcr.io", "type": "ngc"}]}`,
		`{"version":1,"registry":"ghcr.io","credentials":{}}`,
		`{"unknown": true}`,
		`{`,
	} {
		if read([]byte(text)) == nil {
			t.Errorf("%s was read", text)
		}
	}
}

var link = regexp.MustCompile(`\]\(([^)#]+)(#[^)]*)?\)`)

func TestLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	for _, p := range pages(t) {
		for _, m := range link.FindAllSubmatch(p.text, -1) {
			target := string(m[1])
			if strings.Contains(target, "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(p.name), target)); err != nil {
				t.Errorf("%s: %v", p.name, err)
			}
		}
	}
}

// What is not fenced as sh is not run; so there must be nothing to be typed in it.
func TestCommandsAreFencedAsSh(t *testing.T) {
	t.Parallel()
	for _, p := range pages(t) {
		for _, b := range p.blocks {
			if b.language == "sh" {
				continue
			}
			if command := typed.FindString(b.text); command != "" {
				t.Errorf("%s: the block of line %d is not fenced as sh and has %q in it", p.name, b.line, strings.TrimSpace(command))
			}
			if b.language == "bash" || b.language == "shell" || b.language == "console" {
				t.Errorf("%s: the block of line %d is fenced as %s: write sh", p.name, b.line, b.language)
			}
		}
	}
}

// A page that shows a variable of ours shows one that there is.
func TestVariablesExist(t *testing.T) {
	t.Parallel()
	var source bytes.Buffer // the suite of conformance is configured in its test
	for _, folder := range []string{"cmd", "conformance", "helpers", "internal", "provider"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, _ os.DirEntry, err error) error {
			read := filepath.Ext(path) == ".go" && (folder == "conformance" || !strings.HasSuffix(path, "_test.go"))
			if err != nil || !read {
				return err
			}
			data, err := os.ReadFile(path)
			source.Write(data)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range pages(t) {
		for _, name := range regexp.MustCompile(`BETA9_[A-Z_]*[A-Z]`).FindAll(p.text, -1) {
			if !bytes.Contains(source.Bytes(), append([]byte{'"'}, append(name, '"')...)) {
				t.Errorf("%s: nothing reads %s", p.name, name)
			}
		}
	}
}
