package audit_test

import (
	"testing"

	"github.com/dictum/dictum/internal/audit"
)

// FuzzFrames feeds what a file may hold to both walks: each byte is part of a frame or of damage, the walks
// end, and nothing panics.
func FuzzFrames(f *testing.F) {
	good, err := audit.SampleFrames(keys(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(good[1:])
	f.Add(append(append([]byte{}, good[:40]...), good...))
	f.Add([]byte{0xda, 0x7e, 'R', 1, 0, 0xff, 0xff, 0xff})
	f.Add(make([]byte, 100))
	f.Fuzz(func(t *testing.T, content []byte) {
		accounted, _, err := audit.ScanBytes(keys(t), content)
		if err != nil {
			t.Fatal(err)
		}
		if accounted != int64(len(content)) {
			t.Fatalf("accounted for %d of %d bytes", accounted, len(content))
		}
	})
}

// FuzzBodies feeds the parsers of what is in a frame and in an anchor.
func FuzzBodies(f *testing.F) {
	k := keys(f)
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 'a', 'b', 1, 'r', '{', '}'})
	f.Add([]byte("DICTANC1"))
	f.Fuzz(func(_ *testing.T, content []byte) { audit.ParseBodies(content, k) })
}
