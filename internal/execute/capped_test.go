package execute

import (
	"bytes"
	"errors"
	"io"
	"testing"
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

// TestCappedIsOnlyAWriter holds io.Copy to Write: it would prefer a ReadFrom,
// which knows no cap.
func TestCappedIsOnlyAWriter(t *testing.T) {
	t.Parallel()
	var c any = &capped{}
	if _, ok := c.(io.ReaderFrom); ok {
		t.Error("io.Copy would go past the cap")
	}
}
