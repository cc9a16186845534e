package serve

// stackRoom is more stack than any call of a helper was seen to need, in bytes.
const stackRoom = 12 << 10

// makeRoom lets the stack grow in one step, while there is next to nothing on it. Left to itself it grows in several, each of
// which looks up every frame that is there in tables that nothing else has read yet: a static helper's list then takes 2 %
// longer.
//
//go:noinline
func makeRoom() byte {
	var room [stackRoom]byte
	return last(room[:])
}

// last keeps the compiler from seeing that nobody needs the room.
//
//go:noinline
func last(room []byte) byte { return room[len(room)-1] }
