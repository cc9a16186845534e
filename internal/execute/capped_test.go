package execute

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

func TestCapped(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		writes []int
		kept   int
		full   bool
	}{
		"nothing":          {nil, 0, false},
		"less":             {[]int{3, 4}, 7, false},
		"just enough":      {[]int{4, 6}, 10, false},
		"at once":          {[]int{10}, 10, false},
		"one too many":     {[]int{10, 1}, 10, true},
		"over in a write":  {[]int{4, 7}, 10, true},
		"far over":         {[]int{100}, 10, true},
		"over, then again": {[]int{11, 11}, 10, true},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			strict, lenient := capped{limit: 10, over: func() { calls++ }}, capped{limit: 10}
			var failure error
			for _, n := range test.writes {
				block := bytes.Repeat([]byte{'x'}, n)
				if _, err := strict.Write(block); err != nil {
					failure = err
				}
				if m, err := lenient.Write(block); m != n || err != nil {
					t.Errorf("lenient: wrote %d of %d, %v", m, n, err)
				}
			}
			if len(strict.data) != test.kept || len(lenient.data) != test.kept {
				t.Errorf("kept %d and %d bytes, want %d", len(strict.data), len(lenient.data), test.kept)
			}
			if strict.full != test.full || errors.Is(failure, errFull) != test.full || (calls == 1) != test.full || calls > 1 {
				t.Errorf("full %v, error %v, %d calls", strict.full, failure, calls)
			}
		})
	}
}

// io.Copy prefers ReadFrom to Write, and is held to the same cap.
func TestCappedReadsNoFurther(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ limit, length int }{{10, 0}, {10, 9}, {10, 10}, {10, 11}, {1000, 511}, {1000, 513}, {1000, 1000}, {1000, 1001}, {1000, 100_000}} {
		text := bytes.Repeat([]byte("0123456789abcde"), test.length/15+1)[:test.length]
		for name, source := range map[string]io.Reader{"whole": bytes.NewReader(text), "byte by byte": iotest.OneByteReader(bytes.NewReader(text))} {
			calls := 0
			strict := capped{limit: test.limit, over: func() { calls++ }}
			_, err := io.Copy(&strict, struct{ io.Reader }{source})
			over := test.length > test.limit
			if errors.Is(err, errFull) != over || strict.full != over || (calls == 1) != over {
				t.Errorf("%d bytes of %d, %s: %v, full %v, %d calls", test.length, test.limit, name, err, strict.full, calls)
			}
			if want := text[:min(test.length, test.limit)]; !bytes.Equal(strict.data, want) {
				t.Errorf("%d bytes of %d, %s: %d bytes are kept, or others", test.length, test.limit, name, len(strict.data))
			}
		}
		lenient := capped{limit: test.limit}
		if n, err := io.Copy(&lenient, struct{ io.Reader }{bytes.NewReader(text)}); n != int64(test.length) || err != nil {
			t.Errorf("%d bytes of %d: a lenient one takes %d of them, %v", test.length, test.limit, n, err)
		}
		if want := text[:min(test.length, test.limit)]; !bytes.Equal(lenient.data, want) {
			t.Errorf("%d bytes of %d: a lenient one keeps %d bytes, or others", test.length, test.limit, len(lenient.data))
		}
	}
	failure := errors.New("broken")
	var c capped
	if _, err := c.ReadFrom(iotest.ErrReader(failure)); !errors.Is(err, failure) {
		t.Errorf("a reading that fails: %v", err)
	}
}
