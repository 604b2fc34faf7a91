// Package checksum computes S3's checksums of content and joins those of parts to that of the
// whole. Start at New and Combine.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
package checksum

import (
	"crypto/sha1" //nolint:gosec // a checksum that S3 clients may ask for, not a proof
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"strconv"
)

// The types of checksum that a multipart object may have.
const (
	// FullObject is the checksum of the object's bytes.
	FullObject = "FULL_OBJECT"
	// Composite is the checksum of the parts' checksums, followed by "-" and their number.
	Composite = "COMPOSITE"
)

// ErrUnknown means that there is no such algorithm, or that it has no such type.
var ErrUnknown = errors.New("unknown checksum algorithm or type")

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	// nvme is the polynomial of the NVM Express command set (CRC-64/NVME), reversed.
	nvme = crc64.MakeTable(nvmePolynomial)
)

const nvmePolynomial = 0x9a6c9329ac4bc9b5

// New returns the hash of an algorithm by S3's name: CRC32, CRC32C, CRC64NVME, SHA1, SHA256.
func New(algorithm string) (hash.Hash, error) {
	switch algorithm {
	case "CRC32":
		return crc32.NewIEEE(), nil
	case "CRC32C":
		return crc32.New(castagnoli), nil
	case "CRC64NVME":
		return crc64.New(nvme), nil
	case "SHA1":
		return sha1.New(), nil //nolint:gosec // as above
	case "SHA256":
		return sha256.New(), nil
	}
	return nil, fmt.Errorf("%w: %q", ErrUnknown, algorithm)
}

// DefaultType is the type that a multipart upload has when it names none.
func DefaultType(algorithm string) string {
	if algorithm == "CRC64NVME" {
		return FullObject
	}
	return Composite
}

// Supported tells whether an algorithm has a type: SHA has no full-object checksums of multipart
// uploads, as they can't be joined, and CRC64NVME no composite ones.
func Supported(algorithm, kind string) bool {
	switch algorithm {
	case "CRC32", "CRC32C":
		return kind == FullObject || kind == Composite
	case "CRC64NVME":
		return kind == FullObject
	case "SHA1", "SHA256":
		return kind == Composite
	}
	return false
}

// Part is what Combine needs of one part.
type Part struct {
	// Value is the part's checksum in base64.
	Value string
	// Size is its length in bytes.
	Size int64
}

// Combine returns the checksum of the object that the parts make, in order, without reading it.
func Combine(algorithm, kind string, parts []Part) (string, error) {
	if !Supported(algorithm, kind) {
		return "", fmt.Errorf("%w: %s %s", ErrUnknown, algorithm, kind)
	}
	whole, err := New(algorithm)
	if err != nil {
		return "", err
	}
	var crc uint64
	for i, p := range parts {
		sum, err := base64.StdEncoding.DecodeString(p.Value)
		if err != nil || len(sum) != whole.Size() {
			return "", fmt.Errorf("checksum of part %d of %d is malformed", i+1, len(parts))
		}
		if kind == Composite {
			whole.Write(sum)
			continue
		}
		crc = join(algorithm, crc, sum, p.Size)
	}
	if kind == Composite {
		return base64.StdEncoding.EncodeToString(whole.Sum(nil)) + "-" + strconv.Itoa(len(parts)), nil
	}
	sum := binary.BigEndian.AppendUint64(nil, crc)
	return base64.StdEncoding.EncodeToString(sum[8-whole.Size():]), nil
}

// join returns the CRC of what crc is of, followed by size bytes whose CRC is sum.
func join(algorithm string, crc uint64, sum []byte, size int64) uint64 {
	var next uint64
	for _, b := range sum {
		next = next<<8 | uint64(b)
	}
	switch algorithm {
	case "CRC32":
		return shift(crc, size, crc32.IEEE, 32) ^ next
	case "CRC32C":
		return shift(crc, size, crc32.Castagnoli, 32) ^ next
	default:
		return shift(crc, size, nvmePolynomial, 64) ^ next
	}
}

// shift multiplies a reversed CRC by x^(8*size) modulo the polynomial: what size zero bytes after
// it would make of it. It squares the operator of one bit as zlib's crc32_combine does.
func shift(crc uint64, size int64, polynomial uint64, width int) uint64 {
	// factor is x^1, then x^2, x^4, … in reversed bit order: the highest bit is x^0.
	factor := uint64(1) << (width - 2)
	for bits := uint64(size) * 8; bits > 0; bits >>= 1 {
		if bits&1 == 1 {
			crc = multiply(crc, factor, polynomial, width)
		}
		factor = multiply(factor, factor, polynomial, width)
	}
	return crc
}

// multiply returns a*b modulo the polynomial over GF(2), all in reversed bit order.
func multiply(a, b, polynomial uint64, width int) (product uint64) {
	for bit := uint64(1) << (width - 1); bit > 0; bit >>= 1 {
		if a&bit != 0 {
			product ^= b
		}
		if b&1 == 1 {
			b = b>>1 ^ polynomial
		} else {
			b >>= 1
		}
	}
	return product
}
