//go:build linux && !amd64

package audio

// legacyCalls are older forms of the denied calls, which these architectures do not have.
var legacyCalls []uint32
