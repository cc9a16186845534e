//go:build !linux

package cases

// quiet makes a network that swallows whatever is sent; only Linux has them.
func (s *scene) quiet() (path string, args []string) {
	s.Skipf("no silent network: run it on Linux")
	return "", nil
}
