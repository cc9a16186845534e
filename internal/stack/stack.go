// Package stack lets a goroutine's stack grow in one step.
package stack

// room is more stack than any call of a helper, and any run of one, was seen to need, in bytes.
const room = 12 << 10

// Grow lets the stack of the goroutine that calls it grow at once to what a call needs. It is of use where a stack is young
// and there is not much on it: left to itself it grows in several steps, each of which looks up every frame that is there in
// tables that nothing else has read lately. A static helper's list then takes 2 % longer, and so does a look-up of the
// provider that runs a helper.
//
//go:noinline
func Grow() byte {
	var b [room]byte
	return last(b[:])
}

// last keeps the compiler from seeing that nobody needs the room.
//
//go:noinline
func last(b []byte) byte { return b[len(b)-1] }
