package cache

import (
	"context"
	"testing"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/file/filetest"
)

// at returns the rig's cache at another time.
func (r *rig) at(now time.Time) *Cache {
	return Open("test", r.env, func() time.Time { return now })
}

func TestP7ReadOnlyDisk(t *testing.T) {
	r := newRig(t, time.Hour)
	began := time.Now()
	made, _ := r.must()
	filetest.ReadOnly(t, r.home)
	for name, tt := range map[string]struct {
		after time.Duration
		asked int
		reply func(context.Context, int) (helpers.Credential, error)
		want  error
	}{
		"fresh":             {time.Minute, 0, lives(3 * time.Hour), nil},
		"aging":             {40 * time.Minute, 0, lives(3 * time.Hour), nil},
		"ending":            {56 * time.Minute, 1, lives(3 * time.Hour), nil},
		"expired":           {61 * time.Minute, 1, lives(3 * time.Hour), nil},
		"ending, throttled": {56 * time.Minute, 1, fails(throttled), nil},
		"ending, denied":    {56 * time.Minute, 1, fails(denied), helpers.AccessDenied},
	} {
		r.up.asked()
		r.up.set(tt.reply)
		_, err := r.at(began.Add(tt.after)).Source(r.up).Token(t.Context(), helpers.Registry{})
		if n := r.up.asked(); n != tt.asked || helpers.ReasonOf(err) != helpers.ReasonOf(tt.want) {
			t.Errorf("%s, made at %v: %v, %d calls", name, made, err, n)
		}
	}
	if err := r.cache().Forget(t.Context(), r.up.key); helpers.ReasonOf(err) != helpers.StoreFailed || helpers.HintOf(err) == "" {
		t.Errorf("forget: %v", err)
	}
	r.up.key.Token = "never cached"
	do(t, r.cache().Forget(t.Context(), r.up.key))
}

func TestFullDiskCostsACallAndNoFailure(t *testing.T) {
	r := newRig(t, time.Hour)
	r.home = filetest.SmallDisk(t)
	free := filetest.Fill(t, r.home)
	r.want("the first time", 1)
	r.want("the second time", 1)
	free()
	r.want("with room", 1)
	r.want("and again", 0)
	filetest.Fill(t, r.home)
	r.want("full again", 0)
	r.up.key.Token = "another"
	r.want("another", 1)
	r.up.key.Token = "token key"
	do(t, r.cache().Forget(t.Context(), r.up.key))
}
