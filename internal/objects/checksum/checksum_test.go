package checksum_test

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/dictum/dictum/internal/objects/checksum"
)

func sum(t *testing.T, algorithm string, b []byte) string {
	t.Helper()
	h, err := checksum.New(algorithm)
	if err != nil {
		t.Fatal(err)
	}
	h.Write(b)
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// The check values of the CRC catalogue (reveng.sourceforge.io) and of FIPS 180 for "123456789".
func TestCheckValues(t *testing.T) {
	for algorithm, want := range map[string]string{
		"CRC32": "cbf43926", "CRC32C": "e3069283", "CRC64NVME": "ae8b14860a799888",
		"SHA1":   "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
		"SHA256": "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
	} {
		b, _ := base64.StdEncoding.DecodeString(sum(t, algorithm, []byte("123456789")))
		if got := hex.EncodeToString(b); got != want {
			t.Errorf("%s: %s, want %s", algorithm, got, want)
		}
	}
}

func TestCombineEqualsTheWhole(t *testing.T) {
	rnd := rand.NewChaCha8([32]byte{2})
	for _, algorithm := range []string{"CRC32", "CRC32C", "CRC64NVME"} {
		for _, sizes := range [][]int{{0}, {1}, {5, 0, 9}, {70000, 1, 123457}} {
			var whole []byte
			var parts []checksum.Part
			for _, n := range sizes {
				b := make([]byte, n)
				rnd.Read(b)
				whole = append(whole, b...)
				parts = append(parts, checksum.Part{Value: sum(t, algorithm, b), Size: int64(n)})
			}
			got, err := checksum.Combine(algorithm, checksum.FullObject, parts)
			if want := sum(t, algorithm, whole); err != nil || got != want {
				t.Errorf("%s of %v: %s, %v; want %s", algorithm, sizes, got, err, want)
			}
		}
	}
}

func TestComposite(t *testing.T) {
	parts := []checksum.Part{{Value: sum(t, "SHA256", []byte("a")), Size: 1}, {Value: sum(t, "SHA256", []byte("b")), Size: 1}}
	got, err := checksum.Combine("SHA256", checksum.Composite, parts)
	if err != nil || !strings.HasSuffix(got, "-2") {
		t.Errorf("%s, %v", got, err)
	}
	for _, pair := range [][2]string{{"SHA256", checksum.FullObject}, {"CRC64NVME", checksum.Composite}, {"MD5", checksum.FullObject}} {
		if _, err := checksum.Combine(pair[0], pair[1], parts); !errors.Is(err, checksum.ErrUnknown) {
			t.Errorf("%v: %v", pair, err)
		}
	}
	if _, err := checksum.Combine("SHA256", checksum.Composite, []checksum.Part{{Value: "AAAA"}}); err == nil {
		t.Error("a malformed part's checksum was taken")
	}
}
