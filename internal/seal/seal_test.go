package seal

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// keyOf returns a key that is the same in every run, and no secret.
func keyOf(t testing.TB, fill byte) Key {
	t.Helper()
	k, err := newKey([KeySize]byte(bytes.Repeat([]byte{fill}, KeySize)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestWhatIsSealedOpensInItsPlaceOnly(t *testing.T) {
	t.Parallel()
	k, other := keyOf(t, 1), keyOf(t, 2)
	rapid.Check(t, func(t *rapid.T) {
		plain := rapid.SliceOf(rapid.Byte()).Draw(t, "plain")
		purpose := rapid.String().Draw(t, "purpose")
		place := rapid.SliceOfN(rapid.StringN(0, 3, 6), 0, 3).Draw(t, "place")
		box, err := k.Seal(purpose, plain, place...)
		if err != nil || len(box) != len(plain)+Overhead {
			t.Fatalf("%d bytes of %d, %v", len(box), len(plain), err)
		}
		if got, err := k.Open(purpose, box, place...); err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("opens as %x, %v", got, err)
		}
		if _, err := other.Open(purpose, box, place...); !errors.Is(err, ErrOtherKey) {
			t.Fatalf("with another key: %v", err)
		}
		if _, err := k.Open(purpose+"2", box, place...); !errors.Is(err, ErrBroken) {
			t.Fatalf("for another purpose: %v", err)
		}
		elsewhere := rapid.SliceOfN(rapid.StringN(0, 3, 6), 0, 3).Draw(t, "elsewhere")
		if fmt.Sprintf("%q", elsewhere) != fmt.Sprintf("%q", place) {
			if _, err := k.Open(purpose, box, elsewhere...); !errors.Is(err, ErrBroken) {
				t.Fatalf("in another place: %v", err)
			}
		}
	})
}

func TestPartsOfAPlaceDoNotRunTogether(t *testing.T) {
	t.Parallel()
	k := keyOf(t, 1)
	places := [][]string{nil, {""}, {"", ""}, {"ab"}, {"a", "b"}, {"ab", ""}, {"", "ab"}, {"a", "", "b"}}
	for i, place := range places {
		box, err := k.Seal("test", []byte("plain"), place...)
		if err != nil {
			t.Fatal(err)
		}
		for j, other := range places {
			if _, err := k.Open("test", box, other...); (err == nil) != (i == j) {
				t.Errorf("sealed for %q, opened for %q: %v", place, other, err)
			}
		}
	}
	seen := map[string][]string{}
	for _, place := range places {
		name, err := k.Name("test", place...)
		if err != nil {
			t.Fatal(err)
		}
		if before, ok := seen[name]; ok {
			t.Errorf("%q and %q have the same name", before, place)
		}
		seen[name] = place
	}
}

func TestChangedBoxDoesNotOpen(t *testing.T) {
	t.Parallel()
	k := keyOf(t, 1)
	box, err := k.Seal("test", []byte("plain"), "place")
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(box) * 8 {
		changed := bytes.Clone(box)
		changed[i/8] ^= 1 << (i % 8)
		want := ErrBroken
		switch {
		case i/8 == 0:
			want = ErrVersion
		case i/8 <= idSize:
			want = ErrOtherKey
		}
		if plain, err := k.Open("test", changed, "place"); !errors.Is(err, want) || plain != nil {
			t.Errorf("bit %d flipped: %q, %v, want %v", i, plain, err, want)
		}
	}
	for n := range box {
		if _, err := k.Open("test", box[:n], "place"); !errors.Is(err, ErrBroken) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
	if _, err := k.Open("test", append(bytes.Clone(box), 0), "place"); !errors.Is(err, ErrBroken) {
		t.Errorf("with a byte more: %v", err)
	}
}

func TestSameContentIsSealedDifferently(t *testing.T) {
	t.Parallel()
	k := keyOf(t, 1)
	seen := map[string]bool{}
	for range 1000 {
		box, err := k.Seal("test", nil)
		if err != nil {
			t.Fatal(err)
		}
		seen[string(box)] = true
	}
	if len(seen) != 1000 {
		t.Errorf("%d different boxes of 1000", len(seen))
	}
}

// What an earlier release wrote opens, and its names stay the same.
func TestFormatStays(t *testing.T) {
	t.Parallel()
	k := keyOf(t, 1)
	const box = "01c2abb34ec2920c73fd02ff63d1797637052753e1315393128d236d5197ce543d399c6fa7f23eb61ec6"
	raw, err := hex.DecodeString(box)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := k.Open("test", raw, "a", "place"); err != nil || string(plain) != "plain" {
		t.Errorf("opens as %q, %v", plain, err)
	}
	if got := k.ID(); got != "c2abb34ec2920c73" {
		t.Errorf("id %s", got)
	}
	if got, err := k.Name("test", "an", "identity"); err != nil || got != "27ba263e278fdd2628dc2bebb2b4dd76" {
		t.Errorf("name %s, %v", got, err)
	}
}

func TestNamesDependOnEverything(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, k := range []Key{keyOf(t, 1), keyOf(t, 2)} {
		for _, purpose := range []string{"a", "b"} {
			for _, identity := range []string{"ghcr.io", "ghcr.io:443"} {
				name, err := k.Name(purpose, identity)
				if err != nil || len(name) != 2*nameSize {
					t.Fatalf("%q, %v", name, err)
				}
				seen[name] = true
			}
		}
	}
	if len(seen) != 8 {
		t.Errorf("%d different names of 8", len(seen))
	}
}

func TestKeyPrintsRedacted(t *testing.T) {
	t.Parallel()
	k := keyOf(t, 'K')
	type enclosing struct{ inside Key }
	type exported struct{ Inside Key }
	var printed []string
	for _, v := range []any{k, &k, enclosing{k}, &enclosing{k}, exported{k}, []Key{k}, map[string]Key{"": k}, []enclosing{{k}}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%c", "%U"} {
			printed = append(printed, fmt.Sprintf(verb, v))
		}
		if b, err := json.Marshal(v); err == nil {
			printed = append(printed, string(b))
		}
		var out bytes.Buffer
		slog.New(slog.NewTextHandler(&out, nil)).Info("key", "k", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("key", "k", v)
		printed = append(printed, out.String())
	}
	secret := k.k().secret[:]
	for _, text := range printed {
		for _, form := range []string{"KKKK", "4b4b", "4B4B", "75 75", "75,75", "0x4b, 0x4b", "U+004B U", "S0tL", fmt.Sprint(secret[:4])} {
			if strings.Contains(text, form) {
				t.Errorf("%s is in %s", form, text)
			}
		}
	}
	for what, text := range map[string]string{"String": k.String(), "GoString": k.GoString(), "Format": fmt.Sprintf("%d", k)} {
		if text != redacted {
			t.Errorf("%s: %s", what, text)
		}
	}
	if text, err := k.MarshalText(); err != nil || string(text) != redacted {
		t.Errorf("MarshalText: %s, %v", text, err)
	}
}
