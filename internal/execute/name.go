package execute

// Prefix is what the file name of every helper starts with. The rest is the
// registry type, and on Windows the suffix ".exe".
const Prefix = "docker-credential-beta9-"

// maxType is the longest registry type, in bytes. It leaves room for a type to
// be spelled out and none for a path.
const maxType = 32

// validType reports whether s matches ^[a-z0-9][a-z0-9-]{0,31}$.
func validType(s string) bool {
	if len(s) == 0 || len(s) > maxType || s[0] == '-' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// validVerb reports whether s is one of the five verbs of the helper protocol.
// The verb is the only argument a helper gets.
func validVerb(s string) bool {
	switch s {
	case "get", "store", "erase", "list", "version":
		return true
	}
	return false
}
