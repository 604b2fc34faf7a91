package sigv4

import (
	"crypto/sha1" // a checksum that S3 clients may ask for, not a proof
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"net/http"
	"strings"

	"github.com/dictum/dictum/internal/aws/awserr"
)

// nvme is the polynomial of the NVM Express command set, bits reversed as hash/crc64 wants it.
// Its check value for "123456789" is ae8b14860a799888.
var nvme = crc64.MakeTable(0x9a6c9329ac4bc9b5)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// algorithms are the checksums of S3, by the last part of their header's name.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
var algorithms = map[string]func() hash.Hash{
	"crc32":     func() hash.Hash { return crc32.NewIEEE() },
	"crc32c":    func() hash.Hash { return crc32.New(castagnoli) },
	"crc64nvme": func() hash.Hash { return crc64.New(nvme) },
	"sha1":      sha1.New,
	"sha256":    sha256.New,
}

const checksumPrefix = "x-amz-checksum-"

// NewChecksum returns the hash of a checksum algorithm by S3's name for it, in any case ("CRC32",
// "CRC32C", "CRC64NVME", "SHA1", "SHA256"), or false.
func NewChecksum(algorithm string) (hash.Hash, bool) {
	make, ok := algorithms[strings.ToLower(algorithm)]
	if !ok {
		return nil, false
	}
	return make(), true
}

// checksum is one that a client announced: value is empty until the trailer brings it.
type checksum struct {
	algorithm string // lower case
	value     string
	hash      hash.Hash
}

// headerChecksum returns the checksum in a request's headers, or, for a presigned request, in the
// query that its headers were moved to; nil when there is none.
func headerChecksum(r *http.Request, presigned bool) (*checksum, error) {
	var found *checksum
	add := func(name string, values []string) error {
		algorithm, ok := strings.CutPrefix(strings.ToLower(name), checksumPrefix)
		if !ok || algorithm == "type" || algorithm == "mode" || algorithm == "algorithm" {
			return nil
		}
		if found != nil || len(values) != 1 {
			return awserr.Fail(awserr.InvalidChecksum, "reason", "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
		}
		var err error
		found, err = newChecksum(algorithm, values[0])
		return err
	}
	for name, values := range r.Header {
		if err := add(name, values); err != nil {
			return nil, err
		}
	}
	if !presigned {
		return found, nil
	}
	q, err := parseQuery(r)
	if err != nil {
		return nil, err
	}
	for _, p := range q {
		if err := add(p.name, []string{p.value}); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func newChecksum(algorithm, value string) (*checksum, error) {
	h, ok := NewChecksum(algorithm)
	if !ok {
		return nil, awserr.Fail(awserr.InvalidChecksum, "reason", "The algorithm type you specified in x-amz-checksum- header is invalid.")
	}
	c := &checksum{algorithm: algorithm, hash: h}
	return c, c.set(value)
}

func (c *checksum) set(value string) error {
	sum, err := base64.StdEncoding.DecodeString(value)
	if err != nil || len(sum) != c.hash.Size() {
		return awserr.Fail(awserr.InvalidChecksum, "reason", "Value for "+checksumPrefix+c.algorithm+" header is invalid.")
	}
	c.value = value
	return nil
}

func (c *checksum) verify() error {
	if !equal(base64.StdEncoding.EncodeToString(c.hash.Sum(nil)), c.value) {
		return awserr.Fail(awserr.BadDigest, "algorithm", strings.ToUpper(c.algorithm))
	}
	return nil
}
