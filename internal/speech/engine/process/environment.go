package process

import "strings"

// inherited are the beginnings of the variables that the child may have. The parent's environment can hold the root of
// trust or a token for it, under any name; the child reads untrusted audio in native code, and has no use for them.
var inherited = []string{
	"PATH=", "HOME=", "XDG_CACHE_HOME=", "TMPDIR=", "TZ=", "LANG=", "LC_", "LD_LIBRARY_PATH=",
	"GOMAXPROCS=", "GOMEMLIMIT=", "GOGC=", "GODEBUG=", "GOTRACEBACK=", "GOCOVERDIR=", "GORACE=",
	"OMP_", "DICTUM_LOG=", "DICTUM_LOG_JSON=", "DICTUM_CONFIG=", "DICTUM_MODELS=", "DICTUM_TEST_",
}

// environment is what the child gets of its parent's.
func environment(all []string) []string {
	kept := []string{} // nil would mean all
	for _, pair := range all {
		for _, start := range inherited {
			if strings.HasPrefix(pair, start) {
				kept = append(kept, pair)
				break
			}
		}
	}
	return kept
}
